"""What is said where a seal cannot be requested, used or found; what the pure parts say is passed on in their words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hub.errors import CaseConflictError, CaseUnknownError, RoleMissingError, WorkError
from licence.errors import CodedError, LicenceError, SealStateError

if TYPE_CHECKING:
    from collections.abc import Iterator


class SealUnknownError(CaseUnknownError):
    """There is no such seal, signer or approval."""

    code = "seal_unknown"
    en = "There is no such seal, signer or approval: `{what}`."
    zh = "没有此印章、签名人或审批：`{what}`。"


class NoSealForError(CaseUnknownError):
    """No seal of the department may be used by the hub for this kind now."""

    code = "seal_none_for_kind"
    en = "No licence-issuing seal of `{department}` is authorised for kind `{kind}` now. Its custodian can do so."
    zh = "`{department}` 目前没有授权自动用于 `{kind}` 的证照专用章。请由印章保管人授权。"


class SealStateRefusedError(CaseConflictError):
    """The state of the seal, signer or approval does not allow it."""

    code = "seal_state"
    en = "{why}"
    zh = "{why_zh}"


class SealOutdatedError(SealStateRefusedError):
    """The keeper's key was changed; the seal needs a next version, which names the new one."""

    code = "seal_outdated"
    en = (
        "The key of its keeper was changed since seal `{seal}` was made. Ask for its next version: "
        "`zhengtong seal transfer {seal} {custodian}`; another person approves it."
    )
    zh = (
        "印章 `{seal}` 制作后其保管人密钥已更换。请申请新版本："
        "`zhengtong seal transfer {seal} {custodian}`，由另一人核准。"
    )


class SealNotYoursError(RoleMissingError):
    """Another person, department or post must do this."""

    code = "seal_not_yours"
    en = "{why}"
    zh = "{why_zh}"


class SealOrderError(WorkError):
    """The request must be mended; the words are those of the pure parts."""

    code = "seal_refused"
    en = "{why}"
    zh = "{why_zh}"


class SignerLockedError(SealStateRefusedError):
    """Too many wrong proofs; a new key, with a new PIN, ends it."""

    code = "seal_signer_locked"
    en = "This signer is locked after too many wrong proofs. Register a new key with a new PIN."
    zh = "该签名人因多次验证失败已锁定。请重新登记密钥并设置新的 PIN 码。"


class ProofRefusedError(SealNotYoursError):
    """The PIN or the one-time password is wrong; which of the two is not told. The failure is kept."""

    code = "seal_proof_wrong"
    en = "The PIN or the one-time password is not right. Attempts left: {left}."
    zh = "PIN 码或一次性口令不正确；还可尝试 {left} 次。"


_NOT_YOURS: Final = frozenset(
    {"seal_not_its_custodian", "seal_second_person", "seal_approval_other_person", "seal_custodian_not_listed"}
)
_CONFLICTS: Final = frozenset({"seal_approval_not_open", "seal_approval_ended", "seal_expired", "seal_not_yet_valid"})


@contextmanager
def told() -> Iterator[None]:
    """Say what `licence` refuses as an error of a use case.

    Raises:
        SealStateRefusedError, SealNotYoursError, SealOrderError: by what the caller does next.
    """
    try:
        yield
    except SealStateError as error:
        raise SealStateRefusedError(**_words(error)) from error
    except CodedError as error:
        if error.code in _NOT_YOURS:
            raise SealNotYoursError(**_words(error)) from error
        if error.code in _CONFLICTS:
            raise SealStateRefusedError(**_words(error)) from error
        raise SealOrderError(**_words(error)) from error


def _words(error: LicenceError) -> dict[str, str]:
    return {"why": error.text("en"), "why_zh": error.text("zh")}
