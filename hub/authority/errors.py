"""What is said where a key cannot be used, made, changed or revoked; key files' own errors are in `licence.errors`."""

from __future__ import annotations

from hub.errors import SetupError, WorkError


class SigningKeyMissingError(SetupError):
    """No key of this name and suite may sign now."""

    code = "signing_key_missing"
    en = "No key of `{name}` ({suite}) may sign now. Make one: `zhengtong licence keys rotate {name}`."
    zh = "`{name}`（{suite}）目前没有可用于签名的密钥。请生成：`zhengtong licence keys rotate {name}`。"


class SigningKeyEndedError(SetupError):
    """The certificate of the key that is to sign has ended."""

    code = "signing_key_ended"
    en = "The certificate of `{name}` ended on {ends}. Make the next: `zhengtong licence keys rotate {name}`."
    zh = "`{name}` 的证书已于 {ends} 到期。请更换：`zhengtong licence keys rotate {name}`。"


class RootApartError(SetupError):
    """The root's key is not on this machine, as it should be."""

    code = "root_key_apart"
    en = "The key of root `{name}` is kept apart from this machine. Bring its file and give it with --root."
    zh = "根证书 `{name}` 的密钥离线保管。请取来其文件，并用 --root 指定。"


class SignersFileError(SetupError):
    """The file that says who keeps which key is not in order."""

    code = "signers_file_invalid"
    en = "The file of signers `{path}` cannot be used: {why_en}. Mend it."
    zh = "签名者文件 `{path}` 不可用：{why_zh}。请更正。"


class SuiteNotSignedError(SetupError):
    """The suite that licences are to be signed with is none, or not one of this machine."""

    code = "licence_suite_unusable"
    en = "Licences cannot be signed with suite `{suite}` here. Set ZHENGTONG_LICENCE_SUITE to one of: {known}."
    zh = "本机无法使用签名套件 `{suite}` 签发证照。请将 ZHENGTONG_LICENCE_SUITE 设为以下之一：{known}。"


class SecondSuiteUnknownError(SetupError):
    """The suite of second signatures is none."""

    code = "licence_second_unusable"
    en = "There is no second signature by suite `{suite}`. Set ZHENGTONG_LICENCE_SECOND to `off` or one of: {known}."
    zh = "没有可用于第二签名的套件 `{suite}`。请将 ZHENGTONG_LICENCE_SECOND 设为 `off` 或以下之一：{known}。"


class CertificateUnknownError(WorkError):
    """No certificate, role or department has this name."""

    code = "certificate_unknown"
    en = "There is no certificate, role or department `{name}`. `zhengtong licence keys list` lists them."
    zh = "没有名为 `{name}` 的证书、用途或部门。`zhengtong licence keys list` 可列出全部。"


class KeyStepRefusedError(WorkError):
    """A step with keys that is not possible so."""

    code = "key_step_refused"
    en = "{why_en}"
    zh = "{why_zh}"
