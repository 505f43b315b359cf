"""Licences over HTTP: how one stands, which a holder has, handing it out as a file, verifying one, one-time codes.

A holder's code stands in bodies alone. Who may have what is `hub.licensing.copies.who_may`'s; every file and every
answer about a holder is on record before it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, Field

from hub.actors import Role
from hub.api import doors
from hub.api.bodies import Body
from hub.api.bodyshapes import BodyShape
from hub.api.offices import papers
from hub.api.replies import receive
from hub.api.shapes import documented
from hub.errors import InvalidRequestError
from hub.licensing.downloads import Order
from hub.licensing.papers import Form
from hub.licensing.queries import checked, licences_of
from hub.signatures import content_digest
from licence.lifecycle import State
from licence.lifecycle.copies import MAX_DAYS

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.licensing.paper_office import PaperOffice

# A document of several hundred pages; larger ones are verified where they lie.
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
UPLOAD_WAIT_S: Final = 30.0
MAX_CODE_CHARS: Final = 100
CALLERS: Final = (Role.CALL, Role.APPLY, Role.REVIEW)
_TEXT: Final[dict[str, Any]] = {"type": "string"}


class LicenceShape(BaseModel):
    """How a licence stands; nothing of its holder."""

    identifier: str
    kind: str
    kind_name: str
    state: str
    state_name: str
    issuer: str
    issued_at: str
    valid_until: str | None


class LicencesShape(BaseModel):
    """The licences of a holder, and the log entry that says they were asked for."""

    items: list[LicenceShape]
    log_index: int


class CopyStandingShape(BaseModel):
    """How the copy stands that a document is: `valid`, `expired`, `withdrawn`, or `unknown` to this hub."""

    copy_number: str = Field(alias="copy")
    state: str
    valid_until: str | None


class CheckedShape(BaseModel):
    """The verdict on a file, the steps that led to it, and how it stands as a copy (null: it is none)."""

    verdict: str
    copy_standing: CopyStandingShape | None = Field(alias="copy")
    report: dict[str, Any]


class CodeShape(BaseModel):
    """A one-time code to be shown as a QR code; it is kept nowhere."""

    code: str
    expires_at: str


class FaceShape(BaseModel):
    """A field on the face of a licence."""

    name: str
    title: str
    value: str


class RedeemedShape(LicenceShape):
    """What the holder of a one-time code has shown, and the log entry that says so."""

    face: list[FaceShape]
    log_index: int


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get(
        "/v1/licences/{identifier}",
        response_model=LicenceShape,
        responses=documented(401, 403, 404, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, identifier: str) -> Response:
        """How a licence stands: kind, state and times. For every caller; nothing of the holder is told."""
        doors.caller(request, *CALLERS, Role.OFFICE, Role.AUDIT)
        return doors.answer(request, _plain(papers(request), papers(request).licensing.show(identifier[:200])))

    @app.post(
        "/v1/licences:find",
        response_model=LicencesShape,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def find(request: Request) -> Response:
        """The licences of a holder, of the kinds that your grants open for the matter in `purpose`; on record.

        `holder` (the code), `purpose`, `holder_type` (a code of GB/T 36903, as 111), `kind` (a kind's code).
        """
        return await doors.run(_find, request, await doors.read_object(request))

    @app.post(
        "/v1/licences:verify",
        response_model=CheckedShape,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
        openapi_extra={**doors.KEYED, **_upload()},
    )
    async def verify(request: Request) -> Response:
        """What a file is worth: a bundle, PDF, OFD, seal or code text as the body; it is not kept."""
        data = await receive(request, MAX_FILE_BYTES, UPLOAD_WAIT_S)
        return await doors.run(_verify, request, data)

    @app.post(
        "/v1/licences/{identifier}:download",
        response_class=Response,
        responses={
            **documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
            200: {"content": {form.media_type.split(";")[0]: {} for form in Form}},
        },
        openapi_extra=doors.KEYED,
    )
    async def download(request: Request, identifier: str) -> Response:
        """A copy of a licence as a file, for a reason, a matter and a term; on record before the first byte.

        `format`: pdf, ofd, png, bundle, whole (the bundle with
        PDF and OFD in it), qr, qr-png; `reason` (使用事由), which is printed across it; `purpose`, a
        matter's code; `days`, the term of the copy, at most 180. The file's name is the copy's number.
        """
        return await doors.run(_download, request, identifier[:200], await doors.read_object(request))

    @app.post(
        "/v1/codes",
        response_model=CodeShape,
        status_code=201,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def mint(request: Request) -> Response:
        """A one-time code for a licence, good for a minute: for its holder, or at the issuing department's counter.

        `licence`; `holder`: the code of the person whom your service has identified (keys with the role `person`).
        """
        return await doors.run(_mint, request, await doors.read_object(request))

    @app.post(
        "/v1/codes:redeem",
        response_model=RedeemedShape,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def redeem(request: Request) -> Response:
        """What the holder of a one-time code shows for the matter in `purpose`. The code is spent by the attempt."""
        return await doors.run(_redeem, request, await doors.read_object(request))


def _find(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *CALLERS)
    body = Body(members).done(("holder", "purpose", "holder_type", "kind"))
    office = papers(request)
    found = licences_of(
        office.licensing,
        _given(body, "holder"),
        _given(body, "purpose"),
        by=actor,
        holder_type=body.text("holder_type"),
        kind=body.text("kind"),
    )
    plain = {"items": [_plain(office, row) for row in found.rows], "log_index": found.log_index}
    return doors.answer(request, plain)


def _verify(request: Request, data: bytes) -> Response:
    doors.caller(request, *CALLERS, Role.OFFICE, Role.AUDIT)
    return doors.answer(request, checked(papers(request).downloads, data))


def _download(request: Request, identifier: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *CALLERS)
    body = Body(members).done(("format", "reason", "purpose", "days"))
    named = body.text("format", None)
    if named not in set(Form):
        known = ", ".join(Form)
        raise InvalidRequestError(where="format", why=f"one of {known} is wanted", why_zh=f"应为 {known} 之一")
    order = Order(_given(body, "purpose"), _given(body, "reason"), body.number("days") or 0)
    out = papers(request).downloads.download(identifier, Form(named), order, by=actor)
    headers = {
        "content-type": out.form.media_type,
        "content-digest": content_digest(out.data),
        "content-disposition": f'attachment; filename="{out.file_name}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(content=out.data, headers=headers)


def _mint(request: Request, members: dict[str, Any]) -> Response:
    caller = doors.caller(request, *CALLERS, Role.PERSON)
    actor = doors.actor(request, *CALLERS, Role.PERSON)
    body = Body(members).done(("licence", "holder"))
    code = papers(request).codes.mint(
        _given(body, "licence"), by=actor, roles=tuple(caller.roles), holder=body.text("holder")
    )
    return doors.answer(request, {"code": code.text, "expires_at": code.expires_at.isoformat()}, status=201)


def _redeem(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *CALLERS)
    body = Body(members).done(("code", "purpose"))
    office = papers(request)
    shown = office.codes.redeem(_given(body, "code")[:MAX_CODE_CHARS], matter=_given(body, "purpose"), by=actor)
    plain = {
        **_plain(office, office.licensing.show(shown.identifier)),
        "face": [{"name": name, "title": title, "value": value} for name, title, value in shown.face],
        "log_index": shown.log_index,
    }
    return doors.answer(request, plain)


def _given(body: Body, name: str) -> str:
    text = body.text(name, None)
    if not text.strip():
        raise InvalidRequestError(where=name, why="it is empty", why_zh="不能为空")
    return text


def _plain(office: PaperOffice, row: dict[str, Any]) -> dict[str, Any]:
    kind = office.licensing.kinds.get(row["kind"])
    pending = row["state"] not in set(State)
    return {
        "identifier": row["identifier"],
        "kind": row["kind"],
        "kind_name": kind.name if kind else "",
        "state": row["state"],
        "state_name": "" if pending else State(row["state"]).zh,
        "issuer": kind.issuer if kind else "",
        "issued_at": row["issued_at"].isoformat(),
        "valid_until": row["valid_until"].isoformat() if row["valid_until"] else None,
    }


def _upload() -> dict[str, Any]:
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}


_FORMAT: Final = {"type": "string", "enum": [form.value for form in Form]}
_DAYS: Final = {"type": "integer", "minimum": 1, "maximum": MAX_DAYS, "description": "the term of the copy"}
_MATTER: Final = {**_TEXT, "description": "a matter's code"}
BODIES = {
    "/v1/licences:find": BodyShape(
        ("holder", "purpose"),
        ("holder_type", "kind"),
        special=(
            ("holder", {**_TEXT, "description": "the holder's code"}),
            ("purpose", _MATTER),
            ("holder_type", _TEXT),
            ("kind", _TEXT),
        ),
    ),
    "/v1/licences/{identifier}:download": BodyShape(
        ("format", "reason", "purpose", "days"),
        special=(("format", _FORMAT), ("purpose", _MATTER), ("days", _DAYS)),
    ),
    "/v1/codes": BodyShape(("licence",), ("holder",), special=(("licence", _TEXT), ("holder", _TEXT))),
    "/v1/codes:redeem": BodyShape(("code", "purpose"), special=(("code", _TEXT), ("purpose", _MATTER))),
}
BODY_STEPS: dict[str, dict[str, BodyShape]] = {}
