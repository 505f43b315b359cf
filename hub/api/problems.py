"""Says errors over HTTP: status codes, and problem details (RFC 9457) in the reader's language.

What went wrong is said by the error itself; no problem carries personal data.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from catalog import steps
from catalog.reasons import remedy
from hub import again, errors
from hub.api import licence_refusals
from hub.batches import errors as batches_errors
from hub.changes import errors as changes_errors
from hub.licensing import document_errors
from hub.licensing import errors as licensing_errors
from hub.people import errors as people_errors
from hub.signing.errors import SigningError
from hub.signing.requests import TAG
from hub.webhooks import errors as webhooks_errors
from licence.errors import LicenceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.invocation import RefusedError

MEDIA_TYPE = "application/problem+json"


class RequestUnreadableError(errors.RequestError):
    """What was sent is no request: the server that reads it could not."""

    code = "request_unreadable"
    en = "This is no HTTP request that can be read: its first line or a header field is not well formed."
    zh = "无法读取该 HTTP 请求：请求行或标头格式有误。"


# The first class that fits counts, so that special ones stand before their bases.
Known = errors.HubError | steps.CaseError | LicenceError
STATUS: tuple[tuple[type[Known], int], ...] = (
    (errors.KeyRefusedError, 401),
    (errors.DeniedError, 403),
    (errors.NotFoundError, 404),
    (errors.RequestTooLargeError, 413),
    (errors.MediaTypeError, 415),
    (errors.MalformedRequestError, 400),
    (errors.DigestMismatchError, 400),
    (RequestUnreadableError, 400),
    (changes_errors.CursorLapsedError, 410),
    (again.AnswerGoneForGoodError, 410),
    (errors.RequestError, 422),
    (errors.TryAgainError, 503),
    (errors.SetupError, 503),
    (errors.RoleMissingError, 403),
    (errors.CaseUnknownError, 404),
    (errors.VersionUnknownError, 404),
    (errors.CaseConflictError, 409),
    (errors.ListSupersededError, 409),
    (errors.LoadPausedError, 409),
    (errors.DriftUnknownError, 404),
    (batches_errors.BatchStateError, 409),
    (batches_errors.BatchClosedError, 403),
    (errors.NothingRejectedError, 404),
    (webhooks_errors.HookUnknownError, 404),
    (webhooks_errors.HookStateError, 409),
    (errors.WorkError, 422),
    (errors.GrantUnknownError, 404),
    (errors.CallerUnknownError, 404),
    (errors.GrantError, 422),
    (errors.QuotaExhaustedError, 429),
    (errors.TooFastError, 429),
    (people_errors.SignInRefusedError, 403),
    (people_errors.CodeRefusedError, 403),
    (people_errors.SignInWaitsError, 429),
    (people_errors.SignOnDeclinedError, 403),
    (people_errors.SignOnStaleError, 403),
    (people_errors.SignOnForgedError, 403),
    (people_errors.SignOnUnknownError, 403),
    (people_errors.SignOnUnreachableError, 503),
    (errors.KindUnknownError, 404),
    (errors.LicenceUnknownError, 404),
    (errors.LicenceExistsError, 409),
    (errors.NoIssuingGrantError, 403),
    (document_errors.CopyUnknownError, 404),
    (document_errors.CopyEndedError, 409),
    (document_errors.NotInForceError, 409),
    (document_errors.CopyWidensError, 403),
    (document_errors.CodeNotYoursError, 403),
    (licensing_errors.LicencePendingError, 409),
    (licensing_errors.OtherHolderError, 409),
    (licensing_errors.ApprovalMissingError, 403),
    (licensing_errors.SecondOfficerError, 403),
    # What is kept is not what was written: a person mends it, and until then nothing can be handed out.
    (document_errors.DocumentDriftedError, 503),
    (document_errors.SealNotRepeatableError, 503),
    (licensing_errors.StoreDamagedError, 503),
    (errors.LicensingError, 422),
    (errors.HubError, 500),
    (steps.StepNotAllowedError, 409),
    (steps.NotYoursError, 403),
    (steps.SameHandsError, 403),
    (steps.CaseError, 422),
    *licence_refusals.REFUSALS,
    (LicenceError, 500),
)

TITLES: dict[int, tuple[str, str]] = {
    400: ("The request cannot be read", "请求无法解析"),
    401: ("Who asks is not known", "调用方身份未获确认"),
    403: ("The call was denied", "调用被拒绝"),
    404: ("Not found", "未找到"),
    405: ("This address does not take this method", "此地址不支持该方法"),
    409: ("The case has moved on", "事项状态已变动"),
    410: ("Not kept any more", "已不再保存"),
    413: ("The request is too large", "请求过大"),
    415: ("The body is not declared as JSON", "请求体类型不支持"),
    422: ("The request must be mended", "请求内容有误"),
    429: ("Too many calls", "调用过多"),
    500: ("The hub failed", "平台内部错误"),
    503: ("The hub cannot answer now", "平台暂时无法应答"),
}

# Ways to say who asks (RFC 9110 §11.6.1), the one that was tried first. No scheme is registered for the signatures of
# RFC 9421; it is called by their field, and `tag` is the one that they bear.
_BEARER = 'Bearer realm="zhengtong"'
_SIGNATURE = f'Signature realm="zhengtong", tag="{TAG}"'

# Features have errors of their own beside those of `hub.errors`; what only a client raises is no problem of the API.
_OWN = ("hub.", "catalog.steps")
_CLIENTS = frozenset({"hub.client.errors", "hub.demo.errors"})
_INTERNAL = {
    "en": "The hub failed; nothing was answered. Try again, and report it if it happens again.",
    "zh": "平台内部错误，未作应答。请重试；如再次发生，请报告。",
}
_RANGE = re.compile(r"(?P<tag>\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*q=(?P<q>[01](?:\.[0-9]{0,3})?))?")
MAX_LANGUAGE_CHARS = 200
# Identity, phone and card numbers, which callers put into the wrong place and no problem says back. Digits within a
# digest or an identifier are none.
_PERSONAL = re.compile(r"(?<![0-9A-Za-z])(?:1[3-9][0-9]{9}|[0-9]{17}[0-9Xx]|[0-9]{16}|[0-9]{19})(?![0-9A-Za-z])")


def language(accept: str | None) -> str:
    """``zh`` or ``en``, whichever *accept* (RFC 9110 §12.5.4) prefers; ``zh`` where it says nothing of either."""
    best, weight = "zh", 0.0
    for part in (accept or "")[:MAX_LANGUAGE_CHARS].split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            continue
        tag = found["tag"].split("-")[0].lower()
        quality = float(found["q"]) if found["q"] else 1.0
        if tag in ("zh", "en") and quality > weight:
            best, weight = tag, quality
    return best


def status_of(error: Known) -> int:
    """The HTTP status that says *error*."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def code_of(error: Known) -> str:
    """The code that says *error*."""
    return licence_refusals.code_of(error) if isinstance(error, LicenceError) else error.code


def problem(error: Known, lang: str, *, refused: RefusedError | None = None) -> dict[str, Any]:
    """The problem details of *error*; a denial carries its reasons, a recorded refusal its receipt."""
    status = status_of(error)
    plain = _plain(status, code_of(error), error.text(lang), lang)
    if isinstance(error, errors.DeniedError):
        plain["reasons"] = [
            {"code": reason.code, "text": unnamed(reason.text(lang)), "remedy": remedy(reason.code)}
            for reason in error.reasons
        ]
    if isinstance(error, steps.CaseInvalidError):
        plain["problems"] = [
            {"where": unnamed(p.where), "code": p.code, "text": unnamed(p.text(lang))} for p in error.problems
        ]
    if refused is not None:
        plain["receipt"] = refused.receipt.plain()
    return plain


def plain_problem(status: int, lang: str) -> dict[str, Any]:
    """Problem details where there is no error of ours: an unknown address, a wrong method, an internal fault."""
    if status == 400:  # noqa: PLR2004 - RFC 9110
        return problem(RequestUnreadableError(), lang)
    english, chinese = TITLES.get(status, TITLES[500])
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "internal")
    detail = _INTERNAL[lang] if code == "internal" else chinese if lang == "zh" else english
    return _plain(status, code, detail, lang)


def headers_of(error: Known) -> dict[str, str]:
    """The fields that go with *error*: how to authenticate, when to try again."""
    if isinstance(error, SigningError):
        return {"www-authenticate": f'{_SIGNATURE}, error="{error.code}", {_BEARER}'}
    if isinstance(error, errors.KeyRefusedError):
        return {"www-authenticate": f'{_BEARER}, error="invalid_token", {_SIGNATURE}'}
    if isinstance(error, errors.QuotaExhaustedError):
        return {
            "retry-after": format_datetime(
                datetime.fromisoformat(str(error.params["resets"])).astimezone(UTC), usegmt=True
            )
        }
    if isinstance(error, errors.TryAgainError | errors.TooFastError):
        return {"retry-after": str(error.retry_after_s)}
    return {"retry-after": "60"} if status_of(error) == 503 else {}  # noqa: PLR2004 - RFC 9110 §15.6.4


def encode(plain: Mapping[str, Any]) -> bytes:
    """The bytes that are sent and signed."""
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(status: int, code: str, detail: str, lang: str) -> dict[str, Any]:
    english, chinese = TITLES[status]
    return {
        # Relative to the API (RFC 9457 §3.1.1); the address explains the problem in both languages.
        "type": f"/v1/problems/{code}",
        "title": chinese if lang == "zh" else english,
        "status": status,
        "code": code,
        "detail": unnamed(detail),
    }


def unnamed(text: str) -> str:
    """*text* without what may be a person's number: whatever was said, it is quoted back to nobody."""
    return _PERSONAL.sub("…", text)


def known_problems() -> dict[str, dict[str, Any]]:
    """Every problem this API may answer with, by code, in both languages, templates unfilled.

    The findings of `licence.findings`, which are hundreds, are `licence_refusals.finding`'s.
    """
    found: dict[str, dict[str, Any]] = {}
    pending: list[type[errors.HubError | steps.CaseError]] = [errors.HubError, steps.CaseError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        if not kind.__module__.startswith(_OWN) or kind.__module__ in _CLIENTS:
            continue
        status = next(number for base, number in STATUS if issubclass(kind, base))
        found.setdefault(kind.code, {"code": kind.code, "status": status, "en": kind.en, "zh": kind.zh})
    # Where the hub says the same in its own words, those are meant.
    return licence_refusals.explained() | found
