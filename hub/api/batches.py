"""Batches over HTTP: order rows by the million, follow the order, fetch its manifest and parts, resume, cancel.

What may be ordered and when files are handed out is `hub.batches.desk`'s affair.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import Path as PathParameter
from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from hub.actors import Role
from hub.api import doors, problems
from hub.api.bodies import Body
from hub.api.replies import read_body
from hub.api.shapes import documented
from hub.batches.desk import MAX_FOUND, Batches
from hub.batches.errors import BatchExpiredError
from hub.batches.making import Runner
from hub.batches.order import Wish
from hub.errors import InvalidRequestError, MalformedRequestError, RequestError
from hub.requests import MAX_TEXT_CHARS, Purpose, read_json
from hub.settings import BATCHES_INSIDE
from warehouse.masking import FORMS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import BinaryIO

    from fastapi import FastAPI

    from hub.batches.rows import Batch, Part
    from hub.standing import KnownCaller

MEDIA_TYPES: Final = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "csv.gz": "application/gzip",
}
_PURPOSE: Final = ("matter", "case", "operator", "replaces")
_READ_BYTES: Final = 1 << 18
# The one form of range that a client needs to go on; any other is answered whole (RFC 9110 §14.2).
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
_TEXT: Final[dict[str, Any]] = {"type": "string", "maxLength": MAX_TEXT_CHARS}
_ORDER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["purpose"],
    "additionalProperties": False,
    "properties": {
        "fields": {"type": "array", "items": {"type": "string"}, "description": "left out: all that are granted"},
        "rows": {
            "type": "array",
            "items": {"type": "string"},
            "description": "row rules over fields that are shown as they are, all of which must hold",
        },
        "purpose": {
            "type": "object",
            "required": ["matter"],
            "additionalProperties": False,
            "properties": dict.fromkeys(_PURPOSE, _TEXT),
        },
        "grant": _TEXT,
        "format": {"type": "string", "enum": list(FORMS), "default": "parquet"},
    },
}
_EXAMPLE: Final = {"fields": ["name", "birth"], "rows": ["birth >= 1960-01-01"], "purpose": {"matter": "SX001"}}
_ORDERED: Final[dict[str, Any]] = {
    **doors.KEYED,
    "requestBody": {"required": True, "content": {"application/json": {"schema": _ORDER, "example": _EXAMPLE}}},
}
_PROBLEMS = documented(401, 403, 404, 422, 503)
_Number = Annotated[int, PathParameter(ge=1, le=999_999_999)]


class BatchErrorShape(BaseModel):
    """Why it failed and what to do, in the reader's language."""

    code: str
    text: str


class BatchShape(BaseModel):
    """An order. *state*: ordered, running, ready, expired, failed, cancelled; *rows_done* of *rows_total* are made."""

    id: str
    state: Literal["ordered", "running", "ready", "expired", "failed", "cancelled"]
    resource: str
    grant: str
    format: str
    fields: list[str]
    snapshot: str
    list_version: str
    rows_total: int
    rows_done: int
    ordered_at: str
    ended_at: str | None
    expires: str | None
    log_index: int
    manifest_digest: str | None
    error: BatchErrorShape | None


class OrderedShape(BatchShape):
    """An order that was taken, with its receipt."""

    receipt: dict[str, Any]


class BatchesShape(BaseModel):
    """The department's orders, the newest first."""

    batches: list[BatchShape]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*, and the worker into its life."""
    _work_with(app)

    @app.post(
        "/v1/resources/{code:path}:batch",
        status_code=202,
        response_model=OrderedShape,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 429, 503),
        openapi_extra=_ORDERED,
    )
    async def order(request: Request, code: str) -> Response:
        """Order rows by the million: decided and recorded now, made into files by and by."""
        body = await read_body(request)
        return await run_in_threadpool(_order, request, code, body)

    @app.get("/v1/batches", response_model=BatchesShape, responses=_PROBLEMS, openapi_extra=doors.KEYED)
    def listed(request: Request, *, limit: Annotated[int, Query(ge=1, le=MAX_FOUND)] = 100) -> Response:
        """The department's orders, the newest first."""
        found = _batches(request).find(_caller(request).department, limit=limit)
        return doors.answer(request, {"batches": [one.plain(_language(request)) for one in found]})

    @app.get("/v1/batches/{id}", response_model=BatchShape, responses=_PROBLEMS, openapi_extra=doors.KEYED)
    def shown(request: Request, id: str) -> Response:  # noqa: A002 - as the address says
        """One order: its state, and how far it is."""
        batch = _batches(request).get(id, _caller(request).department)
        return doors.answer(request, batch.plain(_language(request)))

    @app.get(
        "/v1/batches/{id}/manifest",
        responses=documented(401, 403, 404, 409, 422, 503) | {200: {"content": {"application/json": {}}}},
        response_class=Response,
        openapi_extra=doors.KEYED,
    )
    def manifest(request: Request, id: str) -> Response:  # noqa: A002 - as above
        """The signed manifest: every part with its rows and digest. Its bytes are what is signed."""
        data = _batches(request).manifest(id, _caller(request).department)
        return Response(data, media_type="application/json", headers=_HEADERS)

    @app.get(
        "/v1/batches/{id}/parts/{number}",
        responses=documented(401, 403, 404, 409, 422, 503)
        | {status: {"description": text, "content": _FILES} for status, text in _ANSWERS.items()},
        response_class=Response,
        openapi_extra=doors.KEYED,
    )
    def part(request: Request, id: str, number: _Number) -> Response:  # noqa: A002 - as above
        """The file of one part; a download goes on with `Range` and `If-Range`."""
        return _part(request, id, number)

    @app.post(
        "/v1/batches/{id}:cancel",
        response_model=BatchShape,
        responses=documented(401, 403, 404, 409, 413, 422, 503),
        openapi_extra=doors.KEYED,
        dependencies=doors.READING,
    )
    def cancel(request: Request, id: str) -> Response:  # noqa: A002 - as above
        """Give an order up; its files go."""
        caller = _caller(request)
        batch = _batches(request).cancel(id, caller.department, by=caller.id)
        return doors.answer(request, batch.plain(_language(request)))


_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_FILES: Final[dict[str, Any]] = {media: {} for media in MEDIA_TYPES.values()}
_ANSWERS: Final = {200: "the whole file", 206: "the rest of it"}


def _work_with(app: FastAPI) -> None:
    """Open the batches after the service and close them before it; let them be made here unless a setting says no."""
    around = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with around(app) as state:
            service = app.state.service
            batches = Batches.over(
                service.settings, service.control, service.evidence, service.standing, service.signer
            )
            runner = Runner(batches) if service.settings.batch_worker == BATCHES_INSIDE else None
            app.state.batches, app.state.batch_runner = batches, runner
            if runner is not None:
                runner.start()
            try:
                yield state
            finally:
                if runner is not None:
                    await run_in_threadpool(runner.stop)
                await run_in_threadpool(batches.close)

    app.router.lifespan_context = lifespan


def _batches(request: Request) -> Batches:
    found: Batches = request.app.state.batches
    return found


def _caller(request: Request) -> KnownCaller:
    return doors.caller(request, Role.CALL)


def _language(request: Request) -> str:
    return problems.language(request.headers.get("accept-language"))


def _order(request: Request, code: str, body: bytes | RequestError) -> Response:
    caller = _caller(request)
    batch, receipt = _batches(request).order(caller, code, _wish(body))
    runner = request.app.state.batch_runner
    if runner is not None:
        runner.wake()
    plain = {**batch.plain(_language(request)), "receipt": receipt.plain()}
    response = doors.answer(request, plain, status=202)
    response.headers["location"] = f"/v1/batches/{batch.id}"
    return response


def _wish(data: bytes | RequestError) -> Wish | RequestError:
    """The order in a body, or what is wrong with it, which is recorded like any refusal."""
    if isinstance(data, RequestError):
        return data
    try:
        members = read_json(data)
        if not isinstance(members, dict):
            return MalformedRequestError(why="it is no object", why_zh="不是对象")
        return wish_of(members)
    except RequestError as error:
        return error


def wish_of(members: dict[str, Any]) -> Wish:
    """The order that *members* of a body say.

    Raises:
        InvalidRequestError: a member is missing, unknown or of the wrong shape.
    """
    body = Body(members).done(("fields", "rows", "purpose", "grant", "format"))
    given = members.get("purpose", {})
    if not isinstance(given, dict):
        raise InvalidRequestError(where="purpose", why="an object is wanted here", why_zh="此处应为对象")
    purpose = Body(given, "purpose.").done(_PURPOSE)
    texts = {name: _short(f"purpose.{name}", purpose.text(name).strip()) for name in _PURPOSE}
    fields = body.texts("fields") or ()
    if len(set(fields)) != len(fields):
        raise InvalidRequestError(where="fields", why="a field is named twice", why_zh="信息项重复")
    form = body.text("format", "parquet")
    if form not in FORMS:
        listed = ", ".join(FORMS)
        raise InvalidRequestError(where="format", why=f"one of {listed} is wanted", why_zh=f"应为 {listed} 之一")
    grant = _short("grant", body.text("grant")) or None
    return Wish(Purpose(**texts), tuple(map(str, fields)), body.rules("rows"), grant, form)


def _short(where: str, text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        why = f"text of at most {MAX_TEXT_CHARS} characters is wanted"
        raise InvalidRequestError(where=where, why=why, why_zh=f"应为不超过 {MAX_TEXT_CHARS} 字的文本")
    return text


def _part(request: Request, id_: str, number: int) -> Response:
    caller, batches = _caller(request), _batches(request)
    path, part = batches.fetch(caller, id_, number)
    try:
        # Opened now: whoever has it open reads on when it expires meanwhile.
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise BatchExpiredError(batch=id_, expires="-") from error
    return _file(request, batches.get(id_), part, stream)


def _file(request: Request, batch: Batch, part: Part, stream: BinaryIO) -> Response:
    etag = f'"{part.digest.removeprefix("sha256:")}"'
    start, stop = 0, part.bytes
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is not None and request.headers.get("if-range", etag) == etag and int(asked[1]) < part.bytes:
        start = int(asked[1])
        stop = min(int(asked[2]) + 1, part.bytes) if asked[2] else part.bytes
    if stop <= start:
        start, stop = 0, part.bytes
    headers = {
        **_HEADERS,
        "etag": etag,
        "accept-ranges": "bytes",
        "content-length": str(stop - start),
        "content-disposition": f'attachment; filename="{batch.id}-{part.name}"',
    }
    whole = (start, stop) == (0, part.bytes)
    if not whole:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{part.bytes}"
    return StreamingResponse(
        _chunks(stream, start, stop),
        status_code=200 if whole else 206,
        headers=headers,
        media_type=MEDIA_TYPES[batch.form],
    )


def _chunks(stream: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    with stream:
        stream.seek(start)
        while start < stop:
            chunk = stream.read(min(_READ_BYTES, stop - start))
            if not chunk:
                # The length that was promised then fails the transfer, rather than a short file passing for whole.
                return
            start += len(chunk)
            yield chunk
