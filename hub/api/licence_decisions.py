"""Decisions on licences over HTTP, for officers of the issuing department.

What a step does is `hub.licensing.dossiers`; who sees what is as with applications (`hub.api.licence_cases`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel

from hub.actors import Role
from hub.api import doors
from hub.api.applications import StepShape, sees_all
from hub.api.bodies import Body
from hub.api.bodyshapes import BodyShape, Schema
from hub.api.licence_cases import MEMBERS, CaseHeadShape, need_concern
from hub.api.offices import dossiers
from hub.api.shapes import documented
from hub.errors import NotFoundError
from hub.licensing.dossiers.content import DECISION, DECISIONS
from hub.licensing.dossiers.views import decision_plain

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.cases import Case


class LicenceDecisionHeadShape(CaseHeadShape):
    """A decision on a licence in a list."""

    action: str
    first: str
    second: str


class ReliedShape(BaseModel):
    """Who holds a copy of the licence that is in force, by department."""

    copies: list[dict[str, Any]]
    copies_in_force: int


class LicenceDecisionShape(LicenceDecisionHeadShape):
    """A decision on a licence with its words, its history and who relied on the licence."""

    reason: str
    ground: str
    why: str
    relied_on: ReliedShape
    history: list[StepShape]


class LicenceDecisionsShape(BaseModel):
    """Decisions on licences; *total* counts all that fit."""

    total: int
    page: int
    size: int
    items: list[LicenceDecisionHeadShape]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get(
        "/v1/licences/decisions",
        response_model=LicenceDecisionsShape,
        responses=documented(401, 403, 404, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def found(
        request: Request,
        *,
        licence: Annotated[str | None, Query(max_length=200, description="a licence identifier")] = None,
        waiting: Annotated[bool, Query(description="only those that are not finished")] = False,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The decisions on licences of the caller's department; all of them for the office and auditors."""
        actor = doors.actor(request, *MEMBERS)
        office = dossiers(request)
        total, rows = office.decisions(
            department=None if sees_all(request) else actor.department,
            licence=licence,
            open_=True if waiting else None,
            limit=size,
            offset=(page - 1) * size,
        )
        items = [decision_plain(doors.office(request), office, case, whole=False) for case in rows]
        return doors.answer(request, {"total": total, "page": page, "size": size, "items": items})

    @app.get(
        "/v1/licences/decisions/{id_}",
        response_model=LicenceDecisionShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, id_: str) -> Response:
        """A decision on a licence with its history, and who relied on the licence."""
        actor = doors.actor(request, *MEMBERS)
        case = doors.office(request).cases.get(id_, DECISION)
        need_concern(request, case, actor)
        return _decision(request, case)

    @app.post(
        "/v1/licences/decisions",
        response_model=LicenceDecisionShape,
        status_code=201,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def propose(request: Request) -> Response:
        """Put a decision on a licence forward; where one person decides it takes effect at once.

        `licence` (its identifier), `action` (suspend, resume, transfer, revoke, cancel, withdraw), `reason`, `ground`.
        """
        return await doors.run(_propose, request, await doors.read_object(request))

    @app.post(
        "/v1/licences/decisions/{id_}:{step}",
        response_model=LicenceDecisionShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def settle(request: Request, id_: str, step: str) -> Response:
        """`confirm` it as a second officer (safe to repeat), or `drop` it with `reason` before it is confirmed."""
        return await doors.run(_settle, request, id_, step, await doors.read_object(request))


def _decision(request: Request, case: Case, *, status: int = 200) -> Response:
    plain = decision_plain(doors.office(request), dossiers(request), case)
    return doors.answer(request, plain, status=status, revision=case.revision)


def _propose(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, Role.REVIEW)
    body = Body(members).done(_DECIDED)
    identifier, action, reason, ground = (body.text(name, None) for name in _DECIDED)
    case = dossiers(request).propose(identifier, action, actor=actor, reason=reason, ground=ground)
    return _decision(request, case, status=201)


def _settle(request: Request, id_: str, step: str, members: dict[str, Any]) -> Response:
    if step not in ("confirm", "drop"):
        raise NotFoundError
    actor = doors.actor(request, Role.REVIEW)
    revision = doors.if_match(request)
    if step == "confirm":
        Body(members).done(())
        return _decision(request, dossiers(request).confirm(id_, actor=actor, revision=revision))
    reason = Body(members).done(("reason",)).text("reason", None)
    return _decision(request, dossiers(request).drop(id_, actor=actor, reason=reason, revision=revision))


_DECIDED = ("licence", "action", "reason", "ground")
_SPECIAL: tuple[tuple[str, Schema], ...] = (
    ("licence", {"type": "string", "description": "a licence identifier"}),
    ("action", {"type": "string", "enum": list(DECISIONS)}),
)
BODIES = {"/v1/licences/decisions": BodyShape(_DECIDED, special=_SPECIAL)}
BODY_STEPS = {"/v1/licences/decisions/{id_}:{step}": {"confirm": BodyShape(), "drop": BodyShape(("reason",))}}
