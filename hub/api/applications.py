"""Applications over HTTP: submitting them, taking their steps, and seeing how far they are.

What a step does is `hub.applications`; a department sees what concerns it, the office and auditors see all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from catalog.steps import NotYoursError
from hub import applications
from hub.actors import Role
from hub.api import doors
from hub.api.bodies import ASKED, LESS, Body
from hub.api.bodyshapes import NAMES, WISHES, BodyShape, Schema
from hub.api.shapes import documented
from hub.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from hub.actors import Actor
    from hub.cases import Case

MEMBERS = (Role.APPLY, Role.REVIEW, Role.OFFICE, Role.AUDIT)


class WishShape(BaseModel):
    """A field that is asked for, why beyond the minimum, and how one of sensitivity grade 4 is protected."""

    name: str
    reason: str = ""
    statement: str = ""


class ClockShape(BaseModel):
    """A running clock: day *day* of *of* working days, *left* (negative: overdue)."""

    rule: str
    day: int
    of: int
    left: int
    due: str
    verified: bool


class StepShape(BaseModel):
    """A step that was taken, and its log entry."""

    revision: int
    at: str
    actor: str
    step: str
    state: str
    note: str
    log_index: int


class SummaryShape(BaseModel):
    """An application in a list."""

    id: str
    state: str
    revision: int
    applicant: str
    resource: str
    provider: str
    purposes: list[str]
    answerer: str = Field(description="the department whose turn it is")
    possible: list[str] = Field(description="the steps that may be taken now")
    tier: int
    grant: str
    opened_at: str
    updated_at: str
    clock: ClockShape | None


class ApplicationShape(SummaryShape):
    """An application with what was asked, said and decided."""

    fields: list[WishShape]
    actions: list[str]
    rows: list[str]
    volume_per_day: int
    term_days: int
    reason: str
    ground: str
    list_version: str
    renews: str
    office: str
    exchanges: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    disputes: list[str]
    document: str
    terms: dict[str, Any] | None
    history: list[StepShape]


class ApplicationsShape(BaseModel):
    """Applications, the one whose clock ends first before the others; *total* counts all that fit."""

    total: int
    page: int
    size: int
    items: list[SummaryShape]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get(
        "/v1/applications",
        response_model=ApplicationsShape,
        responses=documented(401, 403, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def found(
        request: Request,
        *,
        state: Annotated[str | None, Query(max_length=30)] = None,
        resource: Annotated[str | None, Query(max_length=100)] = None,
        waiting: Annotated[bool, Query(description="only those that wait for the caller's department")] = False,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The applications that concern the caller's department; all of them for the office and auditors."""
        actor = doors.actor(request, *MEMBERS)
        office = doors.office(request)
        wanted = {
            "concerning": None if sees_all(request) else actor.department,
            "waiting_for": actor.department if waiting else None,
            "state": state,
            "resource": resource,
        }
        rows = applications.find(office, **wanted, limit=size, offset=(page - 1) * size)
        plain = {
            "total": applications.count(office, **wanted),
            "page": page,
            "size": size,
            "items": [applications.plain(office, case, whole=False) for case in rows],
        }
        return doors.answer(request, plain)

    @app.get(
        "/v1/applications/{id_}",
        response_model=ApplicationShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, id_: str) -> Response:
        """An application with its history and clock. The ETag is for If-Match of its next step."""
        actor = doors.actor(request, *MEMBERS)
        case = applications.get(doors.office(request), id_)
        _need_concern(request, case, actor)
        return _answer(request, case)

    @app.post(
        "/v1/applications",
        response_model=ApplicationShape,
        status_code=201,
        responses=documented(400, 401, 403, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def submit(request: Request) -> Response:
        """Apply for a resource; what is shared without condition is granted at once.

        `resource`, `purposes` (matters), `fields` beyond their minimum (`{name, reason, statement}`), `actions`,
        `rows`, `volume_per_day`, `term_days`, `ground`, `reason`, `renews`.
        """
        return await doors.run(_submit, request, await doors.read_object(request))

    @app.post(
        "/v1/applications/{id_}:{step}",
        response_model=ApplicationShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def act(request: Request, id_: str, step: str) -> Response:
        """Take a step; give the ETag you have seen with If-Match to be refused if it has changed.

        `ask` with `question`; `supply` with `answer` and any member of an application that changes; `approve` with
        what is to be less (`fields`, `masks`, `rows`, `actions`, `purposes`, `quota_per_day`, `term_days`) and
        `note`; `refuse` with `ground` and `note`; `withdraw` with `note`; `dispute` with `reason`; `settle` with
        `give` (true or false), what is to be less, `ground`, `note` and `document`.
        """
        return await doors.run(_act, request, id_, step, await doors.read_object(request))


def sees_all(request: Request) -> bool:
    """Whether the caller may see what concerns other departments, too."""
    return bool({Role.OFFICE, Role.AUDIT} & set(doors.known(request).roles))


def _need_concern(request: Request, case: Case, actor: Actor) -> None:
    if not applications.concerns(case, actor.department) and not sees_all(request):
        value = case.value
        raise NotYoursError(actor=str(actor), needed=f"{value['applicant']}, {value['provider']}")


def _answer(request: Request, case: Case, *, status: int = 200) -> Response:
    plain = applications.plain(doors.office(request), case)
    return doors.answer(request, plain, status=status, revision=case.revision)


def _submit(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, Role.APPLY)
    office = doors.office(request)
    body = Body(members).done(ASKED)
    application = body.application(office.list_, actor.department)
    # Whoever drew it up against a list says so, and is told when another one is in force.
    version = body.text("list_version")
    if version:
        application = replace(application, list_version=version)
    return _answer(request, applications.apply(office, application, actor=actor), status=201)


def _act(request: Request, id_: str, step: str, members: dict[str, Any]) -> Response:
    if step not in _STEPS:
        raise NotFoundError
    roles, allowed, take = _STEPS[step]
    actor = doors.actor(request, *roles)
    body = Body(members).done(allowed)
    return _answer(request, take(request, id_, actor, body, doors.if_match(request)))


def _ask(request: Request, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    office = doors.office(request)
    return applications.ask(office, id_, body.text("question", None), actor=actor, revision=revision)


def _supply(request: Request, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    office = doors.office(request)
    amended = None
    if any(body.has(name) for name in _AMENDED):
        # What the body does not say stays as it was asked for.
        before = applications.get(office, id_)
        kept = {name: before.value[name] for name in _AMENDED if not body.has(name)}
        merged = Body({**kept, **{name: body.raw(name) for name in _AMENDED if body.has(name)}})
        amended = merged.application(office.list_, actor.department, before.resource)
    return applications.supply(office, id_, body.text("answer", None), actor=actor, amended=amended, revision=revision)


def _approve(request: Request, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    office = doors.office(request)
    return applications.approve(office, id_, actor=actor, less=body.less(), note=body.text("note"), revision=revision)


def _refuse(request: Request, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    return applications.refuse(
        doors.office(request),
        id_,
        ground=body.text("ground"),
        actor=actor,
        note=body.text("note"),
        revision=revision,
    )


def _withdraw(request: Request, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    office = doors.office(request)
    return applications.withdraw(office, id_, actor=actor, note=body.text("note"), revision=revision)


def _dispute(request: Request, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    office = doors.office(request)
    return applications.dispute(office, id_, body.text("reason", None), actor=actor, revision=revision)


def _settle(request: Request, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    return applications.settle(
        doors.office(request),
        id_,
        actor=actor,
        give=body.truth("give"),
        less=body.less(),
        ground=body.text("ground"),
        note=body.text("note"),
        document=body.text("document"),
        revision=revision,
    )


_AMENDED = ("purposes", "fields", "reason", "actions", "rows", "volume_per_day", "term_days", "ground")
_Taken = tuple[tuple[Role, ...], tuple[str, ...], "Callable[[Request, str, Actor, Body, int | None], Case]"]
_STEPS: dict[str, _Taken] = {
    "ask": ((Role.REVIEW,), ("question",), _ask),
    "supply": ((Role.APPLY,), ("answer", *_AMENDED), _supply),
    "approve": ((Role.REVIEW,), ("note", *LESS), _approve),
    "refuse": ((Role.REVIEW,), ("ground", "note"), _refuse),
    "withdraw": ((Role.APPLY,), ("note",), _withdraw),
    "dispute": ((Role.APPLY,), ("reason",), _dispute),
    "settle": ((Role.REVIEW, Role.OFFICE), ("give", "ground", "note", "document", *LESS), _settle),
}

_NEEDED = {
    "ask": ("question",),
    "supply": ("answer",),
    "refuse": ("ground",),
    "dispute": ("reason",),
    "settle": ("give",),
}


def _kind(step: str) -> Schema:
    return WISHES if step == "supply" else NAMES


BODIES = {
    "/v1/applications": BodyShape(("resource", "purposes"), tuple(sorted({*ASKED} - {"resource", "purposes"})), WISHES)
}
BODY_STEPS = {
    "/v1/applications/{id_}:{step}": {
        step: BodyShape(_NEEDED.get(step, ()), tuple(n for n in allowed if n not in _NEEDED.get(step, ())), _kind(step))
        for step, (_, allowed, _) in _STEPS.items()
    }
}
