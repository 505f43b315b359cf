"""The errors of `licence`, named by what the caller does next.

It leaves the wording of verification findings to `licence.findings`.

    LicenceError
    ├── IdentifierError            mend the identifier (code names the fault, vendor variants included)
    ├── KindsInvalidError          mend the catalogue of kinds (every fault, with file:line)
    ├── KindsUnreadableError       give another file
    ├── FactsIncompleteError       correct the authoritative record, then issue again
    ├── IssueRefusedError          mend the call: the inputs of issuing contradict each other
    ├── FaceValueError             correct the record or the mapping: a face field cannot be filled
    ├── PersonCodeError            mend the code of the organisation or person (the message does not hold it)
    ├── EventRefusedError          do not retry: the step is not possible, or not by this person (text says what is)
    ├── CopyRefusedError           make or ask for another annotated copy
    ├── MaterialRefusedError       ask the holder for the paper itself, or the department that may reuse it
    ├── SealProofError             count a wrong proof of approval, then ask the person again
    ├── SealStateError             do not retry: the seal's state in the register does not allow it
    ├── SealRefusedError           mend the call: such a seal may not be made, applied, registered or used
    ├── GlyphMissingError          issue with a font that holds the characters
    ├── FontUnusableError          give another font file or face
    ├── TransitionRefusedError     do not retry: the licence's state does not allow it
    ├── NotIssuingDepartmentError  let the issuing department act
    ├── GroundMissingError         give reason and ground
    ├── PassphraseWrongError       ask for the passphrase again
    ├── KeyFileError               give another key file, or mend its mode
    ├── SignerError                who keeps the key did not sign; the code says: try again, or call a person
    ├── Sm2UnavailableError        sign on another machine; if the self-test failed, call the machine's keeper
    ├── CertificationRefusedError  mend the call: the certificate asked for may not be made
    ├── WalletCallError            mend the call: such a message to a wallet may not be made
    ├── WalletRefusedError         answer the wallet with `status` and `body()`; it mends its request
    ├── FormatError                the message is not of the form its standard prescribes; reject it
    ├── TrustEmptyError            pin at least one anchor and one log key
    └── TrustUnreadableError       mend or fetch the trust folder again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from licence.findings import finding_text

if TYPE_CHECKING:
    from licence.model import Fault


class LicenceError(Exception):
    """Base of every error this package raises on purpose."""

    en: ClassVar[str] = "The licence operation failed."
    zh: ClassVar[str] = "证照操作失败。"

    def __init__(self, **params: object) -> None:
        self.params = params
        super().__init__(self.en.format(**params))

    def text(self, lang: str) -> str:
        """The message in *lang* (``zh``, otherwise English)."""
        return (self.zh if lang == "zh" else self.en).format(**self.params)


class CodedError(LicenceError):
    """An error whose message is a coded finding of `licence.findings`."""

    en: ClassVar[str] = "{finding}"
    zh: ClassVar[str] = "{finding}"

    def __init__(self, code: str, **params: object) -> None:
        self.code = code
        self.finding_params = {k: str(v) for k, v in params.items()}
        super().__init__(finding=finding_text(code, self.finding_params, "en"))

    def text(self, lang: str) -> str:
        """The message in *lang* (``zh``, otherwise English); a param ``x_zh`` stands for ``x`` in Chinese."""
        params = self.finding_params
        if lang == "zh":
            params = params | {k.removesuffix("_zh"): v for k, v in params.items() if k.endswith("_zh")}
        return finding_text(self.code, params, lang)


class IdentifierError(CodedError):
    """The text is no licence identifier (电子证照标识); `code` says why, and names known vendor variants."""


class FormatError(CodedError):
    """A credential, status list token, bundle or certificate is not of the prescribed form.

    *sub_indication* is the ETSI EN 319 102-1 sub-indication the fault leads to.
    """

    def __init__(self, code: str, *, sub_indication: str = "FORMAT_FAILURE", **params: object) -> None:
        self.sub_indication = sub_indication
        super().__init__(code, **params)


class WalletCallError(CodedError):
    """A message to a wallet may not be made so."""


class WalletRefusedError(CodedError):
    """A wallet's request is refused; *error* is the protocol's own code."""

    def __init__(self, error: str, code: str, **params: object) -> None:
        self.error = error
        super().__init__(code, **params)

    @property
    def status(self) -> int:
        """The HTTP status that goes with it; with 401 goes ``WWW-Authenticate: Bearer`` (RFC 6750 §3)."""
        return 401 if self.error == "invalid_token" else 400

    def body(self) -> dict[str, str]:
        """The members of the error response (RFC 6749 §5.2, OpenID4VCI 1.0 §8.3.1.2)."""
        return {"error": self.error, "error_description": str(self)}


class KindsInvalidError(LicenceError):
    """The catalogue of kinds has faults; `faults` lists all of them."""

    en: ClassVar[str] = "`{path}` holds {count} fault(s): {first}. Mend them all and load again."
    zh: ClassVar[str] = "`{path}` 有 {count} 处错误：{first}。请全部更正后重新加载。"

    def __init__(self, path: str, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        self.path = path
        super().__init__(path=path, count=len(faults), first="; ".join(f"{f.where} {f.text('en')}" for f in faults[:3]))

    def text(self, lang: str) -> str:
        """Every fault, one to a line, in *lang*."""
        head = super().text(lang)
        return "\n".join([head, *(f"  {f.where}  {f.text(lang)}" for f in self.faults)])


class KindsUnreadableError(LicenceError):
    """The catalogue of kinds cannot be read as YAML at all."""

    en: ClassVar[str] = "`{path}` cannot be read as a YAML catalogue of licence kinds ({detail}). Give another file."
    zh: ClassVar[str] = "`{path}` 无法作为 YAML 证照类型目录读取（{detail}）。请更换文件。"


class FactsIncompleteError(LicenceError):
    """The authoritative record lacks what the face of the licence requires."""

    en: ClassVar[str] = (
        "A licence of kind `{kind}` needs field(s) {fields} and the record leaves them empty. Correct the record first."
    )
    zh: ClassVar[str] = "签发`{kind}`需要信息项 {fields}，权威记录中为空。请先更正该记录。"


class IssueRefusedError(CodedError):
    """The inputs of issuing contradict each other."""


class FaceValueError(CodedError):
    """A field on the face of a licence cannot be filled with what is given."""


class PersonCodeError(CodedError):
    """The text is no unified social credit code, organisation code or citizen identity number."""


class EventRefusedError(CodedError):
    """A step of a dossier is not possible here and now, or not by this unit or person."""


class CopyRefusedError(CodedError):
    """An annotated copy (加注件) may not be made so, or does not serve the purpose at hand."""


class MaterialRefusedError(CodedError):
    """An e-material may not be taken in so, or may not be reused here."""


class SealProofError(CodedError):
    """What a person gave to approve a cloud signature proves nothing."""

    def __init__(self) -> None:
        super().__init__("seal_proof_wrong")


class SealStateError(LicenceError):
    """The state of the seal in the register does not allow the action."""

    en: ClassVar[str] = "A seal that is {state_en} cannot be {action_en}. Only {allowed_en} is possible now."
    zh: ClassVar[str] = "状态为“{state_zh}”的印章不能{action_zh}。目前只能：{allowed_zh}。"


class SealRefusedError(CodedError):
    """A seal may not be made, applied, registered or used so; `code` says why."""


class GlyphMissingError(CodedError):
    """The font lacks a character of the document; the message names code points only."""


class FontUnusableError(CodedError):
    """The font file or face cannot be used for documents."""


class TransitionRefusedError(LicenceError):
    """The state of the licence does not allow the action."""

    en: ClassVar[str] = "A licence in state {state_en} cannot be {action_en}. Only {allowed_en} is possible now."
    zh: ClassVar[str] = "状态为“{state_zh}”的证照不能{action_zh}。目前只能：{allowed_zh}。"


class NotIssuingDepartmentError(LicenceError):
    """Somebody else than the issuing department acts."""

    en: ClassVar[str] = "Department `{by}` did not issue this licence. Only `{issuer}` may change its state."
    zh: ClassVar[str] = "部门`{by}`不是该证照的颁发机构。只有`{issuer}`可以变更其状态。"


class GroundMissingError(LicenceError):
    """A change of state without reason or ground."""

    en: ClassVar[str] = "To be {action_en}, a licence needs {missing}. State it."
    zh: ClassVar[str] = "{action_zh}证照必须写明{missing_zh}。请补充。"


class PassphraseWrongError(LicenceError):
    """The passphrase does not open the key file."""

    en: ClassVar[str] = "The passphrase does not open `{path}`. Give the one it was written with."
    zh: ClassVar[str] = "口令无法打开`{path}`。请提供写入时所用的口令。"


class KeyFileError(CodedError):
    """The key file is not usable as it is."""


class SignerError(CodedError):
    """A token or sealing server that keeps a key did not sign; nothing was signed that counts."""


class Sm2UnavailableError(CodedError):
    """This machine cannot compute SM2, or computes it wrongly; trying again does not help."""


class CertificationRefusedError(CodedError):
    """The demonstration authority does not make such a certificate."""


class TrustEmptyError(LicenceError):
    """A trust store without anchors or without log keys verifies nothing."""

    en: ClassVar[str] = "The trust store holds no {what}. Pin at least one; trust is never read from a licence."
    zh: ClassVar[str] = "信任库中没有{what_zh}。请至少固定一项；信任绝不取自证照本身。"


class TrustUnreadableError(LicenceError):
    """The trust folder is damaged or incomplete."""

    en: ClassVar[str] = "The trust store at `{path}` cannot be read ({detail}). Fetch it again from its publisher."
    zh: ClassVar[str] = "无法读取信任库`{path}`（{detail}）。请从发布方重新获取。"
