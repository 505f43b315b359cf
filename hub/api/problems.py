"""Says errors over HTTP: status codes, and problem details (RFC 9457) in the reader's language.

What went wrong is said by the error itself; no problem carries personal data.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hub import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.invocation import RefusedError

MEDIA_TYPE = "application/problem+json"

# The first class that fits counts, so that special ones stand before their bases.
STATUS: tuple[tuple[type[errors.HubError], int], ...] = (
    (errors.KeyRefusedError, 401),
    (errors.DeniedError, 403),
    (errors.NotFoundError, 404),
    (errors.RequestTooLargeError, 413),
    (errors.MediaTypeError, 415),
    (errors.MalformedRequestError, 400),
    (errors.DigestMismatchError, 400),
    (errors.RequestError, 422),
    (errors.TryAgainError, 503),
    (errors.SetupError, 503),
    (errors.HubError, 500),
)

TITLES: dict[int, tuple[str, str]] = {
    400: ("The request cannot be read", "请求无法解析"),
    401: ("No valid caller key", "调用密钥无效"),
    403: ("The call was denied", "调用被拒绝"),
    404: ("Not found", "未找到"),
    405: ("This address does not take this method", "此地址不支持该方法"),
    413: ("The request is too large", "请求过大"),
    415: ("The body is not declared as JSON", "请求体类型不支持"),
    422: ("The request must be mended", "请求内容有误"),
    500: ("The hub failed", "平台内部错误"),
    503: ("The hub cannot answer now", "平台暂时无法应答"),
}

_INTERNAL = {
    "en": "The hub failed; nothing was answered. Try again, and report it if it happens again.",
    "zh": "平台内部错误，未作应答。请重试；如再次发生，请报告。",
}
_RANGE = re.compile(r"(?P<tag>\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*q=(?P<q>[01](?:\.[0-9]{0,3})?))?")
MAX_LANGUAGE_CHARS = 200


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


def status_of(error: errors.HubError) -> int:
    """The HTTP status that says *error*."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def problem(error: errors.HubError, lang: str, *, refused: RefusedError | None = None) -> dict[str, Any]:
    """The problem details of *error*; a denial carries its reasons, a recorded refusal its receipt."""
    status = status_of(error)
    plain = _plain(status, error.code, error.text(lang), lang)
    if isinstance(error, errors.DeniedError):
        plain["reasons"] = [{"code": reason.code, "text": reason.text(lang)} for reason in error.reasons]
    if refused is not None:
        plain["receipt"] = refused.receipt.plain()
    return plain


def plain_problem(status: int, lang: str) -> dict[str, Any]:
    """Problem details where there is no error of ours: an unknown address, a wrong method, an internal fault."""
    english, chinese = TITLES.get(status, TITLES[500])
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "internal")
    detail = _INTERNAL[lang] if code == "internal" else chinese if lang == "zh" else english
    return _plain(status, code, detail, lang)


def headers_of(error: errors.HubError) -> dict[str, str]:
    """The fields that go with *error*: how to authenticate, when to try again."""
    if isinstance(error, errors.KeyRefusedError):
        return {"www-authenticate": 'Bearer realm="zhengtong", error="invalid_token"'}
    if isinstance(error, errors.TryAgainError):
        return {"retry-after": str(error.retry_after_s)}
    return {"retry-after": "60"} if isinstance(error, errors.SetupError) else {}


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
        "detail": detail,
    }


def known_problems() -> dict[str, dict[str, Any]]:
    """Every problem this API may answer with, by code, in both languages, templates unfilled."""
    found: dict[str, dict[str, Any]] = {}
    pending: list[type[errors.HubError]] = [errors.HubError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        if kind.__module__ != errors.__name__:
            continue
        status = next(number for base, number in STATUS if issubclass(kind, base))
        found[kind.code] = {"code": kind.code, "status": status, "en": kind.en, "zh": kind.zh}
    return found
