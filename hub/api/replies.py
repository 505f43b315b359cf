"""Turns answers and errors into signed HTTP responses, and requests into what a signature covers.

The signature scheme is `hub.signatures`'; what an error says, `hub.api.problems`'.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastapi import Response as HttpResponse
from starlette.requests import ClientDisconnect

from hub.api import problems
from hub.errors import (
    BodyTooSlowError,
    DigestMismatchError,
    MediaTypeError,
    RequestError,
    RequestTooLargeError,
)
from hub.invocation import RefusedError
from hub.requests import MAX_BODY_BYTES
from hub.signatures import (
    AnswerSigner,
    Component,
    Request,
    Response,
    SignatureInvalidError,
    check_digest,
    content_digest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fastapi import Request as HttpRequest

    from hub.receipts import Receipt

RECEIPT = "zhengtong-receipt"
JSON = "application/json"
COVERED = (
    Component("@status"),
    Component("content-digest"),
    Component("content-type"),
    Component("@method", req=True),
    Component("@path", req=True),
)
COVERED_RECEIPT = Component(RECEIPT)
COVERED_REQUEST_BODY = Component("content-digest", req=True)
BODY_WAIT_S: Final = 10.0


def receipt_field(receipt: Receipt) -> str:
    """The receipt header, a dictionary (RFC 9651 §3.2)."""
    return f'entry={receipt.index}, log="{receipt.origin}"'


def reply(
    request: HttpRequest,
    signer: AnswerSigner,
    now: datetime,
    *,
    status: int,
    plain: Mapping[str, Any],
    receipt: Receipt | None = None,
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """A signed JSON response to *request*.

    Covered are status, type and digest of the response, its receipt, and method, path and (where the caller sent
    a Content-Digest) body of the request, so that an answer cannot be passed off as one to another question.
    """
    body = problems.encode(plain)
    fields = {"content-digest": content_digest(body), "content-type": media_type}
    components = list(COVERED)
    if receipt is not None:
        fields[RECEIPT] = receipt_field(receipt)
        components.append(COVERED_RECEIPT)
    asked = as_signed(request)
    if "content-digest" in asked.fields:
        components.append(COVERED_REQUEST_BODY)
    fields.update(signer.sign(Response(status, fields, asked), components, now))
    # The media type is set as a header: the framework would add a charset to it after signing.
    fields.update({"cache-control": "no-store", "x-content-type-options": "nosniff", "vary": "Accept-Language"})
    fields.update(headers or {})
    return HttpResponse(content=body, status_code=status, headers=fields)


def refuse(
    request: HttpRequest, signer: AnswerSigner, now: datetime, error: problems.Known | RefusedError
) -> HttpResponse:
    """A signed problem for *error*."""
    refused = error if isinstance(error, RefusedError) else None
    cause = error.cause if isinstance(error, RefusedError) else error
    lang = problems.language(request.headers.get("accept-language"))
    return reply(
        request,
        signer,
        now,
        status=problems.status_of(cause),
        plain=problems.problem(cause, lang, refused=refused),
        receipt=refused.receipt if refused else None,
        media_type=problems.MEDIA_TYPE,
        headers={**problems.headers_of(cause), "content-language": "zh-CN" if lang == "zh" else "en"},
    )


def as_signed(request: HttpRequest) -> Request:
    """What a signature covers of *request*: the path as it was sent, without its query."""
    raw = request.scope.get("raw_path") or request.url.path.encode()
    fields = {}
    digest = ", ".join(request.headers.getlist("content-digest"))
    # No signature covers what is not ASCII (RFC 9421 §2.1), and no digest has any of it.
    if digest and digest.isascii():
        fields["content-digest"] = digest
    return Request(request.method, raw.split(b"?")[0].decode("ascii", "replace"), fields)


async def read_body(request: HttpRequest) -> bytes | RequestError:
    """The body of *request*, or the error for which it is not accepted; never more than the limit is kept.

    Raises:
        BodyTooSlowError: it did not arrive.
    """
    try:
        body = await receive(request, MAX_BODY_BYTES, BODY_WAIT_S)
    except RequestTooLargeError as error:
        return error
    media = request.headers.get("content-type", "").lower().replace(" ", "")
    if media not in (JSON, f"{JSON};charset=utf-8") or "content-encoding" in request.headers:
        return MediaTypeError()
    return DigestMismatchError() if misfits(request, body) else body


async def receive(request: HttpRequest, most_bytes: int, wait_s: float) -> bytes:
    """The bytes of the body, whatever they are. They are kept at the request, for whoever checks what signs them.

    Raises:
        RequestTooLargeError: there are more than *most_bytes*; this is kept in their place.
        BodyTooSlowError: they did not arrive within *wait_s*, or their sender has gone.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(wait_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    error = RequestTooLargeError(limit_bytes=most_bytes)
                    request.state.body = error
                    raise error
    except (TimeoutError, ClientDisconnect) as late:
        raise BodyTooSlowError from late
    request.state.body = bytes(body)
    return bytes(body)


def received(request: HttpRequest) -> bytes | RequestError:
    """What `receive` kept; b"" where the door takes no body, so that one that was signed does not fit."""
    body: bytes | RequestError = getattr(request.state, "body", b"")
    return body


def misfits(request: HttpRequest, body: bytes) -> bool:
    """Whether the request has a Content-Digest (RFC 9530) that is not of *body*."""
    digest = ", ".join(request.headers.getlist("content-digest"))
    try:
        if digest:
            check_digest(digest, body)
    except SignatureInvalidError:
        return True
    return False
