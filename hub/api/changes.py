"""The change feed over HTTP: one page of what changed for a grant, from a cursor.

What is told, and to whom, is `hub.changes.feed`'s.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response  # noqa: TC002 - the framework reads annotations
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from hub.actors import Role
from hub.api import doors
from hub.api.replies import read_body, reply
from hub.api.schemas import ReceiptShape  # noqa: TC001 - the framework reads annotations
from hub.api.shapes import documented
from hub.changes.cursor import MAX_CURSOR_CHARS
from hub.changes.feed import DEFAULT_LIMIT, MAX_LIMIT, ChangeFeed
from hub.errors import KeyRefusedError, TooFastError
from hub.invocation import RefusedError
from hub.peers import source_of
from hub.requests import MAX_TEXT_CHARS
from hub.webhooks.worker import open_feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from hub.errors import RequestError
    from hub.standing import KnownCaller

_TEXT: Final[dict[str, Any]] = {"type": "string", "maxLength": MAX_TEXT_CHARS}
PURPOSE: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": dict.fromkeys(("matter", "case", "operator", "replaces"), _TEXT),
    "description": "why the caller asks; a matter is needed",
}
FIELDS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "description": "left out: all that are granted",
}
CURSOR: Final[dict[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_CURSOR_CHARS,
    "default": "now",
    "description": "as it was given with the last page; `now`: begin here",
}
_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "purpose": PURPOSE,
        "grant": {**_TEXT, "description": "needed where several of the department's grants allow it"},
        "cursor": CURSOR,
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "fields": FIELDS,
    },
}
_EXAMPLE: Final = {"cursor": "now", "limit": 100, "purpose": {"matter": "SX001"}}
_ASKED: Final[dict[str, Any]] = {
    **doors.KEYED,
    "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY, "example": _EXAMPLE}}},
}


class EventShape(BaseModel):
    """One thing that changed. *record* names the record to this department; *content* is after an insert or update.

    *kind*: insert, update, delete, history (a version was added to the record's past), correction (the provider will
    put *fields*, none: all, right by *until*), recall (*fields* were wrong; see the case).
    """

    id: str
    kind: str
    at: str
    record: str = ""
    key: dict[str, Any] = {}
    content: dict[str, Any] = {}
    case: str = ""
    fields: list[str] = []
    until: str = ""


class ChangesShape(BaseModel):
    """A page. *cursor* is for the next one, which is there at once if *more*; *rows*: the rules of the grant's rows.

    *view_changed*: fields, masks or rows are others than when the cursor was made.
    """

    resource: str
    list_version: str
    snapshot: str
    grant: str
    masked: dict[str, str]
    rows: list[str] = []
    view_changed: bool = False
    events: list[EventShape]
    cursor: str
    more: bool
    receipt: ReceiptShape


def add_to(app: FastAPI) -> None:
    """Hang the route into *app*, and the feed into its life."""
    around = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with around(app) as state:
            of = app.state.service
            app.state.changes = await run_in_threadpool(
                open_feed, of.settings, of.standing, of.evidence, of.control, of.signer
            )
            yield state

    app.router.lifespan_context = lifespan

    @app.post(
        "/v1/resources/{code:path}:changes",
        response_model=ChangesShape,
        responses=documented(400, 401, 403, 404, 410, 413, 415, 422, 429, 503),
        openapi_extra=_ASKED,
    )
    async def changes(request: Request, code: str) -> Response:
        """What changed since a cursor, of the rows and fields that a grant shows. Leaves evidence, like a query."""
        body = await read_body(request)
        strangers, peer = request.app.state.fast.strangers, source_of(request.scope)
        wait = strangers.wait_s(peer)
        try:
            return await run_in_threadpool(_page, request, code, body, wait)
        except RefusedError as refused:
            if isinstance(refused.cause, KeyRefusedError):
                strangers.take(peer)
            raise


def _page(request: Request, code: str, body: bytes | RequestError, wait_s: float) -> Response:
    """A page, unless nobody is known to ask: then each refusal is an entry, and *wait_s* until there may be another."""
    service = doors.service(request)
    feed: ChangeFeed = request.app.state.changes
    caller: KnownCaller | KeyRefusedError
    try:
        caller = doors.caller(request, Role.CALL)
    except KeyRefusedError as error:
        if wait_s:
            raise TooFastError(wait_s) from error
        caller = error
    page = feed.page(caller, code, body)
    return reply(
        request,
        service.signer,
        service.evidence.clock(),
        status=200,
        plain=page.plain(),
        receipt=page.receipt,
        headers={} if page.retry_after_s is None else {"retry-after": str(page.retry_after_s)},
    )
