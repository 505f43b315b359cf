"""E-materials (电子材料库) over HTTP.

What a step does is `hub.materials`' affair. The holder's identifier stands in a body, never in an address; a file is
handed out only to whoever has recorded a use of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from hub.actors import Role
from hub.api import doors
from hub.api.bodies import Body, texts
from hub.api.bodyshapes import BodyShape
from hub.api.replies import JSON, misfits, receive
from hub.api.shapes import documented
from hub.errors import DigestMismatchError, InvalidRequestError, MediaTypeError
from hub.materials import Materials, Paper, Use
from hub.materials.content import SUFFIXES
from hub.requests import read_json
from licence.materials import MAX_REUSERS, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

CLERKS: Final = (Role.APPLY, Role.REVIEW)
_Number = Annotated[int, Path(ge=1, le=999_999_999)]
# Base64 of some 6 MB: scans of some pages. What is larger is taken in on the hub's command line.
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
UPLOAD_WAIT_S: Final = 60.0
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_FLAG: Final = {"type": "boolean"}
_TEXT: Final = {"type": "string"}
_SPECIAL: Final = (
    ("name", _TEXT),
    ("holder", {**_TEXT, "description": "the holder's identifier, of whatever kind; kept as a keyed hash alone"}),
    ("content", {**_TEXT, "format": "byte", "description": "PDF, OFD, PNG or JPEG in base64"}),
    ("case", {**_TEXT, "description": "the case's number"}),
    ("origin", {**_TEXT, "enum": [one.value for one in Origin]}),
    ("valid_until", {**_TEXT, "format": "date-time"}),
    ("units", {**_TEXTS, "description": "departments that may reuse it; `*` is every one"}),
    ("matters", {**_TEXTS, "description": "matters it may be reused for; `*` is any"}),
    ("original_seen", _FLAG),
    ("needs_consent", _FLAG),
    ("consent", {**_FLAG, "description": "the holder agreed to this use"}),
)
_ADD: Final = (
    ("name", "matter", "holder", "content"),
    ("case", "origin", "valid_until", "units", "matters", "original_seen", "needs_consent"),
)
_REUSE: Final = (("matter", "case", "purpose"), ("consent",))


class UseShape(BaseModel):
    """A use of a material."""

    use: int
    unit: str
    by: str
    matter: str
    case: str
    purpose: str
    consent: bool
    at: str
    entry: int


class MaterialShape(BaseModel):
    """A material as a department may know it: nothing of the holder; others' uses only to who took it in."""

    identifier: str
    name: str
    digest: str
    media_type: str
    size_bytes: int
    origin: str
    unit: str
    matter: str
    case: str
    taken_by: str
    taken_at: str
    original_seen: bool
    units: list[str]
    matters: list[str]
    needs_consent: bool
    valid_from: str
    valid_until: str | None
    voided_at: str | None
    void_reason: str
    erased_at: str | None
    entry: int
    uses: list[UseShape]


class MaterialsShape(BaseModel):
    """Materials, newest first."""

    materials: list[MaterialShape]


class RecordedUseShape(BaseModel):
    """A use that was recorded; its number fetches the file for twelve hours."""

    use: int
    material: str
    entry: int
    at: str


class RecordShape(BaseModel):
    """The record that proves a material, as text: the `.material.json` file that `zhengtong material verify` takes."""

    record: str


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
    _add_taking(app)
    _add_reading(app)


def _add_taking(app: FastAPI) -> None:
    @app.post(
        "/v1/materials",
        response_model=MaterialShape,
        status_code=201,
        responses=documented(400, 401, 403, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def add(request: Request) -> Response:
        """Take a paper in: what it really is, is found by its content. At most 8 MiB of body."""
        return await doors.run(_add, request, await _read(request))

    @app.post(
        "/v1/materials:find",
        response_model=MaterialsShape,
        responses=documented(400, 401, 403, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def find(request: Request) -> Response:
        """The materials of a holder that the caller's department took in or may reuse (recorded); or its own."""
        return await doors.run(_find, request, await doors.read_object(request))

    @app.post(
        "/v1/materials/{id_}:reuse",
        response_model=RecordedUseShape,
        status_code=201,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def reuse(request: Request, id_: str) -> Response:
        """Record a use in a later case; then fetch the file by the use's number."""
        return await doors.run(_reuse, request, id_, await doors.read_object(request))

    @app.post(
        "/v1/materials/{id_}:void",
        response_model=MaterialShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def void(request: Request, id_: str) -> Response:
        """Declare a material void (作废), for good: only the department that took it in."""
        return await doors.run(_void, request, id_, await doors.read_object(request))


def _add_reading(app: FastAPI) -> None:
    @app.get(
        "/v1/materials/{id_}",
        response_model=MaterialShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def show(request: Request, id_: str) -> Response:
        """A material that the caller's department took in or may reuse."""
        actor = doors.actor(request, *CLERKS)
        return doors.answer(request, _desk(request).show(id_, department=actor.department))

    @app.get(
        "/v1/materials/{id_}/record",
        response_model=RecordShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def record(request: Request, id_: str) -> Response:
        """The record by which anybody verifies the file: log entry and proof, of its being void, too."""
        actor = doors.actor(request, *CLERKS)
        text = _desk(request).bundle(id_, department=actor.department).to_json()
        return doors.answer(request, {"record": text})

    @app.get(
        "/v1/materials/{id_}/uses/{use}/content",
        response_class=Response,
        responses=documented(401, 403, 404, 409, 422, 503)
        | {200: {"content": {media_type: {} for media_type in SUFFIXES}}},
        openapi_extra=doors.KEYED,
    )
    def content(request: Request, id_: str, use: _Number) -> Response:
        """The file, for the department that recorded this use, within twelve hours of it."""
        actor = doors.actor(request, *CLERKS)
        data, media_type = _desk(request).fetch(id_, use, department=actor.department)
        # A browser shall show it as what it is, and nothing else.
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(data, media_type=media_type, headers=headers)


async def _read(request: Request) -> dict[str, Any]:
    """The JSON object of a body that may be larger than the other doors take.

    Of a caller who signs it, it must be read to know who calls; of any other, who calls is asked first.
    """
    if not doors.is_signed(request):
        await run_in_threadpool(doors.caller, request, *CLERKS)
    media = request.headers.get("content-type", "").lower().replace(" ", "")
    if media not in (JSON, f"{JSON};charset=utf-8") or "content-encoding" in request.headers:
        raise MediaTypeError
    data = await receive(request, MAX_BODY_BYTES, UPLOAD_WAIT_S)
    if misfits(request, data):
        raise DigestMismatchError
    plain = read_json(data)
    if not isinstance(plain, dict):
        raise InvalidRequestError(where="body", why="an object is wanted here", why_zh="此处应为对象")
    return plain


def _add(request: Request, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, *CLERKS)
    given = _given(body, _ADD, ("units", "matters", "original_seen", "needs_consent"), long="content")
    paper = Paper(
        name=given["name"],
        matter=given["matter"],
        case=given.get("case", ""),
        origin=_origin(given.get("origin", Origin.HANDED_IN.value)),
        original_seen=_flag(body, "original_seen", default=False),
        units=_list(body, "units"),
        matters=_list(body, "matters"),
        needs_consent=_flag(body, "needs_consent", default=True),
        valid_until=_time(given.get("valid_until", "")),
    )
    taken = _desk(request).add(Body(body).octets("content"), paper, holder=given["holder"], actor=actor)
    return doors.answer(request, taken, status=201)


def _find(request: Request, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, *CLERKS)
    given = texts(body, (), ("holder", "matter"))
    found = _desk(request).find(actor=actor, holder=given.get("holder", ""), matter=given.get("matter", ""))
    return doors.answer(request, {"materials": found})


def _reuse(request: Request, id_: str, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, *CLERKS)
    given = _given(body, _REUSE, ("consent",))
    use = Use(given["matter"], given["case"], given["purpose"], _flag(body, "consent", default=False))
    return doors.answer(request, _desk(request).reuse(id_, use, actor=actor), status=201)


def _void(request: Request, id_: str, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, *CLERKS)
    reason = texts(body, ("reason",), ())["reason"]
    return doors.answer(request, _desk(request).void(id_, reason=reason, actor=actor))


def _desk(request: Request) -> Materials:
    return Materials(doors.office(request))


def _given(
    body: Mapping[str, Any], members: tuple[tuple[str, ...], tuple[str, ...]], other: tuple[str, ...], *, long: str = ""
) -> dict[str, str]:
    """The members that are texts; those of *other* types, and a *long* one, are read by themselves."""
    required, optional = members
    if long and not isinstance(body.get(long), str):
        raise InvalidRequestError(where=long, why="a text is wanted", why_zh="应为文本")
    rest = {name: value for name, value in body.items() if name not in (*other, long)}
    return texts(
        rest,
        tuple(name for name in required if name != long),
        tuple(name for name in optional if name not in other),
    )


def _flag(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequestError(where=name, why="true or false is wanted", why_zh="应为 true 或 false")
    return value


def _list(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > MAX_REUSERS or not all(isinstance(one, str) for one in value):
        raise InvalidRequestError(where=name, why="a list of texts is wanted", why_zh="应为文本列表")
    return tuple(value)


def _origin(text: str) -> Origin:
    try:
        return Origin(text)
    except ValueError:
        known = ", ".join(Origin)
        raise InvalidRequestError(
            where="origin", why=f"one of {known} is wanted", why_zh=f"应为 {known} 之一"
        ) from None


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found: datetime | None = datetime.fromisoformat(text)
        _ = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        found = None
    if found is None or found.utcoffset() is None:
        raise InvalidRequestError(where="valid_until", why="a time with its zone is wanted", why_zh="应为带时区的时间")
    return found


BODIES = {
    "/v1/materials": BodyShape(*_ADD, special=_SPECIAL),
    "/v1/materials:find": BodyShape((), ("holder", "matter"), special=_SPECIAL),
    "/v1/materials/{id_}:reuse": BodyShape(*_REUSE, special=_SPECIAL),
    "/v1/materials/{id_}:void": BodyShape(("reason",)),
}
BODY_STEPS: dict[str, dict[str, BodyShape]] = {}
