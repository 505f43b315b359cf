"""What a call may come to instead of an answer, by what the caller does next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping


class CallFailedError(HubError):
    """The hub answered, verifiably, that it does not answer; *problem* is what it said (RFC 9457)."""

    code: ClassVar[str] = "call_failed"
    en: ClassVar[str] = "{detail}"
    zh: ClassVar[str] = "{detail}"

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.problem_code = str(problem.get("code", ""))
        super().__init__(detail=str(problem.get("detail", "")))


class CallDeniedError(CallFailedError):
    """The decision was no: apply for a grant, or mend the purpose. *reasons* are its codes."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes of the decision's reasons."""
        return tuple(str(reason.get("code", "")) for reason in self.problem.get("reasons", ()))


class CallKeyRefusedError(CallFailedError):
    """The caller was not recognised: mend the key, the signature or the clock; *problem_code* says which."""


class CallInvalidError(CallFailedError):
    """The request must be mended."""


class CallUnavailableError(CallFailedError):
    """Nothing was answered: try again after *retry_after_s* seconds."""

    retry_after_s: int = 0


class HubUnreachableError(HubError):
    """No answer at all came from the hub: see whether it runs, then try again."""

    code: ClassVar[str] = "hub_unreachable"
    en: ClassVar[str] = "`{url}` does not answer ({why}). See whether the hub is running, then try again."
    zh: ClassVar[str] = "`{url}` 没有应答（{why}）。请确认平台正在运行后重试。"


class ProfileError(HubError):
    """The profile of a client is missing or incomplete: mend the file."""

    code: ClassVar[str] = "client_profile"
    en: ClassVar[str] = "Profile `{name}` of `{path}`: {why}."
    zh: ClassVar[str] = "`{path}` 中的配置 `{name}`：{why_zh}。"
