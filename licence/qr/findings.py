"""The coded findings of QR codes in English and Chinese, merged into `licence.findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

QR_FINDINGS: Mapping[str, tuple[str, str]] = {
    "base45_invalid": (
        "The QR code is not canonical base45. Scan it again.",
        "二维码不是规范的 base45 编码。请重新扫描。",
    ),
    "cbor_invalid": (
        "The content of the QR code is not deterministic CBOR ({problem}).",
        "二维码内容不是确定性 CBOR 编码（{problem}）。",
    ),
    "cose_invalid": (
        "The content of the QR code is not a COSE signature of the known form ({problem}).",
        "二维码内容不是已知形式的 COSE 签名（{problem}）。",
    ),
    "cose_no_algorithm": (
        "COSE has no number for suite `{suite}`. Sign codes with a P-256 or Ed25519 key.",
        "COSE 未为签名套件`{suite}`分配编号。请使用 P-256 或 Ed25519 密钥签发二维码。",
    ),
    "code_not_ours": ("The QR code is no licence code (`ZT1:`).", "该二维码不是证照码（`ZT1:`）。"),
    "code_face_invalid": (
        "The short face in the QR code is not of the known form: {part}.",
        "二维码中的证照摘要格式有误：{part}。",
    ),
    "code_signer_unknown": (
        "The signer of the QR code (key id {kid}) is not among those trusted. Fetch the trust list again.",
        "二维码的签名者（密钥标识 {kid}）不在受信之列。请更新信任列表。",
    ),
    "code_holder_missing": ("A licence code names its holder and the holder's code.", "证照码须载明持证主体及其代码。"),
    "code_too_long": (
        "The licence does not fit a code of {limit} characters. Use the bundle or a one-time code.",
        "证照摘要超出证照码 {limit} 个字符的限度。请改用证照数据包或动态码。",
    ),
    "once_randomness": (
        "A one-time code takes {size} fresh random bytes.",
        "动态码需要 {size} 字节全新的随机数。",
    ),
    "once_repeated": (
        "These random bytes were used before. The source of randomness is broken: call a person.",
        "该随机数此前已用过，随机源有故障，请联系管理人员。",
    ),
    "once_malformed": ("This is no one-time code.", "这不是动态码。"),
    "once_unknown": (
        "The one-time code is not known here. Ask the holder to show a new one.",
        "该动态码不存在。请持证人出示新的动态码。",
    ),
    "once_spent": (
        "The one-time code was used already. Ask the holder to show a new one.",
        "该动态码已被使用。请持证人出示新的动态码。",
    ),
    "once_expired": (
        "The one-time code ran out at {limit}. Ask the holder to show a new one.",
        "该动态码已于 {limit} 过期。请持证人出示新的动态码。",
    ),
}
