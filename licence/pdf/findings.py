"""The coded findings of PDF documents, CMS signatures and time stamps, in English and Chinese.

Merged into `licence.findings`; which one applies is decided where the code is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PDF_FINDINGS: Mapping[str, tuple[str, str]] = {
    # DER and CMS.
    "der_invalid": ("The {what} is not the DER structure its standard prescribes.", "{what} 不是标准规定的 DER 结构。"),
    "der_trailing_bytes": ("Bytes follow the DER structure of the {what}.", "{what} 的 DER 结构之后有多余字节。"),
    "cms_signers": (
        "The {what} has {count} signers; exactly one is allowed.",
        "{what} 有 {count} 个签名者，只允许一个。",
    ),
    "cms_attribute": (
        "The signed attribute `{attribute}` of the {what} is missing or wrong.",
        "{what} 的签名属性 `{attribute}` 缺失或有误。",
    ),
    "cms_attribute_order": (
        "The signed attributes of the {what} are not in DER order.",
        "{what} 的签名属性未按 DER 规定排序。",
    ),
    "cms_attribute_twice": ("The {what} states an attribute twice.", "{what} 中有重复的属性。"),
    "cms_no_signing_certificate": (
        "The {what} does not bind its signer's certificate (signing-certificate-v2); it cannot be judged.",
        "{what} 未绑定签名证书（signing-certificate-v2），无法判定。",
    ),
    "cms_signer_not_found": (
        "The certificate the {what} says it was signed with is not in it, or is another one.",
        "{what} 中没有其声称的签名证书，或证书不一致。",
    ),
    "cms_suite_not_allowed": (
        "The {what} is signed by an algorithm that policy does not allow.",
        "{what} 所用签名算法不为策略所允许。",
    ),
    "cms_digest_differs": (
        "The digest in the {what} is not that of what it signs: the content was altered.",
        "{what} 中的摘要与所签内容不符：内容已被篡改。",
    ),
    "cms_stray_certificate": (
        "The {what} carries a certificate that does not belong to its signer's chain.",
        "{what} 附有不属于签名者证书链的证书。",
    ),
    "cms_suite_without_form": (
        "Signature suite `{suite}` cannot be used in PDF documents. Use another key.",
        "签名套件`{suite}`不能用于 PDF 文档。请换用其他密钥。",
    ),
    # Rendering and sealing.
    "face_too_long": (
        "A face has at most {fields} items of at most {length} characters each.",
        "照面项不超过 {fields} 项，每项不超过 {length} 个字符。",
    ),
    "face_control_character": (
        "A text of the face holds a control or text direction character. Remove it from the record.",
        "照面文字中含有控制字符或文字方向字符。请在权威记录中删除。",
    ),
    "qr_matrix_unusable": (
        "The QR matrix is not a square of at most 177 rows of 0 and 1.",
        "二维码矩阵应为由 0 和 1 组成、不超过 177 行的方阵。",
    ),
    "pdf_not_rendered": ("The document could not be rendered.", "文档无法生成。"),
    "seal_picture_unusable": (
        "The seal's picture must be a PNG of 8 bits a sample, no palette, at most {limit} pixels a side.",
        "印章图像应为每样本 8 位、无调色板、边长不超过 {limit} 像素的 PNG 文件。",
    ),
    "seal_place_unusable": ("The seal's place is not on a page.", "印章位置不在页面之内。"),
    "pdf_signed_already": (
        "The PDF is signed already; another signature would break that one. Sign the file as it was before.",
        "该 PDF 已签章，再次签章会使原签章失效。请使用签章前的文件。",
    ),
    "pdf_not_sealable": (
        "The PDF is damaged, encrypted or packed as cannot be signed here. Export it again, as PDF 1.4 or PDF/A-1.",
        "该 PDF 已损坏、已加密或压缩方式不支持签章。请在编写该文件的程序中重新导出为 PDF 1.4 或 PDF/A-1。",
    ),
    "pdf_page_in_use": (
        "The PDF has a form, or notes on its first page. Print it into a new PDF, or export it without them.",
        "该 PDF 含有表单，或首页有批注。请打印为新的 PDF，或去除后重新导出，再签章。",
    ),
    "pdf_signature_long": (
        "The signature is longer than the room kept for it. Shorten the certificate chain.",
        "签名超出预留空间。请精简证书链。",
    ),
    "pdf_text_unusable": ("The text for `{where}` is not Unicode text.", "`{where}`的文字不是有效的 Unicode 文本。"),
    # Reading.
    "pdf_not_pdf": ("The file is not a PDF.", "文件不是 PDF。"),
    "pdf_no_end": (
        "The PDF does not end with its end mark: it was cut short, or bytes were added.",
        "PDF 未以结束标记结尾：文件被截断或被追加内容。",
    ),
    "pdf_encrypted": (
        "The PDF is encrypted. Ask for the document as it was issued.",
        "PDF 已加密。请索取原始签发的文件。",
    ),
    "pdf_invalid": ("The PDF is damaged ({detail}).", "PDF 已损坏（{detail}）。"),
    "pdf_duplicate_key": ("A dictionary of the PDF states `{key}` twice.", "PDF 字典中`{key}`重复。"),
    "pdf_not_signed": ("The PDF holds no signature.", "PDF 没有签名。"),
    "pdf_too_many_signatures": ("The PDF holds more than {limit} signatures.", "PDF 的签名超过 {limit} 个。"),
    "pdf_signature_form": (
        "A signature of the PDF is of a form that cannot be judged (`{detail}`).",
        "PDF 签名的格式无法判定（`{detail}`）。",
    ),
    "pdf_byte_range": (
        "A signature of the PDF does not cover the whole file but its own value.",
        "PDF 签名未覆盖除签名值以外的整个文件。",
    ),
    "pdf_changed_after_signing": (
        "The PDF was changed after it was signed ({detail}).",
        "PDF 在签名之后被修改（{detail}）。",
    ),
    # Long-term forms.
    "pdf_level_reached": (
        "The PDF is at level {level} already; nothing was added.",
        "该 PDF 已达到 {level} 级，未追加任何内容。",
    ),
    "pdf_level_missing": (
        "The PDF is not at level {level} yet. Raise it to that level first.",
        "该 PDF 尚未达到 {level} 级，请先补足该级内容。",
    ),
    "pdf_no_room": (
        "The time stamp is {needed} bytes too long for the room left. Seal with more room.",
        "预留空间不足，时间戳多出 {needed} 字节。请在签章时预留更多空间。",
    ),
    "pdf_material_incomplete": (
        "No current revocation list says anything about `{subject}`. Fetch its issuer's list, then try again.",
        "没有现行的证书撤销列表涉及`{subject}`。请取得其签发机构的列表后重试。",
    ),
    "pdf_archive_late": (
        "The certificate of the newest time stamp ended at {limit}; it can no longer be renewed.",
        "最近一枚时间戳的证书已于 {limit} 到期，无法再续。",
    ),
    "pdf_extra_missing": (
        "Long-term documents need the extra `documents`: pip install 'zhengtong[documents]'.",
        "制作长期文档需安装附加组件 documents：pip install 'zhengtong[documents]'。",
    ),
    # Time stamps (RFC 3161).
    "timestamp_refused": (
        "The time-stamping authority refused the request (status {status}).",
        "时间戳机构拒绝了请求（状态 {status}）。",
    ),
    "timestamp_request_invalid": (
        "The time stamp request is not one this authority answers.",
        "时间戳请求不是本机构可受理的请求。",
    ),
    "timestamp_imprint_differs": ("The time stamp is of something else.", "时间戳所对应的内容不一致。"),
    "timestamp_nonce_differs": (
        "The time stamp answers another request: its nonce differs.",
        "时间戳对应的是另一请求：随机数不一致。",
    ),
    "timestamp_policy_not_allowed": (
        "The time stamp was issued under policy {policy}, which is not allowed.",
        "时间戳的签发策略 {policy} 不被允许。",
    ),
    "timestamp_certificate_purpose": (
        "The time stamp's certificate is not for time stamping alone.",
        "时间戳证书的用途不是专用于时间戳。",
    ),
    "timestamp_name_differs": (
        "The time stamp names another authority than its certificate.",
        "时间戳所称机构与其证书不一致。",
    ),
}
