"""What a call may come to instead of an answer, by what the caller does next.

HubError
├── ProfileError              mend the profile, or the key file that it names
├── ClientSettingError        mend what the client was made with: address, key, name of a call
├── HubUnreachableError       see whether the hub runs, then try again; `lost`: it may have answered
│   └── HubCertificateError   mend address, clock or the trusted certificates; the same try fails again
├── BatchNotReadyError        the order came to nothing, or takes longer than was waited
├── AnswerRefusedError        (hub.errors) do not use what came
└── CallFailedError           the hub said, verifiably, why it does not answer
    ├── CallDeniedError       apply for a grant, or mend the purpose
    ├── CallKeyRefusedError   mend the key, the signature or the clock
    ├── CallInvalidError      mend the request
    └── CallUnavailableError  try again after `retry_after_s`
"""

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
    """No answer came from the hub: see whether it runs, then try again.

    *lost*: the request had been sent, so that the hub may have answered it, and counted and recorded that.
    """

    code: ClassVar[str] = "hub_unreachable"
    en: ClassVar[str] = "`{url}` does not answer: {why}. See whether the address is right and the hub runs; try again."
    zh: ClassVar[str] = "`{url}` 没有应答：{why_zh}。请确认地址无误、平台正在运行，然后重试。"
    lost: bool = False


class HubCertificateError(HubUnreachableError):
    """The TLS certificate of the address does not hold, so nothing was sent."""

    code: ClassVar[str] = "hub_certificate"
    en: ClassVar[str] = (
        "The TLS certificate of `{url}` does not hold: {why}. See whether address and clock are right; where the hub's "
        "certificate is of an authority of your own, name its file as `ca` in the profile."
    )
    zh: ClassVar[str] = (
        "`{url}` 的 TLS 证书无效：{why_zh}。请确认地址和本机时钟无误；若平台证书由自建机构签发，"
        "请在配置中以 `ca` 指明该机构的证书文件。"
    )


class BatchNotReadyError(HubError):
    """The files of a batch that was waited for are not there: see `under_way`."""

    code: ClassVar[str] = "batch_not_ready"
    en: ClassVar[str] = "Batch `{batch}` has no files: it is {state}. {why}"
    zh: ClassVar[str] = "批量任务 `{batch}` 没有可下载的文件，当前状态为 {state}。{why}"

    @property
    def under_way(self) -> bool:
        """Whether they may still come."""
        return self.params["state"] in ("ordered", "running")


class ClientSettingError(HubError):
    """What the client was made with cannot be used; *what* is the parameter."""

    code: ClassVar[str] = "client_setting"
    en: ClassVar[str] = "`{what}`: {why}."
    zh: ClassVar[str] = "`{what}`：{why_zh}。"


class ProfileError(HubError):
    """The profile of a client is missing or incomplete: mend the file."""

    code: ClassVar[str] = "client_profile"
    en: ClassVar[str] = "Profile `{name}` of `{path}`: {why}."
    zh: ClassVar[str] = "`{path}` 中的配置 `{name}`：{why_zh}。"
