"""The coded findings of wallets and predicates in English and Chinese, merged into `licence.findings`.

The English texts travel to wallets as ``error_description``: printable ASCII without quotation mark and backslash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

WALLET_FINDINGS: Mapping[str, tuple[str, str]] = {
    # Holder keys and key binding.
    "jwk_invalid": (
        "{what}: not a public P-256 or Ed25519 key in the form of RFC 7517.",
        "{what}：不是 RFC 7517 形式的 P-256 或 Ed25519 公钥。",
    ),
    "jwt_not_fresh": (
        "{what}: not made just now by its own times. Check the clock and sign again.",
        "{what}：按其所载时间并非刚刚生成。请校准时钟后重新签名。",
    ),
    "binding_missing": (
        "The presentation does not prove who holds the licence. Present it from the wallet it was issued to.",
        "出示内容未证明持有人身份。请从接收该证照的钱包出示。",
    ),
    "binding_no_key": ("The licence is bound to no holder key.", "该证照未绑定持有人密钥。"),
    "binding_other_verifier": (
        "The presentation was made for another verifier.",
        "该出示内容是为其他验证方生成的。",
    ),
    "binding_other_request": (
        "The presentation answers another request. Ask again.",
        "该出示内容对应其他请求。请重新发起请求。",
    ),
    "binding_other_content": (
        "The presentation's claims are not those the holder agreed to show.",
        "出示的信息项与持有人同意出示的不一致。",
    ),
    # Predicates.
    "predicate_unknown": (
        "`{name}` is no predicate for this kind. Use age_over_N, or valid_on_ and a date field of its face.",
        "`{name}`不是该证照类型可用的证明事项。请用 age_over_N，或 valid_on_ 加照面上的日期项。",
    ),
    "predicate_no_birth_date": (
        "`{name}` needs a birth date and the record gives none. Correct the record first.",
        "`{name}`需要出生日期，权威记录中没有。请先更正该记录。",
    ),
    "predicate_birth_dates_differ": (
        "The record gives two different birth dates. Correct the record first.",
        "权威记录中的出生日期前后不一致。请先更正该记录。",
    ),
    # Issuing to wallets (OpenID4VCI).
    "vci_call_malformed": (
        "The wallet message cannot be made: {part}.",
        "无法生成钱包消息：{part}。",
    ),
    "vci_form_malformed": (
        "The request is not a form with each field once.",
        "请求不是各字段仅出现一次的表单。",
    ),
    "vci_field_missing": ("`{name}` is missing from the request.", "请求缺少`{name}`。"),
    "vci_grant_type": (
        "Only the pre-authorized code flow is offered here.",
        "此处仅支持预授权码流程。",
    ),
    "vci_authorization_details": (
        "authorization_details are not used here. Request the offered credential by its configuration id.",
        "此处不使用 authorization_details。请按凭证配置标识请求。",
    ),
    "vci_code_refused": (
        "The code is unknown, used or expired, or the transaction code is wrong. Ask the issuer for a new offer.",
        "授权码不存在、已使用或已过期，或交易码不正确。请向颁发机构申请新的领取邀请。",
    ),
    "vci_tx_code_missing": ("The offer needs its transaction code.", "该领取邀请需要交易码。"),
    "vci_tx_code_unexpected": ("The offer has no transaction code.", "该领取邀请没有交易码。"),
    "vci_token_refused": (
        "The access token is missing, unknown or expired.",
        "访问令牌缺失、不存在或已过期。",
    ),
    "vci_request_malformed": (
        "The credential request is malformed: {part}.",
        "凭证请求格式有误：{part}。",
    ),
    "vci_configuration_unknown": (
        "The offer does not hold this credential configuration.",
        "领取邀请中没有该凭证配置。",
    ),
    "vci_identifier_unknown": (
        "No credential identifiers were given out. Use credential_configuration_id.",
        "未发放凭证标识。请使用 credential_configuration_id。",
    ),
    "vci_no_encryption": ("Encrypted responses are not offered.", "不提供加密响应。"),
    "vci_proof_invalid": (
        "The key proof is not valid: {part}.",
        "密钥证明无效：{part}。",
    ),
    "vci_nonce_refused": (
        "The c_nonce is unknown, used or expired. Fetch a new one.",
        "c_nonce 不存在、已使用或已过期。请重新获取。",
    ),
    "vci_already_issued": (
        "This offer was already redeemed for this credential. Ask the issuer for a new offer.",
        "该领取邀请已领取过此凭证。请向颁发机构申请新的领取邀请。",
    ),
    "vci_not_in_force": (
        "The licence is no longer in force. Ask the issuer.",
        "该证照已非有效状态。请向颁发机构咨询。",
    ),
    # Asking wallets (OpenID4VP).
    "vp_call_malformed": ("The request for presentation cannot be made: {part}.", "无法生成出示请求：{part}。"),
    "vp_response_malformed": (
        "The wallet's answer is malformed: {part}.",
        "钱包应答格式有误：{part}。",
    ),
    "vp_other_session": ("The wallet's answer belongs to another request.", "钱包应答对应其他请求。"),
    "vp_declined": (
        "The wallet presents nothing. Ask again, or ask for the papers themselves.",
        "钱包未出示任何内容。请重新请求，或查验证照原件。",
    ),
    "vp_not_asked": (
        "The wallet's answer holds what was not asked for ({query}). It was not looked at.",
        "钱包应答包含未请求的内容（{query}），未予查看。",
    ),
    "vp_not_answered": (
        "The wallet's answer lacks what was asked for ({query}).",
        "钱包应答缺少所请求的内容（{query}）。",
    ),
    "vp_other_kind": (
        "The licence presented is of another kind than asked for ({query}).",
        "出示的证照类型与所请求的不符（{query}）。",
    ),
    "vp_value_differs": (
        "The licence presented does not say what is required ({query}: `{claim}`).",
        "出示的证照不符合要求（{query}：`{claim}`）。",
    ),
}
