"""The demand list over HTTP (需求清单), searches without a hit, and the check against collecting again (不重复采集).

What a step does is `hub.demands`; what a form need not collect, `hub.forms`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel

from catalog.collect import MAX_FIELDS, FormField
from catalog.demand import Answer, Demand, met_by
from hub import demands, forms
from hub.actors import Role
from hub.api import doors
from hub.api.bodies import day, texts
from hub.api.bodyshapes import ANSWERS, LABELS, BodyShape
from hub.api.shapes import documented
from hub.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

MEMBERS = (Role.APPLY, Role.REVIEW, Role.OFFICE, Role.AUDIT)
STEPS = ("claim", "assign", "answer", "withdraw")


class DemandShape(BaseModel):
    """A demand with its clock and the resources that may meet it."""

    id: str
    revision: int
    state: str
    consumer: str
    words: str
    purpose: str
    matter: str
    suspected: str
    holder: str
    answerer: str
    resource: str
    ground: str
    planned_on: str | None
    note: str
    due: str | None
    suggestions: list[dict[str, Any]]


class DemandsShape(BaseModel):
    """Demands, the one whose clock ends first before the others."""

    total: int
    demands: list[DemandShape]


class FormReportShape(BaseModel):
    """The form, item by item; *findings* of them need not be collected."""

    list_version: str
    department: str
    matter: str
    findings: int
    lines: list[dict[str, Any]]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
    _add_reading(app)
    _add_steps(app)
    _add_forms(app)


def _add_reading(app: FastAPI) -> None:
    @app.get(
        "/v1/demands",
        response_model=DemandsShape,
        responses=documented(401, 403, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def found(
        request: Request,
        *,
        state: Annotated[str | None, Query(max_length=30)] = None,
        consumer: Annotated[str | None, Query(max_length=100)] = None,
        answerer: Annotated[str | None, Query(max_length=100)] = None,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The demand list; every department sees all of it, so that whoever has the data can claim."""
        doors.actor(request, *MEMBERS)
        cases = doors.office(request).cases
        rows = cases.find(
            demands.KIND, state=state, opener=consumer, answerer=answerer, limit=size, offset=(page - 1) * size
        )
        total = cases.count(demands.KIND, state=state, opener=consumer, answerer=answerer)
        return doors.answer(request, {"total": total, "demands": [demands.case_plain(case) for case in rows]})

    @app.get("/v1/demands:missed", responses=documented(401, 403, 422, 503), openapi_extra=doors.KEYED)
    def missed(request: Request, *, days: Annotated[int, Query(ge=1, le=3_660)] = demands.MISSED_DAYS) -> Response:
        """What was searched in vain, the most often first; who searched is not kept."""
        doors.actor(request, *MEMBERS)
        office = doors.office(request)
        rows = demands.missed(office.control, demands.since_days(office.now(), days))
        return doors.answer(request, {"missed": [asdict(row) for row in rows]})

    @app.get(
        "/v1/demands/{id_}",
        response_model=DemandShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, id_: str) -> Response:
        """A demand, its history, and while it is open the resources that may meet it."""
        doors.actor(request, *MEMBERS)
        office = doors.office(request)
        case = office.cases.get(id_, demands.KIND)
        list_ = doors.service(request).standing.now().list
        suggested = met_by(Demand.from_plain(case.value), list_) if case.open else ()
        history = [
            {
                "at": s.at.isoformat(),
                "actor": s.actor,
                "step": s.step,
                "state": s.state,
                "note": s.note,
                "entry": s.log_index,
            }
            for s in office.cases.history(id_)
        ]
        plain = {**demands.case_plain(case, suggested), "history": history}
        return doors.answer(request, plain, revision=case.revision)


def _add_steps(app: FastAPI) -> None:
    @app.post(
        "/v1/demands",
        response_model=DemandShape,
        status_code=201,
        responses=documented(400, 401, 403, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def submit(request: Request) -> Response:
        """Put a demand on the list: `words`, `purpose`, and if known `matter` and `suspected` (a department)."""
        return await doors.run(_submit, request, await doors.read_object(request))

    @app.post(
        "/v1/demands/{id_}:{step}",
        response_model=DemandShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def act(request: Request, id_: str, step: str) -> Response:
        """Take a step of a demand; give the ETag you have seen with If-Match to be refused if it has changed.

        `claim`; `assign` with `department`; `answer` with `outcome` (`met`, `refused`, `planned`) and `resource`,
        `ground` or `planned_on`, and `note`; `withdraw` with `why`.
        """
        return await doors.run(_act, request, id_, step, await doors.read_object(request))


def _submit(request: Request, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, Role.APPLY)
    given = texts(body, required=("words", "purpose"), optional=("matter", "suspected"))
    case = demands.submit(doors.office(request), actor, **given)
    return doors.answer(request, demands.case_plain(case), status=201, revision=case.revision)


def _act(request: Request, id_: str, step: str, body: Mapping[str, Any]) -> Response:
    office, revision = doors.office(request), doors.if_match(request)
    match step:
        case "claim":
            actor = doors.actor(request, Role.REVIEW)
            texts(body)
            case = demands.claim(office, actor, id_, revision=revision)
        case "assign":
            actor = doors.actor(request, Role.OFFICE)
            department = texts(body, required=("department",))["department"]
            case = demands.assign(office, actor, id_, department, revision=revision)
        case "answer":
            actor = doors.actor(request, Role.REVIEW)
            given = texts(body, required=("outcome",), optional=("resource", "ground", "planned_on", "note"))
            planned_on = day(given, "planned_on")
            words = {name: text for name, text in given.items() if name != "planned_on"}
            case = demands.answer(office, actor, id_, Answer(**words, planned_on=planned_on), revision=revision)
        case "withdraw":
            actor = doors.actor(request, Role.APPLY)
            why = texts(body, optional=("why",)).get("why", "")
            case = demands.withdraw(office, actor, id_, why=why, revision=revision)
        case _:
            allowed = ", ".join(f"`{known}`" for known in STEPS)
            raise InvalidRequestError(where="step", why=f"one of {allowed} is wanted", why_zh=f"应为：{allowed}")
    return doors.answer(request, demands.case_plain(case), revision=case.revision)


def _add_forms(app: FastAPI) -> None:
    @app.post(
        "/v1/forms:check",
        response_model=FormReportShape,
        responses=documented(400, 401, 403, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def check(request: Request) -> Response:
        """Compare a form with the list: `fields` (labels, or `{label, name}`) and `matter`."""
        return await doors.run(_check, request, await doors.read_object(request))


def _check(request: Request, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, *MEMBERS)
    office = doors.office(request)
    rest = {name: value for name, value in body.items() if name != "fields"}
    matter = texts(rest, optional=("matter",)).get("matter", "")
    report = forms.check(
        office.control,
        doors.service(request).standing.now().list,
        _fields(body.get("fields")),
        department=actor.department,
        matter=matter,
        on=office.now(),
    )
    return doors.answer(request, report.plain())


def _fields(value: object) -> list[FormField]:
    if not isinstance(value, list) or len(value) > MAX_FIELDS:
        raise InvalidRequestError(
            where="fields",
            why=f"an array of at most {MAX_FIELDS} labels is wanted",
            why_zh=f"应为信息项数组，不超过 {MAX_FIELDS} 项",
        )
    fields = []
    for position, item in enumerate(value):
        if isinstance(item, str):
            fields.append(FormField(item))
            continue
        if not isinstance(item, dict):
            raise InvalidRequestError(
                where=f"fields[{position}]", why="a label or an object is wanted", why_zh="应为文本或对象"
            )
        fields.append(FormField(**texts(item, required=("label",), optional=("name",), where=f"fields[{position}].")))
    return fields


BODIES = {
    "/v1/demands": BodyShape(("words", "purpose"), ("matter", "suspected")),
    "/v1/forms:check": BodyShape(("fields",), ("matter",), LABELS),
}
BODY_STEPS = {
    "/v1/demands/{id_}:{step}": {
        "claim": BodyShape(),
        "assign": BodyShape(("department",)),
        "answer": BodyShape(
            ("outcome",), ("resource", "ground", "planned_on", "note"), special=(("outcome", ANSWERS),)
        ),
        "withdraw": BodyShape((), ("why",)),
    }
}
