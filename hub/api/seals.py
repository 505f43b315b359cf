"""Electronic seals over HTTP: the register and their use.

What a step does is `hub.seals`'s; remote signatures are asked for in `hub.api.seal_signers`. A department's people see
and use its seals, the hub's office and auditors see all. Who acts is the department of the key and, as its post, the
key's name: a custodian's key bears the custodian's post.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse

from hub.actors import Role
from hub.api import doors, offices
from hub.api.applications import sees_all
from hub.api.bodies import Body
from hub.api.seal_shapes import MAX_MM, SealShape, SealsShape, SealUsesShape, StampedShape, body_shape
from hub.api.shapes import documented
from hub.errors import InvalidRequestError, NotFoundError, RoleMissingError
from hub.seals.registering import SealOrder
from hub.seals.using import Place
from hub.seals.words import Sort
from licence.seals.register import Action

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.api.bodyshapes import BodyShape
    from hub.seals.using import Stamped

MEMBERS = (Role.APPLY, Role.REVIEW, Role.OFFICE, Role.AUDIT)
ACTING = (Role.APPLY, Role.REVIEW, Role.OFFICE)
_PLACED: Final = ("x_mm", "y_mm")


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
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
        department = None if sees_all(request) else actor.department
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


def is_office(request: Request) -> bool:
    """Whether the caller is of the hub's office."""
    return Role.OFFICE in doors.known(request).roles


def stamped(request: Request, done: Stamped) -> Response:
    """The answer to a use of a seal."""
    return doors.answer(request, {"use": done.use, "form": done.form, "data": base64.b64encode(done.data).decode()})


def _own(request: Request, code: str) -> dict[str, Any]:
    actor = doors.actor(request, *MEMBERS)
    seal = offices.seals(request).show(code)
    if seal["department"] != actor.department and not sees_all(request):
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
        png=body.octets("picture") if body.has("picture") else b"",
        width_mm=_number(body, "width_mm", 42),
        height_mm=_number(body, "height_mm", 42),
        structure=_number(body, "structure", 5),
    )
    made = offices.seals(request).request(order, by=actor, ground=body.text("ground", None), office=is_office(request))
    return doors.answer(request, made, status=201)


def _act(request: Request, code: str, step: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    if step not in STEPS:
        raise NotFoundError
    body = Body(members).done((*STEPS[step].required, *STEPS[step].optional))
    office, ground, seals = is_office(request), body.text("ground", None), offices.seals(request)
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
    done = offices.seals(request).stamp(code, body.octets("document"), by=actor, purpose=purpose, place=place)
    return stamped(request, done)


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


_NEEDED: Final = ("sort", "name", "custodian", "valid_from", "valid_until", "ground")
_ORDER: Final = (*_NEEDED, "department", "line", "picture", "width_mm", "height_mm", "structure")
STEPS: Final[dict[str, BodyShape]] = {
    **{
        step: body_shape(("ground",))
        for step in ("approve", "reject", "disable", "enable", "request-destruction", "keep", "destroy")
    },
    "transfer": body_shape(("custodian", "ground")),
    "authorise": body_shape(("ground",), ("kinds", "until")),
}
BODIES = {
    "/v1/seals": body_shape(_NEEDED, tuple(name for name in _ORDER if name not in _NEEDED)),
    "/v1/seals/{code}/stamps": body_shape(("document", "purpose"), _PLACED),
}
BODY_STEPS = {"/v1/seals/{code}:{step}": STEPS}
