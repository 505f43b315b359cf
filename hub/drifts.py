"""What becomes of a source that has changed its shape: taken, noted, or held until a person has decided.

What a change is and which of them the contract bears is `warehouse.drift`'s; here it is remembered, asked and settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.actors import Actor, Role
from hub.control import DriftRow, insert_once, row_dict
from hub.errors import DriftUnknownError, RoleMissingError
from hub.office import Office
from hub.settings import Settings
from warehouse import drift
from warehouse.drift import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from catalog.model import InformationResource
    from connectors.protocol import Batch
    from hub.control import Control
    from warehouse.drift import DriftReport

ACCEPTED, WAITING, APPROVED, REFUSED = "accepted", "waiting", "approved", "refused"
SETTLED: Final = frozenset({ACCEPTED, APPROVED})
SCHEDULER: Final = "scheduler"


@dataclass(frozen=True, slots=True)
class Drift:
    """A shape in which a source was found. *report* is `DriftReport.to_json`'s."""

    resource: str
    digest: str
    status: str
    first_seen: datetime
    last_seen: datetime
    report: Mapping[str, Any]
    decided_by: str | None
    decided_at: datetime | None
    log_index: int | None


def judge(control: Control, resource: InformationResource, batch: Batch, *, now: datetime) -> DriftReport:
    """What became of the source's columns since its shape was last settled. What waits for a person is remembered.

    Raises:
        DriftWaitsError: nobody has approved the shape, or it cannot be loaded at all. Nothing is committed.
    """
    known = drifts_of(control, resource.code)
    settled = next((found.report["state"] for found in known if found.status in SETTLED), None)
    state = drift.observe(resource, types=batch.types, extra=batch.extra, absent=batch.absent, before=settled)
    report = drift.judge(resource, state, _approved(known))
    _hold(control, report, now=now)
    return report


def confirm(
    control: Control,
    resource: InformationResource,
    report: DriftReport,
    reasons: Iterable[tuple[str, int]],
    *,
    now: datetime,
) -> None:
    """Settle the shape once its rows were checked: from now on it is what the next is compared with.

    Raises:
        DriftWaitsError: rows were rejected for a column that changed its type. Nothing is committed.
    """
    known = drifts_of(control, resource.code)
    report = drift.confirm(report, reasons, _approved(known))
    _hold(control, report, now=now)
    settled = next((found for found in known if found.status in SETTLED), None)
    changed = settled is None or settled.digest != report.digest or settled.report["state"] != report.state
    # A source that went back to its former shape leaves no question behind.
    if changed or any(found.status == WAITING for found in known):
        _remember(control, report, ACCEPTED, now)


def _approved(known: list[Drift]) -> frozenset[str]:
    return frozenset(found.digest for found in known if found.status == APPROVED)


def _hold(control: Control, report: DriftReport, *, now: datetime) -> None:
    if report.outcome is Outcome.WAITS:
        _remember(control, report, WAITING, now)
    report.enforce()


def _remember(control: Control, report: DriftReport, status: str, now: datetime) -> None:
    mine = (DriftRow.resource == report.resource, DriftRow.digest == report.digest)
    row = {"resource": report.resource, "digest": report.digest, "status": status, "first_seen": now}
    undecided = {"decided_by": None, "decided_at": None, "log_index": None}
    values = {"last_seen": now, "report": report.to_json()}
    with control.writing() as connection:
        # An older shape that waits is the source's no longer: what is asked is only ever the newest.
        connection.execute(sa.delete(DriftRow).where(DriftRow.resource == report.resource, DriftRow.status == WAITING))
        if not insert_once(connection, DriftRow, row | values | undecided):
            # One that was decided on stays so: an approved shape is approved whenever it comes again.
            connection.execute(sa.update(DriftRow).where(*mine).values(**values))


def drifts_of(control: Control, code: str) -> list[Drift]:
    """Every shape in which the source of *code* was found, the newest first."""
    return _drifts(control, sa.select(DriftRow.__table__).where(DriftRow.resource == code))


def waiting(control: Control) -> list[Drift]:
    """The shapes that wait for a decision, the newest first."""
    return _drifts(control, sa.select(DriftRow.__table__).where(DriftRow.status == WAITING))


def _drifts(control: Control, query: sa.Select[Any]) -> list[Drift]:
    with control.reading() as connection:
        rows = connection.execute(query.order_by(DriftRow.last_seen.desc(), DriftRow.digest))
        return [Drift(**row_dict(row)) for row in rows]


def decide(office: Office, code: str, actor: Actor, *, approve: bool, digest: str = "") -> Drift:
    """Approve or refuse the shape of *code* that waits; an entry of the log. The next load goes by it.

    Raises:
        DriftUnknownError: none waits, or another than *digest*.
        RoleMissingError: the actor is not of the office that keeps the list, which answers for its shape.
    """
    # A list need not name its office; then every holder of that role is one.
    if office.list_.office not in {"", actor.department}:
        raise RoleMissingError(role=Role.OFFICE.value)
    found = [one for one in waiting(office.control) if one.resource == code and digest in {"", one.digest}]
    if not found:
        raise DriftUnknownError(resource=code)
    status = APPROVED if approve else REFUSED
    facts = {"digest": found[0].digest, "decision": status}
    entry = office.evidence.append("load.drift_decided", actor=str(actor), resource=code, facts=facts)
    values = {"status": status, "decided_by": str(actor), "decided_at": office.now(), "log_index": entry.index}
    mine = (DriftRow.resource == code, DriftRow.digest == found[0].digest)
    with office.control.writing() as connection:
        connection.execute(sa.update(DriftRow).where(*mine).values(**values))
    return next(one for one in drifts_of(office.control, code) if one.digest == found[0].digest)


def questions() -> list[dict[str, str]]:
    """What the scheduler asks a person, one question for each shape that waits; see `answer`."""
    with Office.open(Settings.from_environment()) as office:
        names = {r.code: r.name for r in office.list_.resources}
        return [
            {
                "subject": f"{one.resource} {names.get(one.resource, '')} [{one.digest[-12:]}]",
                "body": "\n\n".join([*one.report["zh"], *one.report["en"]]),
            }
            for one in waiting(office.control)
        ]


def answer(subject: str, *, approve: bool) -> bool:
    """Settle the question *subject* as a person answered it to the scheduler; whether it still stood."""
    code, mark = subject.split(" ", 1)[0], subject.rpartition("[")[2].rstrip("]")
    with Office.open(Settings.from_environment()) as office:
        for one in waiting(office.control):
            if one.resource == code and one.digest.endswith(mark):
                list_ = office.list_
                provider = list_.by_code[code].provider if code in list_.by_code else ""
                actor = Actor(list_.office or provider or SCHEDULER, SCHEDULER)
                decide(office, code, actor, approve=approve, digest=one.digest)
                return True
    return False
