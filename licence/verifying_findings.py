"""The coded findings of `licence.verifying` in English and Chinese, merged into `licence.findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VERIFYING_FINDINGS: Mapping[str, tuple[str, str]] = {
    "internal": (
        "The verifier itself failed on this file ({detail}). Do not treat it as valid; report it to its makers.",
        "验证程序在处理该文件时出错（{detail}）。不得视为有效；请将该文件交给验证程序的维护者。",
    ),
    "judge_pdf_ok": (
        "The structure holds (PAdES {level}); {signatures} signature(s), {stamps} document time stamp(s), no more.",
        "文件结构正确（PAdES {level} 级）；签名 {signatures} 个，文档时间戳 {stamps} 个，此外无任何追加内容。",
    ),
    "judge_pdf_signature_ok": (
        "The signature ({suite}) matches the content of the whole file.",
        "签名（{suite}）与整个文件的内容相符。",
    ),
    "judge_pdf_material_loose": (
        "The last {size} bytes are validation material that nobody signed; each part bears its own signature.",
        "文件最后 {size} 字节为未经签名的验证材料；其中的列表和证书各以其自身签名为准。",
    ),
    "judge_pdf_attributes_loose": (
        "Beside the signature `{field}` stand attributes that nobody signed and that were not looked at.",
        "签名`{field}`旁附有未经签名的属性，未予采用。",
    ),
    "judge_certificates_loose": (
        "Certificates that came along were not needed; nothing vouches for them.",
        "随附的证书中有未被采用的，其内容未经证实。",
    ),
    "enclosed_stamp_unused": (
        "The enclosed time stamp proves nothing: {why}",
        "所附时间戳不能作为证明：{why}",
    ),
    "enclosed_list_unused": (
        "Enclosed revocation list no. {number} is of no authority of this chain; nothing vouches for it.",
        "所附第 {number} 份证书撤销列表不属于本证书链的机构，其内容未经证实。",
    ),
    "document_not_judged": (
        "The document enclosed as {form} was not judged here; the command `zhengtong verify` does it.",
        "所附 {form} 文档未在此判定；可用 zhengtong verify 命令判定。",
    ),
    "document_agrees": (
        "{count} document(s) enclosed; each holds and is of this licence.",
        "所附文档 {count} 份，均有效且属于本证照。",
    ),
    "document_differs": (
        "The document enclosed as {form} is of another licence (`{named}`).",
        "所附 {form} 文档属于另一证照（`{named}`）。",
    ),
    "document_names_none": (
        "The document enclosed as {form} does not say which licence it is of.",
        "所附 {form} 文档未载明证照标识。",
    ),
    "document_form_differs": (
        "What is enclosed as {form} is not of that form.",
        "所附 {form} 文档的格式不符。",
    ),
    "document_refused": (
        "The document enclosed as {form} is not valid: {why}",
        "所附 {form} 文档无效：{why}",
    ),
    "document_ended": (
        "The document enclosed as {form} is a copy whose time it is not: {why}",
        "所附 {form} 文档为加注件，不在其有效期内：{why}",
    ),
    "document_is_copy": (
        "The document enclosed as {form} is a copy for “{purpose}” only, until {until}.",
        "所附 {form} 文档为加注件，仅限“{purpose}”使用，有效期至 {until}。",
    ),
    "document_open": (
        "The document enclosed as {form} cannot be decided: {why}",
        "所附 {form} 文档无法判定：{why}",
    ),
    "document_loose": (
        "The document enclosed as {form} holds parts that nobody signed; judged alone it names them.",
        "所附 {form} 文档含有未经签名的部分；单独判定时逐一列出。",
    ),
    "status_closed": (
        "By {source}, the list in force was logged at {logged} (entry {index} of {origin}); its successor is known.",
        "据 {source}，当时的状态列表于 {logged} 记入日志（{origin} 第 {index} 条），其后一版亦在日志中。",
    ),
    "status_last_known": (
        "By {source}, the list in force was logged at {logged} (entry {index} of {origin}); a newer one may exist.",
        "据 {source}，当时的状态列表于 {logged} 记入日志（{origin} 第 {index} 条）；可能另有更新版本。",
    ),
    "judge_no_signing_time": (
        "The file does not say when it was signed.",
        "该文件未载明签发时间。",
    ),
    "judge_no_time_stamp": ("The signature has no time stamp.", "签名未附时间戳。"),
    "judge_time_stamp_ok": (
        "Time stamp by `{subject}`: it existed at {stamped}.",
        "`{subject}`的时间戳：在 {stamped} 已存在。",
    ),
    "judge_time_stamp_contradicts": (
        "The time stamp ({stamped}) lies before the time of signing ({claimed}) or in the future.",
        "时间戳（{stamped}）早于签名时间（{claimed}），或在将来。",
    ),
    "judge_time_stamp_expired": (
        "The time-stamping certificate was not valid when it stamped ({stamped}; {starts} to {ends}).",
        "加盖时间戳时（{stamped}），时间戳证书不在有效期内（{starts} 至 {ends}）。",
    ),
    "judge_signed_in_future": (
        "The signer claims to have signed at {signed}, after the time asked about.",
        "签署者声称的签名时间 {signed} 晚于所问时间。",
    ),
    "judge_no_proof_of_time": (
        "The chain ended at {limit}, and no trusted time stamp proves that the signature is older.",
        "证书链已于 {limit} 到期，没有可信时间戳证明签名在此之前作出。",
    ),
    "judge_signer_ok": (
        "`{subject}` may sign documents. Chain until {ends}.",
        "`{subject}`可以签署文件。证书链有效至 {ends}。",
    ),
    "judge_signer_purpose": (
        "`{subject}` is certified for something else than signing documents.",
        "`{subject}`的证书用途不是签署文件。",
    ),
    "judge_ofd_ok": (
        "The container holds {files} file(s) and {signatures} signature(s); every digest listed matches.",
        "容器中有 {files} 个文件、{signatures} 个签名；所列杂凑值全部相符。",
    ),
    "judge_coverage_ok": (
        "The signatures cover every byte of the container but their own.",
        "除签名自身外，签名覆盖容器的每个字节。",
    ),
    "judge_coverage_but": (
        "The signatures cover every file of the document. Not covered, and not to be relied on: {names}.",
        "签名覆盖文档的所有文件。未覆盖、不可依赖的有：{names}。",
    ),
    "judge_place_ok": ("The signature names this place in the document.", "签名所指位置与其在文档中的位置一致。"),
    "judge_place_differs": (
        "The signature is made for another place (`{named}`) than it stands at (`{found}`).",
        "签名所指位置（`{named}`）与其所在位置（`{found}`）不一致。",
    ),
    "judge_container_seal_ok": (
        "The seal shown by the container is the one in the signature.",
        "容器中的印章与签名值中的印章一致。",
    ),
    "judge_container_seal_none": (
        "The container holds no seal besides the one in the signature.",
        "容器中没有签名值之外的印章文件。",
    ),
    "judge_container_seal_differs": (
        "The seal in the container is another one than that in the signature.",
        "容器中的印章与签名值中的印章不是同一枚。",
    ),
    "judge_signature_kind": (
        "This signature is no seal (kind `{kind}`); such ones are not judged here.",
        "该签名不是电子签章（类型`{kind}`），此处不作判定。",
    ),
    "judge_suite_not_allowed": (
        "The trust policy allows no signature suite that seals use.",
        "信任策略未允许电子印章可用的签名套件。",
    ),
    "judge_document_absent": (
        "A seal signature alone: the document it belongs to is not at hand. Give the document.",
        "仅有签章数据，没有其所属的原文。请提供文档。",
    ),
    "judge_code_ok": (
        "A licence's QR code for `{identifier}`.",
        "`{identifier}`的证照二维码。",
    ),
    "judge_status_missing": (
        "There is no usable status list number {number} for the time asked about. Fetch the issuer's newest lists.",
        "没有可用于所问时间的第 {number} 号状态列表。请获取颁发机构的最新状态列表。",
    ),
    "judge_status_ambiguous": (
        "{count} different status lists are called number {number}. Give only those of the issuer.",
        "有 {count} 个不同的状态列表均为第 {number} 号。请只提供颁发机构的状态列表。",
    ),
    "judge_copy_ok": (
        "An annotated copy for “{purpose}” and nothing else, made by {by} at {made}, until {until}.",
        "加注件，仅限“{purpose}”使用，不得用于其他事项；{by}于 {made} 加注，有效期至 {until}。",
    ),
    "judge_copy_withdrawal": (
        "Whether copy {number} was withdrawn before its end, only {by} can say.",
        "编号为 {number} 的加注件是否已提前收回，请向{by}查询。",
    ),
    "judge_names_credential": (
        "Drawn from credential {digest}. Whether that is in force now, its bundle, its QR code or the issuer tells.",
        "本文件依据凭证 {digest} 制作，不说明该证照目前是否有效；请验证其数据包或二维码，或向颁发机构查询。",
    ),
    "diagnostic_malformed": (
        "Not a diagnostic report of the known form: {part}.",
        "不是已知格式的诊断报告：{part}。",
    ),
}
