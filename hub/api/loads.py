"""Loads over HTTP: their run records, how fresh each resource is, alerts, changed shapes of sources, comparisons.

A department sees its own resources; the office of the list and auditors see all. Loading itself is for the scheduler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request, Response

from hub import alerts, drifts, loads, upkeep, watching
from hub.actors import Actor, Role
from hub.api import doors, problems
from hub.api.bodies import texts
from hub.api.bodyshapes import BodyShape
from hub.api.shapes import (
    AlertsShape,
    DriftShape,
    DriftsShape,
    FreshnessesShape,
    LoadsShape,
    ReconciliationsShape,
    documented,
)
from hub.errors import NotFoundError
from hub.freshness import LIGHTS
from hub.requests import MAX_INTEGER

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.loads import LoadReport
    from hub.office import Office

READERS = (Role.APPLY, Role.REVIEW, Role.OFFICE, Role.AUDIT)
ALL_SEEING = frozenset({Role.OFFICE, Role.AUDIT})
DECISIONS = ("approve", "refuse")
MOST_ROWS = 1_000
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
_PROBLEMS = documented(401, 403, 422, 503)


def load_plain(report: LoadReport) -> dict[str, Any]:
    """A load as the API says it. Snapshot ids are text: they do not fit the numbers of every JSON reader."""
    plain = {name: getattr(report, name) for name in report.__slots__}
    return plain | {
        "started": report.started.isoformat(),
        "finished": report.finished.isoformat() if report.finished else None,
        "snapshot": None if report.snapshot is None else str(report.snapshot),
        "reasons": dict(report.reasons),
        "seconds": dict(report.seconds),
        "notes": dict(report.notes),
    }


def _seen_by(request: Request, office: Office) -> tuple[Actor, frozenset[str] | None]:
    """Who asks, and the resources it may see (None: all)."""
    caller = doors.caller(request, *READERS)
    actor = Actor(caller.department, caller.name)
    if ALL_SEEING & set(caller.roles):
        return actor, None
    return actor, frozenset(r.code for r in office.list_.resources if r.provider == actor.department)


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get("/v1/loads", response_model=LoadsShape, responses=_PROBLEMS, openapi_extra=doors.KEYED)
    def listed(
        request: Request,
        *,
        after: Annotated[int, Query(ge=0, le=MAX_INTEGER)] = 0,
        resource: Annotated[str, Query(max_length=100)] = "",
        outcome: Annotated[str, Query(max_length=20)] = "",
        limit: Limit = 100,
    ) -> Response:
        """Run records with an id above *after*, oldest first; go on with the last id."""
        office = doors.office(request)
        _, codes = _seen_by(request, office)
        found = loads.since(office.control, after=after, resource=resource, outcome=outcome, among=codes, limit=limit)
        rows = [load_plain(report) for report in found]
        return doors.answer(request, {"loads": rows, "last": found[-1].id if found else after})

    @app.get("/v1/freshness", response_model=FreshnessesShape, responses=_PROBLEMS, openapi_extra=doors.KEYED)
    def freshness(request: Request) -> Response:
        """Each resource's light, its last success, and when its promise breaks."""
        office = doors.office(request)
        _, codes = _seen_by(request, office)
        lang = problems.language(request.headers.get("accept-language"))
        rows = [
            {
                "resource": one.resource,
                "light": one.light.value,
                "text": LIGHTS[one.light][lang == "zh"],
                "success": one.success.isoformat() if one.success else None,
                "due": one.due.isoformat() if one.due else None,
                "load": one.newest.id if one.newest else None,
            }
            for one in watching.board(office)
            if codes is None or one.resource in codes
        ]
        return doors.answer(request, {"resources": rows})

    @app.get("/v1/alerts", response_model=AlertsShape, responses=_PROBLEMS, openapi_extra=doors.KEYED)
    def alerted(request: Request) -> Response:
        """The alerts that stand open, newest first, with what to do."""
        office = doors.office(request)
        _, codes = _seen_by(request, office)
        lang = problems.language(request.headers.get("accept-language"))
        found = alerts.open_alerts(office.control)
        return doors.answer(
            request, {"alerts": [one.plain(lang) for one in found if codes is None or one.resource in codes]}
        )

    @app.get("/v1/reconciliations", response_model=ReconciliationsShape, responses=_PROBLEMS, openapi_extra=doors.KEYED)
    def compared(
        request: Request, *, resource: Annotated[str, Query(max_length=100)] = "", limit: Limit = 100
    ) -> Response:
        """The newest comparisons of tables with their sources, newest first."""
        office = doors.office(request)
        _, codes = _seen_by(request, office)
        rows = [
            {name: value for name, value in row.items() if name != "report"}
            | {"at": row["at"].isoformat(), "snapshot": None if row["snapshot"] is None else str(row["snapshot"])}
            for row in upkeep.reconciliations(office, resource=resource, among=codes, limit=limit)
        ]
        return doors.answer(request, {"reconciliations": rows})

    @app.get("/v1/drifts", response_model=DriftsShape, responses=_PROBLEMS, openapi_extra=doors.KEYED)
    def drifted(request: Request) -> Response:
        """The changed shapes of sources that wait for a decision, newest first."""
        office = doors.office(request)
        _, codes = _seen_by(request, office)
        lang = problems.language(request.headers.get("accept-language"))
        found = drifts.waiting(office.control)
        rows = [
            {
                "resource": one.resource,
                "digest": one.digest,
                "first_seen": one.first_seen.isoformat(),
                "changes": list(one.report[lang]),
            }
            for one in found
            if codes is None or one.resource in codes
        ]
        return doors.answer(request, {"drifts": rows})

    @app.post(
        "/v1/resources/{code:path}/drift:{step}",
        response_model=DriftShape,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def decided(request: Request, code: str, step: str) -> Response:
        """Decide on the changed shape that waits, by the `digest` under which it was seen, as the list's office."""
        return await doors.run(_decide, request, code, step, await doors.read_object(request))


def _decide(request: Request, code: str, step: str, members: dict[str, Any]) -> Response:
    if step not in DECISIONS:
        raise NotFoundError
    actor = doors.actor(request, Role.OFFICE)
    body = texts(members, ("digest",))
    one = drifts.decide(doors.office(request), code, actor, approve=step == "approve", digest=body["digest"])
    plain = {"resource": one.resource, "digest": one.digest, "status": one.status, "log_index": one.log_index}
    return doors.answer(request, plain)


BODIES: dict[str, BodyShape] = {}
BODY_STEPS = {"/v1/resources/{code}/drift:{step}": {step: BodyShape(("digest",)) for step in DECISIONS}}
