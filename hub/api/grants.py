"""Grants over HTTP: what a department holds or provides, how it was used, and lessening or ending it.

Grants are given through applications (`hub.api.applications`); the steps here are `hub.grants`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel

from catalog.steps import NotYoursError
from hub import grants
from hub.actors import Role
from hub.api import doors
from hub.api.applications import MEMBERS, sees_all
from hub.api.bodies import LESS, Body
from hub.api.bodyshapes import NAMES, BodyShape
from hub.api.shapes import documented
from hub.errors import NotFoundError
from hub.usage import count

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.actors import Actor
    from hub.grants import GrantRecord

STEPS: dict[str, tuple[Role, ...]] = {
    "shrink": (Role.APPLY, Role.REVIEW, Role.OFFICE),
    "suspend": (Role.REVIEW, Role.OFFICE),
    "resume": (Role.REVIEW, Role.OFFICE),
    "hand-back": (Role.APPLY,),
    "revoke": (Role.REVIEW, Role.OFFICE),
}


class UseShape(BaseModel):
    """How a grant was used; *days_unused* since its last call or, without one, since it began."""

    calls: int
    today: int
    last_used: str | None
    days_unused: int


class GrantSummaryShape(BaseModel):
    """A grant: its terms, its state, who gave it and how it ended."""

    id: str
    state: str
    possible: list[str]
    consumer: str
    resource: str
    fields: list[str]
    masks: dict[str, str]
    rows: list[str]
    purposes: list[str]
    actions: list[str]
    quota_per_day: int
    starts: str
    expires: str
    suspended_at: str | None
    suspended_by: str
    revoked_at: str | None
    list_version: str
    ground: str
    application: str
    predecessor: str
    given_by: str
    given_at: str
    log_index: int
    ended_by: str
    ended_why: str
    ended_log_index: int | None


class GrantShape(GrantSummaryShape):
    """A grant and how it was used."""

    use: UseShape


class GrantsShape(BaseModel):
    """Grants, the newest first; *total* counts all that fit."""

    total: int
    page: int
    size: int
    items: list[GrantSummaryShape]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get(
        "/v1/grants", response_model=GrantsShape, responses=documented(401, 403, 422, 503), openapi_extra=doors.KEYED
    )
    def found(
        request: Request,
        *,
        resource: Annotated[str | None, Query(max_length=100)] = None,
        ended: Annotated[bool, Query(description="those that were ended, instead of those that were not")] = False,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The grants that the caller's department holds or provides for; all of them for the office and auditors."""
        actor = doors.actor(request, *MEMBERS)
        office = doors.office(request)
        concerning = None if sees_all(request) else actor.department
        rows = grants.find(
            office, concerning=concerning, resource=resource, ended=ended, limit=size, offset=(page - 1) * size
        )
        plain = {
            "total": grants.count(office, concerning=concerning, resource=resource, ended=ended),
            "page": page,
            "size": size,
            "items": [grants.plain(record, office.now()) for record in rows],
        }
        return doors.answer(request, plain)

    @app.get(
        "/v1/grants/{id_}",
        response_model=GrantShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, id_: str) -> Response:
        """A grant and how it was used up to now."""
        return _answer(request, _seen(request, id_))

    @app.post(
        "/v1/grants/{id_}:{step}",
        response_model=GrantShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def act(request: Request, id_: str, step: str) -> Response:
        """Change a grant, with a `reason`; it bites on the next call.

        `suspend`, `resume` and `revoke` are for who provides the data and for the office, `hand-back` for the holder,
        `shrink` for each of them: it names what is to be less (`fields`, `masks`, `rows`, `actions`, `purposes`,
        `quota_per_day`, `term_days`) and answers with the grant that takes the place of this one.
        """
        return await doors.run(_act, request, id_, step, await doors.read_object(request))


def _seen(request: Request, id_: str) -> GrantRecord:
    """The grant, for a department that it concerns."""
    actor = doors.actor(request, *MEMBERS)
    office = doors.office(request)
    record = grants.get(office.control, id_)
    concerned = (record.grant.consumer, grants.provider_of(office, record.grant))
    if actor.department not in concerned and not sees_all(request):
        raise NotYoursError(actor=str(actor), needed=", ".join(dict.fromkeys(concerned)))
    return record


def _act(request: Request, id_: str, step: str, members: dict[str, Any]) -> Response:
    if step not in STEPS:
        raise NotFoundError
    actor: Actor = doors.actor(request, *STEPS[step])
    office = doors.office(request)
    body = Body(members).done(("reason", *LESS) if step == "shrink" else ("reason",))
    reason = body.text("reason")
    if step == "shrink":
        record = grants.shrink(office, id_, body.less(), actor=actor, reason=reason)
    else:
        record = grants.STEPS[step.replace("-", "_")](office, id_, actor=actor, reason=reason)
    return _answer(request, record)


def _answer(request: Request, record: GrantRecord) -> Response:
    office = doors.office(request)
    count(office.control, office.evidence.log)
    use = grants.use_of(office.control, record.grant.id, on=office.now())
    return doors.answer(request, grants.plain(record, office.now(), use))


BODIES: dict[str, BodyShape] = {}
BODY_STEPS = {
    "/v1/grants/{id_}:{step}": {step: BodyShape(("reason",), LESS if step == "shrink" else (), NAMES) for step in STEPS}
}
