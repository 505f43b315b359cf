"""The coded findings of signature suites, keys and revocation lists, in English and Chinese.

They are part of `licence.findings.FINDINGS`; which one applies is decided where the code is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SUITE_FINDINGS: Mapping[str, tuple[str, str]] = {
    # SM2.
    "sm2_key_invalid": (
        "This is no SM2 public key: an uncompressed point of the recommended curve is needed.",
        "不是 SM2 公钥：应为推荐曲线上的未压缩点。",
    ),
    "sm2_private_key_invalid": (
        "This is no encrypted SM2 private key in PKCS#8. Give another one.",
        "不是加密的 PKCS#8 格式 SM2 私钥。请更换。",
    ),
    "sm2_unavailable": (
        (
            "This machine cannot sign with SM2: neither Python's nor the system's libcrypto is OpenSSL 3 with SM2. "
            "Install one, or sign on another machine; verifying works without."
        ),
        (
            "本机无法使用 SM2 签名：Python 与系统的 libcrypto 均非支持 SM2 的 OpenSSL 3。"
            "请安装，或改用其他机器签名；验证不受影响。"
        ),
    ),
    "sm2_self_test_failed": (
        "SM2 did not pass its self-test ({detail}) and is switched off. Do not trust this machine; call its keeper.",
        "SM2 自检未通过（{detail}），已停用。请勿信任本机，并联系运维人员。",
    ),
    # Keys kept elsewhere.
    "signer_unknown": (
        "Nothing installed keeps keys under `{scheme}:`. Install its package, or mend the address of the key.",
        "未安装可使用`{scheme}:`密钥的组件。请安装，或更正密钥地址。",
    ),
    "signer_wrong": (
        "Who keeps the key returned a signature that does not verify; it was thrown away. Call the device's keeper.",
        "密钥保管方返回的签名无法通过验证，已丢弃。请联系设备管理人员。",
    ),
    "signer_uri_wrong": (
        "The address of the key must be `pkcs11:token=…;object=…?module-path=…`.",
        "密钥地址应为`pkcs11:token=…;object=…?module-path=…`。",
    ),
    "signer_gone": (
        "The token did not answer ({detail}) and signed nothing that counts. Plug it in again, then try again.",
        "密码设备无应答（{detail}），未产生有效签名。请重新接入后重试。",
    ),
    "signer_pin": (
        "The token refused the PIN, or has locked it. Do not try again before asking the token's keeper.",
        "密码设备拒绝该 PIN，或 PIN 已锁定。请先联系设备管理人员，勿再重试。",
    ),
    "signer_no_key": (
        "The token holds no such P-256 key, or no longer the same one. Mend the address of the key.",
        "密码设备中没有该 P-256 密钥，或密钥已更换。请更正密钥地址。",
    ),
    "signer_forked": (
        "This process was forked from the one that opened the token. Open the key again in each worker.",
        "本进程由打开密码设备的进程派生。请在每个工作进程中重新打开密钥。",
    ),
    "key_kept_elsewhere": (
        "The key is kept by a token or a server and cannot be written to a file.",
        "密钥由密码设备或签名服务器保管，无法写入文件。",
    ),
    # Second signatures.
    "second_ok": ("The second signature by {suite} holds.", "第二签名（{suite}）有效。"),
    "second_not_judged": (
        "There is a second signature by {suite}; the trust folder pins no key of this issuer to judge it by.",
        "另有第二签名（{suite}）；信任目录未固定该机构的公钥，未予判定。",
    ),
    "second_missing": (
        "The trust policy requires a second signature, and there is none. Ask the issuer for the licence's bundle.",
        "信任策略要求第二签名，而此处没有。请向颁发机构索取带有第二签名的证照数据包。",
    ),
    "second_key_unknown": (
        "The second signature is of a key that is not pinned for {organisation}. Renew the trust folder.",
        "第二签名所用公钥未为 {organisation} 固定。请更新信任目录。",
    ),
    "second_of_other": (
        "The second signature is of a key of another organisation than {organisation}.",
        "第二签名所用公钥属于 {organisation} 以外的机构。",
    ),
    "second_wrong": (
        "The second signature by {suite} does not match the licence.",
        "第二签名（{suite}）与证照内容不符。",
    ),
    # Revocation.
    "crl_not_signable": (
        "This certificate may not sign revocation lists. Use the authority's own key.",
        "该证书不得签发证书撤销列表。请使用证书机构自身的密钥。",
    ),
    "crl_entry_wrong": (
        "Certificate {serial} stands in the revocation list twice, or with a time after the list's own.",
        "证书 {serial} 在撤销列表中重复，或其撤销时间晚于列表签发时间。",
    ),
    "crl_unreadable": ("A revocation list cannot be read ({detail}).", "证书撤销列表无法读取（{detail}）。"),
    "crl_kind_refused": (
        "A delta, indirect or partial revocation list, or a critical extension this verifier does not process.",
        "增量、间接或部分撤销列表，或含有本验证程序不处理的关键扩展。",
    ),
    "crl_of_other_issuer": (
        "The revocation list is another authority's.",
        "撤销列表由其他证书机构签发。",
    ),
    "crl_signer_may_not": (
        "The certificate that signed the revocation list may not sign such lists.",
        "签发撤销列表的证书无此用途。",
    ),
    "too_many_lists": ("More than {limit} revocation lists.", "撤销列表超过 {limit} 份。"),
    "certificate_revoked": (
        "The certificate `{subject}` was revoked on {revoked} ({reason}); nothing proves an earlier signature.",
        "证书`{subject}`已于 {revoked} 撤销（{reason}），且无证据表明签名早于撤销。",
    ),
    "revoked_later": (
        "The certificate `{subject}` was revoked on {revoked} ({reason}), after the signature is proven.",
        "证书`{subject}`于 {revoked} 撤销（{reason}），签名经证实早于撤销。",
    ),
    "revocation_checked": (
        "`{subject}` is not revoked by the list of {as_of}, which runs until {until}, or only as said here.",
        "依据 {as_of} 签发、有效至 {until} 的撤销列表，除此处另有说明外，`{subject}`未被撤销。",
    ),
    "revocation_stale": (
        "The newest revocation list about `{subject}` is of {as_of} and ended on {until}.",
        "关于`{subject}`的最新撤销列表签发于 {as_of}，已于 {until} 过期。",
    ),
    "revocation_unknown": (
        "No revocation list about `{subject}` is at hand.",
        "没有关于`{subject}`的证书撤销列表。",
    ),
    "crl_ignored": ("A revocation list was not used: {why}", "撤销列表未采用：{why}"),
}
