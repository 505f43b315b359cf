"""The coded findings of `licence` in English and Chinese: identifier faults, form faults, verification steps.

Codes are stable and may be stored; which finding applies is decided where the code is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from licence.material_findings import MATERIAL_FINDINGS
from licence.ofd.findings import OFD_FINDINGS
from licence.office_findings import OFFICE_FINDINGS
from licence.pdf.findings import PDF_FINDINGS
from licence.population.findings import POPULATION_FINDINGS
from licence.qr.findings import QR_FINDINGS
from licence.seals.findings import SEAL_FINDINGS
from licence.status_findings import STATUS_FINDINGS
from licence.suite_findings import SUITE_FINDINGS
from licence.trustlist_findings import TRUSTLIST_FINDINGS
from licence.verifying_findings import VERIFYING_FINDINGS
from licence.wallet.findings import WALLET_FINDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

# code → (English, Chinese); {names} are filled from the finding's params.
FINDINGS: Mapping[str, tuple[str, str]] = {
    **SEAL_FINDINGS,
    **VERIFYING_FINDINGS,
    **OFFICE_FINDINGS,
    **OFD_FINDINGS,
    **PDF_FINDINGS,
    **STATUS_FINDINGS,
    **QR_FINDINGS,
    **WALLET_FINDINGS,
    **POPULATION_FINDINGS,
    **TRUSTLIST_FINDINGS,
    **SUITE_FINDINGS,
    **MATERIAL_FINDINGS,
    # The identifier (GB/T 36904).
    "identifier_bad_root": (
        "The licence identifier does not begin with 1.2.156.3005.2. Check that it was copied whole.",
        "证照标识不以 1.2.156.3005.2 开头。请核对是否复制完整。",
    ),
    "identifier_foreign_root": (
        (
            "The licence identifier begins with 1.2.156.3003.2, a root some issuers use in error. Ask the issuer for "
            "the identifier under 1.2.156.3005.2."
        ),
        "证照标识以 1.2.156.3003.2 开头，这是部分颁发系统误用的根代码。请向颁发机构索取以 1.2.156.3005.2 开头的标识。",
    ),
    "identifier_bad_shape": (
        "A licence identifier is 1.2.156.3005.2.TYPE.ISSUER.SERIAL.VERSION.CHECK. Check that it was copied whole.",
        "证照标识应为 1.2.156.3005.2.类型代码.颁发机构代码.流水号.版本号.校验位。请核对是否复制完整。",
    ),
    "identifier_region_issuer": (
        (
            "The licence identifier has a 6-digit administrative division where the 18-character unified social credit "
            "code of the issuer belongs. Ask the issuer to mint it again."
        ),
        "证照标识的颁发机构代码是 6 位行政区划代码，应为 18 位统一社会信用代码。请颁发机构重新赋码。",
    ),
    "identifier_lower_case_serial": (
        (
            "The serial of the licence identifier holds lower-case letters; only 0-9 and A-Z are allowed. Ask the "
            "issuer to mint it again."
        ),
        "证照标识的流水号含小写字母，只允许 0-9 和 A-Z。请颁发机构重新赋码。",
    ),
    "identifier_vendor_check": (
        (
            "The check character was computed by a vendor's faulty rule that values every letter one too high; it "
            "should be `{expected}`. Ask the issuer to mint it again."
        ),
        "校验位由某厂商的错误算法算出（字母取值偏大 1），应为 `{expected}`。请颁发机构重新赋码。",
    ),
    "identifier_bad_check": (
        "The check character of the licence identifier should be `{expected}`. Check it for typing errors.",
        "证照标识的校验位应为 `{expected}`。请核对是否录入有误。",
    ),
    "identifier_bad_length": (
        "The {part} part of a licence identifier has {expected} characters, here {found}.",
        "证照标识的 {part} 部分应为 {expected} 位，实为 {found} 位。",
    ),
    "identifier_bad_characters": (
        "The {part} part of a licence identifier holds only 0-9 and A-Z, at least one and at most 64.",
        "证照标识的 {part} 部分只能由 0-9、A-Z 组成，且不少于 1 位、不多于 64 位。",
    ),
    "identifier_bad_version": (
        "The version of a licence identifier is three digits, 001 to 999.",
        "证照标识的版本号为 3 位数字，001 至 999。",
    ),
    # The form of messages.
    "base64_not_canonical": ("The {what} is not canonical base64.", "{what} 不是规范的 base64 编码。"),
    "json_invalid": ("The {what} is not valid JSON within bounds.", "{what} 不是有效的 JSON 或超出限度。"),
    "json_duplicate_member": ("The {what} holds a JSON member twice.", "{what} 中有重复的 JSON 成员。"),
    "json_number": (
        "The {what} holds a number that is not a plain integer of at most 18 digits.",
        "{what} 中有非整数或超过 18 位的数字。",
    ),
    "too_large": ("The {what} is larger than {limit} bytes.", "{what} 超过 {limit} 字节。"),
    "not_compact": ("The {what} is not a JWS in compact form.", "{what} 不是紧凑格式的 JWS。"),
    "wrong_typ": ("The {what} is not of type {expected}.", "{what} 的 typ 不是 {expected}。"),
    "alg_not_allowed": (
        "The {what} names a signature algorithm that is not on the closed list.",
        "{what} 所称签名算法不在允许清单内。",
    ),
    "alg_not_of_key": (
        "The signature algorithm named is not the one the signer's key is for, or policy does not allow it.",
        "所称签名算法与签名证书的密钥不符，或不为策略所允许。",
    ),
    "unknown_member": (
        "The {what} lacks a prescribed member or holds one that is not prescribed.",
        "{what} 缺少规定的成员或含有未规定的成员。",
    ),
    "bad_claim": ("The claim `{claim}` of the {what} is missing or malformed.", "{what} 的 `{claim}` 缺失或格式错误。"),
    "not_sd_jwt": (
        "The credential is not an SD-JWT in compact form without key binding.",
        "凭证不是不带密钥绑定的紧凑格式 SD-JWT。",
    ),
    "bad_disclosure": ("A disclosure is not [salt, name, value].", "披露项不是 [盐值, 名称, 值]。"),
    "duplicate_digest": ("A digest is listed twice in the credential.", "凭证中有重复的摘要。"),
    "duplicate_disclosure": ("A disclosure is given twice.", "披露项重复。"),
    "duplicate_claim": ("A claim is disclosed twice.", "同一信息项被披露两次。"),
    "disclosure_not_signed": (
        "A disclosed claim is not one the issuer signed: it was altered or added.",
        "有披露的信息项不在颁发机构签名范围内：已被篡改或添加。",
    ),
    "bundle_unknown_format": (
        "The file is not a licence bundle of the known format, or lacks or adds a member.",
        "文件不是已知格式的证照数据包，或缺少、多出成员。",
    ),
    "bundle_chain_differs": (
        "The certificate chain beside the credential is not the one the credential was signed with.",
        "数据包所附证书链与凭证签名所用证书链不一致。",
    ),
    "bundle_identifier_differs": (
        "The identifier on the bundle is not the one signed in the credential.",
        "数据包标注的证照标识与凭证中签名的标识不一致。",
    ),
    # Certificates.
    "certificate_unreadable": ("A certificate cannot be read ({detail}).", "证书无法读取（{detail}）。"),
    "no_signing_certificate": ("The credential names no signing certificate.", "凭证未附签名证书。"),
    "no_pinned_anchor": (
        "The signer's certificate leads to `{subject}`, which is not among the pinned trust anchors.",
        "签名证书上溯至`{subject}`，不在已固定的信任锚之列。",
    ),
    "chain_broken": (
        "Certificate {position} of the chain was not issued by the next one.",
        "证书链第 {position} 张证书并非由下一张签发。",
    ),
    "not_an_authority": ("`{subject}` may not issue certificates.", "`{subject}`无权签发证书。"),
    "path_too_long": ("`{subject}` may not have so many authorities below it.", "`{subject}`之下的证书机构层级过多。"),
    "suite_not_allowed": (
        "The certificate `{subject}` is signed by an algorithm that policy does not allow.",
        "证书`{subject}`的签名算法不为策略所允许。",
    ),
    "extension_not_understood": (
        "The certificate `{subject}` holds a critical extension this verifier does not process.",
        "证书`{subject}`含有本验证程序不处理的关键扩展。",
    ),
    "leaf_may_not_sign": ("The certificate `{subject}` may not sign data.", "证书`{subject}`不得用于数据签名。"),
    "certificate_expired_at_signing": (
        "The chain had expired when the licence was signed ({signed}; chain until {limit}).",
        "签名时证书链已过期（签名 {signed}，证书链至 {limit}）。",
    ),
    "certificate_not_yet_valid_at_signing": (
        "The chain was not yet valid when the licence was signed ({signed}; chain from {limit}).",
        "签名时证书链尚未生效（签名 {signed}，证书链自 {limit}）。",
    ),
    # Signature, issuer, identifier.
    "signature_wrong": ("The signature does not match: the content was altered.", "签名不符：内容已被篡改。"),
    "issuer_purpose": ("The signer's certificate is not for signing licences.", "签名证书的用途不是签发证照。"),
    "issuer_not_pinned": (
        "The signer's certificate is not among those pinned for licences.",
        "签名证书不在已固定的证照签发证书之列。",
    ),
    "issuer_uri_differs": (
        "The issuer named in the licence is not the one its certificate names.",
        "证照所称颁发者与其证书不一致。",
    ),
    "issuer_code_differs": (
        "The licence identifier names issuer {claimed}, the signer's certificate is of {certified}.",
        "证照标识的颁发机构代码为 {claimed}，签名证书属于 {certified}。",
    ),
    "kind_differs": (
        "The kind of the credential is not the kind in its identifier.",
        "凭证的类型与证照标识中的类型代码不一致。",
    ),
    "claim_differs": (
        "The disclosed claim {claim} contradicts the signed identifier.",
        "披露的信息项 {claim} 与签名的证照标识不一致。",
    ),
    # Log.
    "log_proof_missing": (
        "There is no log entry or proof with the licence; ask for the complete bundle.",
        "证照未附日志条目或证明；请索取完整数据包。",
    ),
    "log_entry_unreadable": ("The log entry cannot be read.", "日志条目无法读取。"),
    "log_entry_wrong_kind": ("The log entry is of another kind than {expected}.", "日志条目类型不是 {expected}。"),
    "log_entry_other_licence": ("The log entry is about another licence.", "日志条目属于另一份证照。"),
    "log_entry_digest_differs": (
        "The digest in the log entry is not that of this credential.",
        "日志条目中的摘要与本凭证不符。",
    ),
    "log_entry_differs": (
        "The log entry contradicts the credential in `{fact}`.",
        "日志条目的 `{fact}` 与凭证不一致。",
    ),
    "log_proof_invalid": (
        "The proof does not show that the entry is in the log.",
        "证明不能表明该条目已记入日志。",
    ),
    "log_key_untrusted": (
        "The checkpoint is not signed by a pinned log key, or its signature is wrong.",
        "检查点未由已固定的日志密钥签名，或签名错误。",
    ),
    "log_entry_before_issue": (
        "The log entry ({logged}) is older than the signature ({signed}).",
        "日志条目（{logged}）早于签名（{signed}）。",
    ),
    "logged_after_certificate": (
        "The licence was logged ({logged}) after its certificate chain had ended ({limit}).",
        "证照记入日志（{logged}）时，其证书链已到期（{limit}）。",
    ),
    "status_entry_incomplete": (
        "Of status token, its log entry and its proof, the bundle holds only a part.",
        "状态令牌、其日志条目与证明三者不全。",
    ),
    "status_entry_differs": (
        "The log entry of the status list is about another token.",
        "状态列表的日志条目属于另一份状态令牌。",
    ),
    # Status.
    "status_missing": (
        "There is no usable status list for the time asked about; fetch it from {uri}.",
        "没有可用于所问时间的状态列表；请从 {uri} 获取。",
    ),
    "status_too_old": (
        "The newest status list is too old (of {as_of}, until {until}); fetch a fresh one from {uri}.",
        "最新的状态列表已过时（{as_of}，有效至 {until}）；请从 {uri} 获取新的。",
    ),
    "status_index_outside": ("The status list has no entry {idx}.", "状态列表没有第 {idx} 项。"),
    "status_unknown": ("The status list gives the unknown state {value}.", "状态列表给出未知状态 {value}。"),
    "status_revoked": (
        "The licence is no longer in force: the status list of {as_of} marks it invalid.",
        "证照已失去效力：{as_of} 的状态列表标明其无效（撤销、注销、失效或吊销）。",
    ),
    "status_suspended": (
        "The licence is suspended by the status list of {as_of}.",
        "{as_of} 的状态列表标明证照已暂扣。",
    ),
    "status_signer_unknown": (
        (
            "The certificate of the status list's signer (SHA-256 `{x5t}`) is not at hand. Fetch the trust folder's "
            "certificates.pem anew, or the list from {uri} as JWT or with `?chain=true`, or hand the certificate over."
        ),
        (
            "缺少状态列表签名者的证书（SHA-256 `{x5t}`）。请重新获取信任目录中的 certificates.pem，"
            "或从 {uri} 获取 JWT 形式或带 `?chain=true` 的列表，或另行提供该证书。"
        ),
    ),
    "status_token_ignored": (
        "Status list ({source}) ignored: {why}",
        "状态列表（{source}）未采用：{why}",
    ),
    "status_token_newer": (
        "Status list ({source}) of {as_of} ignored: it is newer than the time asked about.",
        "状态列表（{source}，{as_of}）未采用：晚于所问时间。",
    ),
    "status_signer_purpose": (
        "its signer's certificate is not for signing status lists.",
        "其签名证书的用途不是签发状态列表。",
    ),
    "status_signer_not_pinned": (
        "its signer's certificate is not among those pinned for status lists.",
        "其签名证书不在已固定的状态列表签发证书之列。",
    ),
    "status_signer_out_of_time": (
        "its signer's certificate chain was not valid when it was signed.",
        "签名时其证书链不在有效期内。",
    ),
    # Validity.
    "licence_expired": ("The licence ran until {limit}.", "证照有效期至 {limit}，已过期。"),
    "licence_not_yet_valid": ("The licence is valid only from {limit}.", "证照自 {limit} 起方才有效。"),
    # Passed.
    "format_ok": (
        "The form is right; {shown} claim(s) shown, {withheld} withheld.",
        "格式正确；披露 {shown} 项，未披露 {withheld} 项。",
    ),
    "chain_ok": ("`{subject}` leads to a pinned trust anchor.", "`{subject}`可上溯至已固定的信任锚。"),
    "chain_ok_demonstration": (
        "`{subject}` leads to a pinned trust anchor (demonstration certificate, no legal effect).",
        "`{subject}`可上溯至已固定的信任锚（演示证书，无法律效力）。",
    ),
    "signature_ok": ("The signature ({suite}) matches the content.", "签名（{suite}）与内容相符。"),
    "issuer_ok": ("Issuer {issuer} may sign this licence.", "颁发机构 {issuer} 有权签发本证照。"),
    "identifier_ok": (
        "The identifier {identifier} is well-formed and signed.",
        "证照标识 {identifier} 格式正确且已签名。",
    ),
    "log_ok": (
        "Entry {index} of the log {origin} holds this licence (tree of {size}).",
        "日志 {origin} 第 {index} 条记有本证照（规模 {size}）。",
    ),
    "status_ok": ("In force by the status list of {as_of}.", "{as_of} 的状态列表标明有效。"),
    "validity_ok": ("Valid from {starts}, no end.", "自 {starts} 起有效，长期。"),
    "validity_until_ok": ("Valid from {starts} until {ends}.", "有效期 {starts} 至 {ends}。"),
    "skipped": ("Not examined, an earlier step did not pass.", "未检查：前序步骤未通过。"),
    # Kinds.
    "kinds_not_a_list": ("The file must hold a list `kinds:`.", "文件应包含列表 `kinds:`。"),
    "kinds_syntax": ("Not readable as YAML: {detail}", "无法按 YAML 读取：{detail}"),
    "kind_not_a_mapping": (
        "An item of `{where}` must be a mapping of names to values.",
        "`{where}` 的每一项应为键值映射。",
    ),
    "attribute_missing": ("`{name}` is missing or empty. Add it.", "缺少`{name}`或为空。请补充。"),
    "attribute_unknown": (
        "`{name}` is not an attribute here. Remove or rename it.",
        "不识别属性`{name}`。请删除或改名。",
    ),
    "attribute_repeated": ("`{name}` is given twice. Keep one.", "`{name}`重复。请保留一个。"),
    "attribute_not_text": ("`{name}` must be text (put it in quotes).", "`{name}`应为文本（请加引号）。"),
    "bad_kind_code": (
        "code `{value}` is not 21 characters of 0-9A-Z: the authority's unified social credit code and three more.",
        "类型代码`{value}`应为 21 位（0-9A-Z）：定义机构统一社会信用代码加 3 位。",
    ),
    "code_not_of_authority": (
        "code `{value}` does not begin with authority_code `{authority}`.",
        "类型代码`{value}`不以定义机构代码`{authority}`开头。",
    ),
    "bad_category": (
        "category `{value}` is not one of 证照, 批文, 证明, 材料.",
        "类别`{value}`不是 证照、批文、证明、材料 之一。",
    ),
    "bad_holder_type": ("holder_type `{value}` is none of: {allowed}.", "持证主体类型`{value}`不在其列：{allowed}。"),
    "bad_validity_days": (
        "validity_days must be a whole number from 1 to 36525, or null.",
        "validity_days 应为 1 至 36525 的整数或 null。",
    ),
    "bad_face_name": (
        "face field `{value}` must be KZ_ and capital letters, digits or _.",
        "照面项`{value}`应为 KZ_ 加大写字母、数字或下划线。",
    ),
    "bad_required": ("required must be true or false.", "required 应为 true 或 false。"),
    "duplicate_code": ("code `{value}` is already used at {first}.", "类型代码`{value}`已在 {first} 使用。"),
    "duplicate_face_name": ("face field `{value}` is already used in this kind.", "本类型中照面项`{value}`重复。"),
    "face_empty": ("`face` holds no field. A licence shows at least one.", "`face` 没有任何照面项。至少应有一项。"),
    # Issuing and keys.
    "time_not_aware": ("Times must carry their time zone.", "时间必须带时区。"),
    "licence_validity_empty": ("The licence would end before it begins.", "证照的终止时间早于起始时间。"),
    "identifier_of_other_kind": ("The identifier is not of kind `{kind}`.", "证照标识不属于类型`{kind}`。"),
    "identifier_of_other_issuer": (
        "The identifier names issuer {issuer}, the key belongs to {key}. Use the issuing department's key.",
        "证照标识的颁发机构为 {issuer}，密钥属于 {key}。请使用颁发机构的密钥。",
    ),
    "bad_claims": ("Claims are repeated, reserved or misnamed: {names}.", "信息项重复、为保留名或命名有误：{names}。"),
    "bad_salts": (
        "{count} different salts of at least {size} bytes are needed, fresh for this licence.",
        "需要 {count} 个互不相同、不少于 {size} 字节且专用于本证照的盐值。",
    ),
    "status_does_not_fit": (
        "Status {value} at index {idx} does not fit the list.",
        "状态列表放不下第 {idx} 项的状态 {value}。",
    ),
    "status_validity_empty": ("The status list would be too old when issued.", "状态列表一经签发即已过时。"),
    "key_not_of_certificate": ("The private key is not that of the first certificate.", "私钥与首张证书不匹配。"),
    "key_of_no_suite": (
        "The key belongs to no signature suite of the closed list.",
        "密钥不属于允许清单内的任何签名套件。",
    ),
    "passphrase_short": ("A passphrase has at least {minimum} bytes.", "口令不少于 {minimum} 字节。"),
    "key_file_unreadable": (
        "`{path}` cannot be read as a key file ({detail}). Give another file.",
        "`{path}`无法作为密钥文件读取（{detail}）。请更换文件。",
    ),
    "key_file_exposed": (
        "`{path}` may be read by others (mode {mode}). Set mode 0600; consider the key known and replace it.",
        "`{path}`可被他人读取（权限 {mode}）。请改为 0600；该密钥应视为已泄露并更换。",
    ),
    "ca_path_exhausted": ("This authority may not certify another authority.", "该证书机构不得再签发下级证书机构。"),
    "validity_exceeds_issuer": (
        "The validity asked for is not within the issuing certificate's.",
        "所求有效期超出上级证书的有效期。",
    ),
    "validity_empty": ("The certificate would end before it begins.", "证书的终止时间早于起始时间。"),
    "certificate_name_long": ("A certificate name has at most {limit} characters.", "证书名称不超过 {limit} 个字符。"),
}


class _Params(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def finding_text(code: str, params: Mapping[str, str], lang: str) -> str:
    """The sentence of *code* in *lang* (``zh``, otherwise English).

    Raises:
        KeyError: no such code.
    """
    en, zh = FINDINGS[code]
    return (zh if lang == "zh" else en).format_map(_Params(params))
