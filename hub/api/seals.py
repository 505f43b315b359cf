"""Electronic seals over HTTP: the register, their use, and remote signatures.

What a step does is `hub.seals`'s. A department's people see and use its seals, the hub's office and auditors see all.
Who acts is the department of the key and, as its post, the key's name: a custodian's key bears the custodian's post.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from hub.actors import Role
from hub.api import doors, offices
from hub.api.bodies import Body
from hub.api.bodyshapes import BodyShape, Schema
from hub.api.shapes import documented
from hub.errors import InvalidRequestError, NotFoundError, RoleMissingError
from hub.seals.registering import SealOrder
from hub.seals.using import Place
from hub.seals.words import Sort
from licence.seals.register import Action

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.seals.signers import Enrolled

MEMBERS = (Role.APPLY, Role.REVIEW, Role.OFFICE, Role.AUDIT)
ACTING = (Role.APPLY, Role.REVIEW, Role.OFFICE)
# The longer side of A2: larger than any page that is sealed.
MAX_MM: Final = 600
_PLACED: Final = ("x_mm", "y_mm")


class SealStepShape(BaseModel):
    """A step that was taken."""

    action: str
    state: str
    by: str
    at: str
    ground: str


class AutomaticShape(BaseModel):
    """What the hub may use a seal for by itself."""

    kinds: list[str]
    until: str
    by: str


class SealShape(BaseModel):
    """A seal as the register keeps it; a personal seal's name is left out."""

    code: str
    sort: str
    name: str
    department: str
    custodian: str
    state: str
    structure: int = Field(description="5: GM/T 0031-2025; 4: GB/T 38540-2020")
    valid_from: str
    valid_until: str
    digest: str = Field(description="of the SESeal, by SM3; empty until it is made")
    outdated: bool = Field(description="its keeper's key was changed since; it needs a next version (`transfer`)")
    automatic: AutomaticShape | None
    possible: list[str] = Field(description="the steps of the register that may be taken now")
    log_index: int
    history: list[SealStepShape]


class SealsShape(BaseModel):
    """Seals by code."""

    items: list[SealShape]


class SealUseShape(BaseModel):
    """A use of a seal; `recorded`: no signature of it is known."""

    id: str
    seal: str
    by: str
    at: str
    purpose: str
    form: str
    automatic: bool
    count: int
    document_digest: str
    approval: str
    state: str
    signature_digest: str
    log_index: int


class SealUsesShape(BaseModel):
    """The uses of a seal, the newest first."""

    items: list[SealUseShape]


class StampedShape(BaseModel):
    """What came of a use: the sealed file, or the SES_Signature over a digest, in base64."""

    use: str
    form: str
    data: str


class ApprovalShape(BaseModel):
    """A request to one person for one signature."""

    id: str
    person: str
    seal: str
    form: str
    document_digest: str
    purpose: str
    asked_by: str
    asked_at: str
    ends_at: str
    state: str
    failures: int
    log_index: int


class ApprovalsShape(BaseModel):
    """The requests to the caller, the newest first."""

    items: list[ApprovalShape]


class SignerShape(BaseModel):
    """A key of a person who signs remotely; nothing that opens it."""

    person: str
    number: int
    department: str
    state: str
    serial: str
    created_at: str
    ended_at: str | None
    log_index: int


class SignersShape(BaseModel):
    """The keys of persons, ended ones too."""

    items: list[SignerShape]


class EnrolledShape(BaseModel):
    """A new key of a person."""

    person: str
    number: int
    certificate: str = Field(description="DER in base64")
    otp_uri: str = Field(description="for the person's authenticator; told this once and never again")


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
    # Before `/v1/seals/{code}`, which would take "signers" for a code.
    _add_signers(app)
    _add_register(app)
    _add_approvals(app)


def _add_register(app: FastAPI) -> None:
    reading: dict[str, Any] = {"openapi_extra": doors.KEYED, "responses": documented(401, 403, 404, 422, 503)}
    writing = documented(400, 401, 403, 404, 409, 413, 415, 422, 503)

    @app.get("/v1/seals", response_model=SealsShape, **reading)
    def found(
        request: Request,
        *,
        state: Annotated[str | None, Query(max_length=30)] = None,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The seals of the caller's department; all of them for the office and auditors."""
        actor = doors.actor(request, *MEMBERS)
        department = None if _sees_all(request) else actor.department
        rows = offices.seals(request).find(department=department, state=state, limit=size, offset=(page - 1) * size)
        return doors.answer(request, {"items": rows})

    @app.get("/v1/seals/{code}", response_model=SealShape, **reading)
    def shown(request: Request, code: str) -> Response:
        """A seal with its history."""
        return doors.answer(request, _own(request, code))

    @app.get("/v1/seals/{code}/uses", response_model=SealUsesShape, **reading)
    def uses(
        request: Request,
        code: str,
        *,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The uses of a seal."""
        _own(request, code)
        return doors.answer(request, {"items": offices.seals(request).uses(code, limit=size, offset=(page - 1) * size)})

    @app.get(
        "/v1/seals/{code}/image",
        responses=reading["responses"] | {200: {"content": {"image/png": {}}}},
        response_class=Response,
        openapi_extra=doors.KEYED,
    )
    def image(request: Request, code: str) -> Response:
        """The picture of a seal."""
        _own(request, code)
        return Response(
            offices.seals(request).picture(code), media_type="image/png", headers={"cache-control": "no-store"}
        )

    @app.post("/v1/seals", response_model=SealShape, status_code=201, responses=writing, openapi_extra=doors.KEYED)
    async def ask_for(request: Request) -> Response:
        """Ask for a seal; another person approves it."""
        return await doors.run(_requested, request, await doors.read_object(request))

    @app.post("/v1/seals/{code}:{step}", response_model=SealShape, responses=writing, openapi_extra=doors.KEYED)
    async def act(request: Request, code: str, step: str) -> Response:
        """Take a step of the register; `approve` and `destroy` are for another person than the one who asked."""
        return await doors.run(_act, request, code, step, await doors.read_object(request))

    @app.post("/v1/seals/{code}/stamps", response_model=StampedShape, responses=writing, openapi_extra=doors.KEYED)
    async def stamp(request: Request, code: str) -> Response:
        """Use a seal: `document` is a PDF or OFD, or the 32 bytes of an SM3 digest, in base64. The custodian alone."""
        return await doors.run(_stamp, request, code, await doors.read_object(request))

    @app.get(
        "/v1/seal-register",
        responses=documented(404) | {200: {"content": {"application/seal-register+jwt": {}}}},
        response_class=Response,
    )
    def register(request: Request) -> Response:
        """The published register of seal states, signed; for anyone."""
        file = doors.service(request).settings.public / "seals" / "register.jwt"
        if not file.exists():
            raise NotFoundError
        return FileResponse(file, media_type="application/seal-register+jwt", headers={"cache-control": "no-cache"})


def _add_approvals(app: FastAPI) -> None:
    writing = documented(400, 401, 403, 404, 409, 413, 415, 422, 503)

    @app.get(
        "/v1/seal-approvals",
        response_model=ApprovalsShape,
        responses=documented(401, 403, 503),
        openapi_extra=doors.KEYED,
    )
    def waiting(request: Request) -> Response:
        """The requests for remote signatures to the caller."""
        actor = doors.actor(request, *ACTING)
        return doors.answer(request, {"items": offices.seals(request).approvals(str(actor))})

    @app.post(
        "/v1/seal-approvals",
        response_model=ApprovalShape,
        status_code=201,
        responses=writing,
        openapi_extra=doors.KEYED,
    )
    async def ask(request: Request) -> Response:
        """Ask the keeper of a seal for a signature; open for ten minutes."""
        return await doors.run(_ask, request, await doors.read_object(request))

    @app.post(
        "/v1/seal-approvals/{id_}:approve", response_model=StampedShape, responses=writing, openapi_extra=doors.KEYED
    )
    async def approve(request: Request, id_: str) -> Response:
        """Prove the wish by `pin` and `password`, and sign `document`. Five wrong proofs lock the signer."""
        return await doors.run(_approve, request, id_, await doors.read_object(request))

    @app.post(
        "/v1/seal-approvals/{id_}:decline", response_model=ApprovalShape, responses=writing, openapi_extra=doors.KEYED
    )
    async def decline(request: Request, id_: str) -> Response:
        """Say no."""
        return await doors.run(_decline, request, id_, await doors.read_object(request))


def _add_signers(app: FastAPI) -> None:
    writing = documented(400, 401, 403, 404, 409, 413, 415, 422, 503)

    @app.get(
        "/v1/seals/signers",
        response_model=SignersShape,
        responses=documented(401, 403, 503),
        openapi_extra=doors.KEYED,
    )
    def signers(request: Request) -> Response:
        """The persons of the caller's department who sign remotely; all of them for the office and auditors."""
        actor = doors.actor(request, *MEMBERS)
        return doors.answer(
            request, {"items": offices.seals(request).signers(None if _sees_all(request) else actor.department)}
        )

    @app.post(
        "/v1/seals/signers",
        response_model=EnrolledShape,
        status_code=201,
        responses=writing,
        openapi_extra=doors.KEYED,
    )
    async def add(request: Request) -> Response:
        """Register a person (a post's pseudonym) with a key of their own under a PIN."""
        return await doors.run(_add_signer, request, await doors.read_object(request))

    @app.post(
        "/v1/seals/signers/{person}:renew",
        response_model=EnrolledShape,
        status_code=201,
        responses=writing,
        openapi_extra=doors.KEYED,
    )
    async def renew(request: Request, person: str) -> Response:
        """Another key for a lost PIN, by another person: the old certificate is revoked, its seals are disabled."""
        return await doors.run(_renew_signer, request, person, await doors.read_object(request))


def _add_signer(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("person", "pin"))
    person, pin = body.text("person", None), body.text("pin", None)
    return _enrolled(request, offices.seals(request).add_signer(person, pin, by=actor, office=_is_office(request)))


def _renew_signer(request: Request, person: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("pin", "ground"))
    pin, ground = body.text("pin", None), body.text("ground", None)
    done = offices.seals(request).renew_signer(person, pin, by=actor, ground=ground, office=_is_office(request))
    return _enrolled(request, done)


def _enrolled(request: Request, done: Enrolled) -> Response:
    plain = {
        "person": done.person,
        "number": done.number,
        "certificate": base64.b64encode(done.certificate).decode(),
        "otp_uri": done.otp_uri,
    }
    return doors.answer(request, plain, status=201)


def _place(body: Body) -> Place | None:
    """Where the seal is to stand; None: at its usual place.

    Raises:
        InvalidRequestError: one coordinate alone, or no number on a page.
    """
    if not body.has("x_mm") and not body.has("y_mm"):
        return None
    return Place(_millimetres(body, "x_mm"), _millimetres(body, "y_mm"))


def _millimetres(body: Body, name: str) -> float:
    value = body.number(name) if body.has(name) else None
    if value is None or not 0 <= value <= MAX_MM:
        raise _bad(
            name,
            f"whole millimetres from 0 to {MAX_MM}, with the other one",
            f"应为 0 至 {MAX_MM} 的整毫米数，且须成对",
        )
    return float(value)


def _sees_all(request: Request) -> bool:
    return bool({Role.OFFICE, Role.AUDIT} & set(doors.known(request).roles))


def _is_office(request: Request) -> bool:
    return Role.OFFICE in doors.known(request).roles


def _own(request: Request, code: str) -> dict[str, Any]:
    actor = doors.actor(request, *MEMBERS)
    seal = offices.seals(request).show(code)
    if seal["department"] != actor.department and not _sees_all(request):
        raise RoleMissingError(role=f"{Role.OFFICE} / {Role.AUDIT}")
    return seal


def _requested(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(_ORDER)
    sort = body.text("sort", None)
    if sort not in set(Sort):
        raise _bad("sort", "official, special, licence, name or signature is wanted", "印章类型有误")
    order = SealOrder(
        Sort(sort),
        body.text("name", None),
        body.text("department") or actor.department,
        body.text("custodian", None),
        _instant(body, "valid_from"),
        _instant(body, "valid_until"),
        line=body.text("line"),
        png=_bytes(body, "picture") if body.has("picture") else b"",
        width_mm=_number(body, "width_mm", 42),
        height_mm=_number(body, "height_mm", 42),
        structure=_number(body, "structure", 5),
    )
    made = offices.seals(request).request(order, by=actor, ground=body.text("ground", None), office=_is_office(request))
    return doors.answer(request, made, status=201)


def _act(request: Request, code: str, step: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    if step not in STEPS:
        raise NotFoundError
    body = Body(members).done((*STEPS[step].required, *STEPS[step].optional))
    office, ground, seals = _is_office(request), body.text("ground", None), offices.seals(request)
    if step == "transfer":
        custodian = body.text("custodian", None)
        return doors.answer(request, seals.transfer(code, custodian, by=actor, ground=ground, office=office))
    if step == "authorise":
        kinds = _texts(body, "kinds")
        until = _instant(body, "until") if body.has("until") else seals.clock()
        return doors.answer(request, seals.authorise(code, kinds, until, by=actor, ground=ground))
    action = Action(step.replace("-", "_"))
    return doors.answer(request, seals.decide(code, action, by=actor, ground=ground, office=office))


def _stamp(request: Request, code: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("document", "purpose", *_PLACED))
    purpose, place = body.text("purpose", None), _place(body)
    done = offices.seals(request).stamp(code, _bytes(body, "document"), by=actor, purpose=purpose, place=place)
    return doors.answer(request, {"use": done.use, "form": done.form, "data": base64.b64encode(done.data).decode()})


def _ask(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("seal", "document", "purpose"))
    asked = offices.seals(request).ask(
        body.text("seal", None),
        _bytes(body, "document"),
        purpose=body.text("purpose", None),
        by=actor,
        office=_is_office(request),
    )
    return doors.answer(request, asked, status=201)


def _approve(request: Request, id_: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("document", "pin", "password"))
    done = offices.seals(request).approve_and_sign(
        id_,
        _bytes(body, "document"),
        by=actor,
        pin=body.text("pin", None),
        password=body.text("password", None),
    )
    return doors.answer(request, {"use": done.use, "form": done.form, "data": base64.b64encode(done.data).decode()})


def _decline(request: Request, id_: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    Body(members).done(())
    return doors.answer(request, offices.seals(request).decline(id_, by=actor))


def _bytes(body: Body, name: str) -> bytes:
    """A member in base64; longer than other texts, since the body as a whole is bounded."""
    value = body.raw(name) if body.has(name) else None
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else _not_base64(name)
    except (binascii.Error, ValueError):
        return _not_base64(name)


def _not_base64(name: str) -> bytes:
    raise _bad(name, "base64 is wanted", "应为 base64")


def _number(body: Body, name: str, default: int) -> int:
    found = body.number(name)
    return default if found is None else found


def _texts(body: Body, name: str) -> list[str]:
    value = body.raw(name) if body.has(name) else []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _bad(name, "a list of texts is wanted", "应为文本列表")
    return value


def _instant(body: Body, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(body.text(name, None))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _bad(name, "a time like 2026-10-08T09:00:00+08:00 is wanted", "应为 ISO 8601 时间") from None


def _bad(where: str, why: str, why_zh: str) -> InvalidRequestError:
    return InvalidRequestError(where=where, why=why, why_zh=why_zh)


_TEXT: Final[Schema] = {"type": "string"}
_BASE64: Final[Schema] = {"type": "string", "contentEncoding": "base64"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_MM: Final[Schema] = {"type": "integer", "minimum": 5, "maximum": 100}
_WHERE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": MAX_MM}
_SPECIAL: Final = (
    ("sort", {"type": "string", "enum": ["official", "special", "licence", "name", "signature"]}),
    ("name", _TEXT),
    ("custodian", {**_TEXT, "description": "DEPARTMENT:POST, or a signer with a key of their own"}),
    ("valid_from", _TIME),
    ("valid_until", _TIME),
    ("line", {**_TEXT, "description": "what stands below the star of a drawn seal"}),
    ("picture", {**_BASE64, "description": "a PNG; without it a round seal is drawn"}),
    ("width_mm", _MM),
    ("height_mm", _MM),
    ("structure", {"type": "integer", "enum": [5, 4]}),
    ("kinds", {"type": "array", "items": _TEXT, "description": "kinds of licence; none ends it"}),
    ("until", _TIME),
    ("document", {**_BASE64, "description": "a PDF or OFD, or the 32 bytes of an SM3 digest"}),
    ("seal", {**_TEXT, "description": "the seal's code"}),
    ("pin", _TEXT),
    ("x_mm", {**_WHERE, "description": "from the left of the first page; with `y_mm`"}),
    ("y_mm", {**_WHERE, "description": "from the top (OFD) or the bottom (PDF)"}),
    ("person", {**_TEXT, "description": "DEPARTMENT:POST, a pseudonym"}),
    ("password", {**_TEXT, "description": "the one-time password"}),
)
_NEEDED: Final = ("sort", "name", "custodian", "valid_from", "valid_until", "ground")
_ORDER: Final = (*_NEEDED, "department", "line", "picture", "width_mm", "height_mm", "structure")


def _shape(required: tuple[str, ...], optional: tuple[str, ...] = ()) -> BodyShape:
    return BodyShape(required, optional, None, tuple(pair for pair in _SPECIAL if pair[0] in (*required, *optional)))


STEPS: Final[dict[str, BodyShape]] = {
    **{
        step: _shape(("ground",))
        for step in ("approve", "reject", "disable", "enable", "request-destruction", "keep", "destroy")
    },
    "transfer": _shape(("custodian", "ground")),
    "authorise": _shape(("ground",), ("kinds", "until")),
}
BODIES = {
    "/v1/seals": _shape(_NEEDED, tuple(name for name in _ORDER if name not in _NEEDED)),
    "/v1/seals/{code}/stamps": _shape(("document", "purpose"), _PLACED),
    "/v1/seals/signers": _shape(("person", "pin")),
    "/v1/seals/signers/{person}:renew": _shape(("pin", "ground")),
    "/v1/seal-approvals": _shape(("seal", "document", "purpose")),
    "/v1/seal-approvals/{id_}:approve": _shape(("document", "pin", "password")),
    "/v1/seal-approvals/{id_}:decline": _shape(()),
}
BODY_STEPS = {"/v1/seals/{code}:{step}": STEPS}
