"""The coded findings of `licence.seals` in English and Chinese; `licence.findings` holds them with all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# code → (English, Chinese); {names} are filled from the finding's params.
SEAL_FINDINGS: Mapping[str, tuple[str, str]] = {
    # Form.
    "seal_not_der": (
        "The part {what} of the electronic seal is not encoded in DER as its standard prescribes.",
        "电子印章的 {what} 部分未按标准进行 DER 编码。",
    ),
    "seal_version_unknown": (
        "The seal names version {version}, which is none of GM/T 0031-2014, GB/T 38540-2020 and GM/T 0031-2025.",
        "印章版本号 {version} 不属于 GM/T 0031-2014、GB/T 38540-2020、GM/T 0031-2025。",
    ),
    "seal_version_differs": (
        "The seal is of version {seal}, its signature of version {signature}.",
        "电子印章版本为 {seal}，电子签章版本为 {signature}，二者不一致。",
    ),
    "seal_version_not_written": (
        "Seals of version {version} are read and verified, not written. Use version 5 or 4.",
        "版本 {version} 的印章只作读取和验证，不再制作。请使用版本 5 或 4。",
    ),
    "seal_extension_not_understood": (
        "The seal holds the critical extension {oid}, which this verifier does not process.",
        "印章含有本验证程序不处理的关键扩展 {oid}。",
    ),
    "seal_format_ok": (
        "The form is right: {standard}, seal {seal_id}.",
        "格式正确：{standard}，印章标识 {seal_id}。",
    ),
    # Signatures.
    "seal_algorithm_not_allowed": (
        "The signature algorithm {oid} is not one that policy allows.",
        "签名算法 {oid} 不为策略所允许。",
    ),
    "seal_algorithm_not_of_key": (
        "The signature algorithm {oid} is not the one the certificate's key is for.",
        "签名算法 {oid} 与证书的密钥不符。",
    ),
    "seal_maker_signature_wrong": (
        "The maker's signature does not match the seal: the seal was altered or forged.",
        "制章者签名与印章不符：印章已被篡改或伪造。",
    ),
    "seal_signature_wrong": (
        "The custodian's signature does not match: the signed content was altered.",
        "签章者签名不符：签章内容已被篡改。",
    ),
    "seal_maker_signature_ok": (
        "The maker's signature ({suite}) matches the seal.",
        "制章者签名（{suite}）与印章相符。",
    ),
    "seal_signature_ok": (
        "The custodian's signature ({suite}) matches what was signed.",
        "签章者签名（{suite}）与签章内容相符。",
    ),
    # Custodian.
    "seal_custodian_not_listed": (
        "The signer's certificate is not among those the seal was made for.",
        "签章者证书不在印章的签章者证书列表之内。",
    ),
    "seal_custodian_ok": ("The seal was made for this signer.", "签章者在印章的签章者证书列表之内。"),
    # The date the seal was made.
    "seal_made_in_future": (
        "The seal says it was made at {created}, which is still to come.",
        "印章制作时间 {created} 晚于验证时间。",
    ),
    "seal_dates_contradict": (
        "The dates of the seal contradict each other (made {created}, valid {starts} to {ends}).",
        "印章的日期自相矛盾（制作 {created}，有效期 {starts} 至 {ends}）。",
    ),
    "seal_created_ok": ("Made at {created}.", "制作时间 {created}。"),
    # Certificates.
    "seal_maker_not_known": (
        "`{subject}` is neither a seal maker you have pinned nor certified for making seals.",
        "`{subject}`既不是已固定的制章者，其证书用途也不含制章。",
    ),
    "seal_maker_not_valid_when_made": (
        "The maker's certificate was valid from {starts} to {ends}, the seal was made at {created}.",
        "制章者证书有效期为 {starts} 至 {ends}，印章制作于 {created}。",
    ),
    "seal_maker_expired_since": (
        "Warning: the maker's certificate has expired since ({limit}), after the seal was made.",
        "警告：制章者证书在制章之后已过期（{limit}）。",
    ),
    "seal_maker_ok": ("`{subject}` may make seals.", "`{subject}`有权制章。"),
    "seal_custodian_not_valid_when_signed": (
        "The signer's certificate was valid from {starts} to {ends}, the seal was applied at {signed}.",
        "签章者证书有效期为 {starts} 至 {ends}，签章时间为 {signed}。",
    ),
    "seal_custodian_expired_since": (
        "Warning: the signer's certificate has expired since ({limit}).",
        "警告：签章者证书在签章之后已过期（{limit}）。",
    ),
    "seal_signer_ok": ("`{subject}` was valid when the seal was applied.", "`{subject}`在签章时有效。"),
    "seal_revocation_not_checked": (
        "Whether `{subject}` is revoked cannot be told: a current revocation list of an issuer is missing.",
        "无法判定`{subject}`是否被吊销：缺少其颁发者的现行证书吊销列表。",
    ),
    "seal_demonstration": (
        "This is a demonstration certificate, no legal effect.",
        "该证书为演示证书，无法律效力。",
    ),
    # Validity of the seal.
    "seal_time_unknown": (
        "The seal signature names no time that can be read; it holds a time stamp in its place.",
        "电子签章未载明可读取的签章时间，该处为时间戳。",
    ),
    "seal_applied_in_future": (
        "The seal says it was applied at {signed}, which is still to come.",
        "签章时间 {signed} 晚于验证时间。",
    ),
    "seal_applied_before_made": (
        "The seal was applied at {signed}, before it was made ({created}).",
        "签章时间 {signed} 早于印章制作时间（{created}）。",
    ),
    "seal_not_yet_valid": (
        "The seal is valid only from {starts}; asked about {when}.",
        "印章自 {starts} 起方才有效，所问时间为 {when}。",
    ),
    "seal_expired": (
        "The seal was valid until {ends}; asked about {when}.",
        "印章有效期至 {ends}，所问时间为 {when}。",
    ),
    "seal_validity_ok": ("Valid from {starts} to {ends}, at {when} too.", "有效期 {starts} 至 {ends}，{when} 时有效。"),
    # Time stamps.
    "seal_no_time_stamp": ("There is no time stamp; none is prescribed.", "未附时间戳；时间戳为可选项。"),
    "seal_time_stamp_not_examined": (
        "There is a time stamp and no authority was given to judge it by.",
        "附有时间戳，但未提供用以判定时间戳的信任依据。",
    ),
    "seal_time_stamp_contradicts": (
        "The time stamp of {stamped} contradicts the time {claimed} of what it stamps.",
        "时间戳时间 {stamped} 与所盖对象的时间 {claimed} 相矛盾。",
    ),
    "seal_time_stamp_ok": ("Time stamp of {stamped}.", "时间戳时间 {stamped}。"),
    # The document.
    "seal_document_differs": (
        "The document is not the one the seal was applied to: its digest differs.",
        "原文杂凑值不符：文件不是签章时的文件。",
    ),
    "seal_document_ok": ("The document is the one the seal was applied to.", "原文杂凑值相符。"),
    # Making and applying.
    "seal_text_not_ascii": (
        "`{what}` must be 1 to {limit} printable ASCII characters.",
        "`{what}` 应为 1 至 {limit} 个可打印 ASCII 字符。",
    ),
    "seal_name_missing": (
        "A seal needs a printable name of at most {limit} bytes in UTF-8.",
        "印章必须有可打印的名称，UTF-8 编码不超过 {limit} 字节。",
    ),
    "seal_no_custodian": (
        "A seal is made for at least one custodian and at most {limit}.",
        "印章至少应有一名签章者，至多 {limit} 名。",
    ),
    "seal_picture_bad": (
        "The picture of a seal has content, a kind and a size of 1 to {limit} millimetres.",
        "印章图像应有内容、类型和 1 至 {limit} 毫米的尺寸。",
    ),
    "seal_picture_text": (
        "The text on a seal must be printable and at most {limit} characters.",
        "印文应为可打印字符，不超过 {limit} 个字。",
    ),
    "seal_kind_bad": ("The kind of a seal is a whole number from 1 to 255.", "印章类型应为 1 至 255 的整数。"),
    "seal_digest_bad": (
        "A document digest has {expected} bytes, here {found}.",
        "原文杂凑值应为 {expected} 字节，实为 {found} 字节。",
    ),
    "seal_key_not_of_certificate": (
        "The signature just made does not verify under the certificate given. Check which key answers.",
        "刚生成的签名无法以所给证书验证。请核对所用密钥。",
    ),
    "seal_time_stamp_needs_v5": (
        "A seal of version {version} has no place for a time stamp.",
        "版本 {version} 的印章不能附时间戳。",
    ),
    # The register.
    "seal_entry_blank": ("`{name}` is missing or too long. State it.", "缺少`{name}`或过长。请补充。"),
    "seal_change_before_last": (
        "The change lies before the last one of {last}.",
        "变更时间早于上次变更（{last}）。",
    ),
    "seal_second_person": (
        "Another person than the one who asked must approve this.",
        "须由申请人以外的另一人核准（双人原则）。",
    ),
    "seal_not_its_custodian": ("Only the seal's custodian may use it.", "只有印章保管人可以用印。"),
    # Cloud signatures.
    "seal_approval_id_short": (
        "An approval needs an unpredictable identifier of at least {minimum} bytes.",
        "审批标识应为不可预测的、不少于 {minimum} 字节的值。",
    ),
    "seal_approval_time_bad": (
        "An approval is open for at most {minutes} minutes.",
        "审批有效时间应大于零且不超过 {minutes} 分钟。",
    ),
    "seal_approval_other_person": ("Another person was asked for this approval.", "该审批不属于此人。"),
    "seal_approval_not_open": (
        "The approval is not open for this: not yet given, refused, used up or locked.",
        "该审批不能用于此操作：尚未批准、已拒绝、已使用或已锁定。",
    ),
    "seal_approval_ended": ("The approval ended at {ends}. Ask again.", "该审批已于 {ends} 截止。请重新申请。"),
    "seal_proof_wrong": ("The PIN or one-time password is not right.", "PIN 码或一次性口令不正确。"),
    "seal_approval_other_document": (
        "The approval is for another document or another seal.",
        "该审批针对另一份文件或另一枚印章。",
    ),
    # Pictures.
    "seal_png_unusable": (
        "The picture must be a whole PNG, 8 bits a sample, no palette or interlacing, up to {limit} px, {size} KiB.",
        "印章图像应为完整的 PNG（每样本 8 位，不用调色板和隔行扫描），每边不超过 {limit} 像素，不超过 {size} KiB。",
    ),
    "seal_picture_size": (
        "A seal is {minimum} to {limit} mm wide and high.",
        "印章宽、高应为 {minimum} 至 {limit} 毫米。",
    ),
    "seal_ofd_without_list": (
        "The OFD names no list of signatures, so no reader would find a seal in it. Export it as a PDF instead.",
        "该 OFD 未声明签名列表，阅读器无法找到所加盖的印章。请改为导出 PDF 后用印。",
    ),
    # The published register.
    "seal_register_form": ("The register of seals is not of its form.", "印章登记册格式有误。"),
    "seal_register_unknown": ("The register does not list this seal.", "印章登记册中没有该印章。"),
    "seal_register_state": (
        "By the register the seal is `{state}` since {since}.",
        "据印章登记册，该印章自 {since} 起状态为 `{state}`。",
    ),
    "seal_register_time": (
        "This version of the register says nothing of {when}. Take the version of that time.",
        "该版印章登记册不能说明 {when} 的状态。请使用当时的版本。",
    ),
    "seal_register_validity": (
        "By the register the seal is valid until {ends}.",
        "据印章登记册，该印章有效期至 {ends}。",
    ),
}
