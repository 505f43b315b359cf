"""Applications for licences over HTTP, for officers of the issuing department.

What a step does is `hub.licensing.dossiers`; a department sees its own cases, the office and auditors see all. What
the city knows of a holder is shown to the issuing department alone, and only in answer to a POST: no address holds
anything of a person. Decisions on licences have their doors in `hub.api.licence_decisions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from catalog.steps import NotYoursError
from hub.actors import Role
from hub.api import doors
from hub.api.applications import ClockShape, StepShape, sees_all
from hub.api.bodies import Body
from hub.api.bodyshapes import BodyShape, Schema
from hub.api.offices import dossiers
from hub.api.shapes import documented
from hub.errors import InvalidRequestError, NotFoundError
from hub.licensing.dossiers import CHANNELS, Dossiers, Order
from hub.licensing.dossiers.content import DOSSIER
from hub.licensing.dossiers.orders import MAX_ITEMS
from hub.licensing.dossiers.views import dossier_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI

    from hub.actors import Actor
    from hub.cases import Case

MEMBERS = (Role.APPLY, Role.REVIEW, Role.OFFICE, Role.AUDIT)
COUNTER = (Role.APPLY, Role.REVIEW)


class FaceLineShape(BaseModel):
    """A field of the face: what is known, masked where the list masks, and how what was stated compares."""

    field: str
    title: str
    title_en: str
    known: str
    same: str = Field(description="match, mismatch, unknown; empty where nothing was stated")


class PrefilledShape(BaseModel):
    """What the city knows already, and whether a licence could be issued from it now."""

    kind: str
    outcome: str
    outcome_en: str
    outcome_zh: str
    field: str
    differs: list[str] = Field(description="the fields of the face in which the applicant says otherwise")
    face: list[FaceLineShape]


class CaseHeadShape(BaseModel):
    """What every case of a licence shows in a list; nothing of its holder."""

    id: str
    state: str
    state_en: str
    state_zh: str
    open: bool
    revision: int
    answerer: str
    resource: str
    opened_at: str
    updated_at: str
    clock: ClockShape | None
    kind: str
    kind_name: str
    kind_name_en: str
    issuer: str
    persons: int = Field(description="how many persons decide: 1 or 2")
    possible: list[str] = Field(description="the steps that may be taken now")
    licence: str


class LicenceApplicationHeadShape(CaseHeadShape):
    """An application for a licence in a list."""

    purpose: str = Field(description="new, renew or change")
    predecessor: str
    planned: str = Field(description="what would come of issuing, by the last look-up")
    planned_field: str
    differs: list[str]


class LicenceApplicationShape(LicenceApplicationHeadShape):
    """An application for a licence with its words and history."""

    planned_en: str
    planned_zh: str
    matter: str
    reason: str
    ground: str
    materials: list[str]
    channel: str
    return_until: str = Field(description="until when it may be returned for completion; empty: no more")
    issuing: bool
    history: list[StepShape]


class HandedInShape(LicenceApplicationShape):
    """An application that was taken in, with what the city knows already."""

    known: PrefilledShape


class LicenceApplicationsShape(BaseModel):
    """Applications for licences, the one whose clock ends first before the others; *total* counts all that fit."""

    total: int
    page: int
    size: int
    items: list[LicenceApplicationHeadShape]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get(
        "/v1/licences/applications",
        response_model=LicenceApplicationsShape,
        responses=documented(401, 403, 404, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def found(
        request: Request,
        *,
        state: Annotated[str | None, Query(max_length=30)] = None,
        kind: Annotated[str | None, Query(max_length=100, description="the code of a kind")] = None,
        waiting: Annotated[bool, Query(description="only those in which a step can still be taken")] = False,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The applications for licences of the caller's department; all of them for the office and auditors."""
        actor = doors.actor(request, *MEMBERS)
        office = dossiers(request)
        total, rows = office.find(
            department=None if sees_all(request) else actor.department,
            state=state,
            kind=kind,
            open_=True if waiting else None,
            limit=size,
            offset=(page - 1) * size,
        )
        items = [dossier_plain(doors.office(request), office, case, whole=False) for case in rows]
        return doors.answer(request, {"total": total, "page": page, "size": size, "items": items})

    @app.get(
        "/v1/licences/applications/{id_}",
        response_model=LicenceApplicationShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, id_: str) -> Response:
        """An application for a licence with its history and clock. The ETag is for If-Match of its next step."""
        actor = doors.actor(request, *MEMBERS)
        case = doors.office(request).cases.get(id_, DOSSIER)
        need_concern(request, case, actor)
        return _dossier(request, case)

    @app.post(
        "/v1/licences/applications",
        response_model=HandedInShape,
        status_code=201,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def hand_in(request: Request) -> Response:
        """Take in an application; the answer shows what the city knows already, beside what the applicant states.

        `kind` (code or name), `holder` (the holder's code), `record` (further look-up fields), `stated` (fields of
        the face), `reason`, `ground`, `matter`, `materials`, `channel`; to renew or change a licence, `predecessor`
        (then `holder` may be left out), and `change` (true: not a renewal).
        """
        return await doors.run(_hand_in, request, await doors.read_object(request))

    @app.post(
        "/v1/licences/applications:preview",
        response_model=PrefilledShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def preview(request: Request) -> Response:
        """What the city knows already and whether it could be issued now; opens nothing, and is recorded.

        The members are those of an application; `reason` and `ground` may be left out.
        """
        return await doors.run(_preview, request, await doors.read_object(request))

    @app.post(
        "/v1/licences/applications/{id_}:look",
        response_model=PrefilledShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def look(request: Request, id_: str) -> Response:
        """What the city knows now, beside what was stated in this application; it is recorded. The body is `{}`."""
        return await doors.run(_look, request, id_, await doors.read_object(request))

    @app.post(
        "/v1/licences/applications/{id_}:{step}",
        response_model=LicenceApplicationShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def act(request: Request, id_: str, step: str) -> Response:
        """Take a step; give the ETag you have seen with If-Match to be refused if it has changed.

        `return` and `withdraw` with `reason`; `refuse` with `reason` and `ground`; `review`, `approve` and `hand-out`
        with `reason` and `ground` if they are others than the application's; `complete` with `reason`, `stated` and
        further `materials`. `hand-out` is safe to repeat when no answer came.
        """
        return await doors.run(_act, request, id_, step, await doors.read_object(request))


def need_concern(request: Request, case: Case, actor: Actor) -> None:
    """Let only those see a case whom it concerns.

    Raises:
        NotYoursError: it is another department's, and the caller is neither of the office nor an auditor.
    """
    if case.opener != actor.department and not sees_all(request):
        raise NotYoursError(actor=str(actor), needed=case.opener)


def _dossier(request: Request, case: Case, *, known: Mapping[str, Any] | None = None, status: int = 200) -> Response:
    plain = dossier_plain(doors.office(request), dossiers(request), case)
    if known is not None:
        plain["known"] = dict(known)
    return doors.answer(request, plain, status=status, revision=case.revision)


def _order(members: dict[str, Any], *, words: str | None) -> Order:
    """An application out of a body; *words* stand where reason and ground are not asked for."""
    body = Body(members).done(_ASKED)
    predecessor = body.text("predecessor")
    return Order(
        kind=body.text("kind", None),
        holder=body.text("holder", "" if predecessor else None),
        reason=body.text("reason", words),
        ground=body.text("ground", words),
        record=_pairs(body, "record"),
        stated=_pairs(body, "stated"),
        matter=body.text("matter"),
        materials=body.texts("materials") or (),
        channel=body.text("channel", "window"),
        predecessor=predecessor,
        change=body.truth("change") if body.has("change") else False,
    )


def _pairs(body: Body, name: str) -> dict[str, str]:
    """An object of texts, empty where it is not given; neither name nor value is said back."""
    if not body.has(name):
        return {}
    value = body.raw(name)
    if not isinstance(value, dict) or len(value) > MAX_ITEMS or not all(isinstance(v, str) for v in value.values()):
        raise InvalidRequestError(
            where=name,
            why=f"an object of at most {MAX_ITEMS} texts is wanted",
            why_zh=f"应为不超过 {MAX_ITEMS} 项文本的对象",
        )
    return value


def _hand_in(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, Role.APPLY)
    handed = dossiers(request).apply(_order(members, words=None), actor=actor)
    return _dossier(request, handed.case, known=handed.prefilled.plain(), status=201)


def _preview(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *COUNTER)
    return doors.answer(request, dossiers(request).preview(_order(members, words="试算"), actor=actor).plain())


def _look(request: Request, id_: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *COUNTER)
    Body(members).done(())
    return doors.answer(request, dossiers(request).look(id_, actor=actor).plain())


def _act(request: Request, id_: str, step: str, members: dict[str, Any]) -> Response:
    if step not in _STEPS:
        raise NotFoundError
    role, needed, further, take = _STEPS[step]
    actor = doors.actor(request, role)
    body = Body(members).done((*needed, *further))
    for name in needed:
        body.text(name, None)
    return _dossier(request, take(dossiers(request), id_, actor, body, doors.if_match(request)))


def _taking(name: str) -> Callable[[Dossiers, str, Actor, Body, int | None], Case]:
    def take(dossiers: Dossiers, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
        words = {"reason": body.text("reason"), "ground": body.text("ground")}
        case: Case = getattr(dossiers, name)(id_, actor=actor, **words, revision=revision)
        return case

    return take


def _complete(dossiers: Dossiers, id_: str, actor: Actor, body: Body, revision: int | None) -> Case:
    stated = _pairs(body, "stated") if body.has("stated") else None
    materials = body.texts("materials") or ()
    reason = body.text("reason")
    return dossiers.complete(
        id_, actor=actor, reason=reason, stated=stated, materials=materials, revision=revision
    ).case


_WORDS = ("reason", "ground")
# step: who, what must be said, what may be said beside it, and what it does.
_STEPS: dict[str, tuple[Role, tuple[str, ...], tuple[str, ...], Any]] = {
    "complete": (Role.APPLY, ("reason",), ("stated", "materials"), _complete),
    "withdraw": (Role.APPLY, ("reason",), ("ground",), _taking("withdraw")),
    "return": (Role.REVIEW, ("reason",), ("ground",), _taking("ask")),
    "review": (Role.REVIEW, (), _WORDS, _taking("review")),
    "approve": (Role.REVIEW, (), _WORDS, _taking("approve")),
    "refuse": (Role.REVIEW, _WORDS, (), _taking("refuse")),
    "hand-out": (Role.REVIEW, (), _WORDS, _taking("hand_out")),
}

_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_FURTHER = ("record", "stated", "matter", "materials", "channel", "predecessor", "change", "holder")
_ASKED = ("kind", *_WORDS, *_FURTHER)
_SPECIAL: tuple[tuple[str, Schema], ...] = (
    ("kind", {"type": "string", "description": "a kind's code or name"}),
    ("holder", {"type": "string", "description": "the holder's code; left out where a predecessor is named"}),
    ("record", {**_TEXTS, "description": "which record, by further look-up fields"}),
    ("stated", {**_TEXTS, "description": "what the applicant states, by fields of the face"}),
    ("materials", {"type": "array", "items": {"type": "string"}, "description": "identifiers of e-materials"}),
    ("channel", {"type": "string", "enum": list(CHANNELS)}),
    ("predecessor", {"type": "string", "description": "the licence that is to be renewed or changed"}),
    ("change", {"type": "boolean", "description": "true: the licence is changed, not renewed"}),
)
BODIES = {
    "/v1/licences/applications": BodyShape(("kind", *_WORDS), _FURTHER, special=_SPECIAL),
    "/v1/licences/applications:preview": BodyShape(("kind",), (*_FURTHER, *_WORDS), special=_SPECIAL),
    "/v1/licences/applications/{id_}:look": BodyShape(),
}
BODY_STEPS = {
    "/v1/licences/applications/{id_}:{step}": {
        step: BodyShape(needed, further, special=_SPECIAL) for step, (_, needed, further, _) in _STEPS.items()
    },
}
