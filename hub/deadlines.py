"""Tells departments in time: clocks about to run out, clocks that ran out, grants that end or lie idle.

Which clock a case runs is decided by its steps and `catalog.clock`; nothing here changes what a case or grant allows.
One sweep a day is enough; any number of sweeps, at once or after another, tells everything once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.clock import day_of
from hub import usage
from hub.casewords import CASE_KINDS
from hub.control import CaseRow, GrantRow, GrantUsage
from hub.errors import CaseUnknownError, ListMissingError
from hub.office import Office
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.cases import Case, Transaction

ACTOR: Final = "hub:deadlines"
NOTICES_PER_TRANSACTION: Final = 200
REMINDED, ESCALATED = 1, 2


@dataclass(frozen=True, slots=True)
class Swept:
    """How many were told of what, this time: cases reminded and escalated, plans past their day, grants."""

    reminded: int = 0
    escalated: int = 0
    planned: int = 0
    expiring: int = 0
    unused: int = 0

    def plain(self) -> dict[str, int]:
        """A JSON-able dict."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Told:
    department: str
    kind: str
    key: str
    resource: str
    params: dict[str, str]


def sweep_once() -> dict[str, int]:
    """Sweep the deployment of the environment, as the scheduler does; what was told.

    Raises:
        SetupError, TryAgainError: the deployment cannot be opened.
    """
    with Office.open(Settings.from_environment()) as office:
        return sweep(office).plain()


def sweep(office: Office, *, at: datetime | None = None) -> Swept:
    """Tell whoever has to be told at *at* (aware; default: now). Safe to repeat and to run at once with another.

    1. Usage is counted up to the end of the log, so that no grant in use counts as idle.
    2. Cases: who has to answer is reminded; when the clock has run out, they and the office of the list are told,
       and the log gets ``case.overdue``. Each case in a transaction of its own: a crash leaves the rest for the
       next sweep.
    3. Demands planned for a day that has passed.
    4. Grants that end soon, and grants that nobody uses.
    """
    at = at or office.now()
    keeper = _keeper(office)
    usage.count(office.control, office.evidence.log)
    reminded = escalated = 0
    for id_, kind in _running_out(office, at):
        told = _tell_case(office, id_, kind, keeper, at)
        reminded += told == REMINDED
        escalated += told == ESCALATED
    today = day_of(at)
    return Swept(
        reminded=reminded,
        escalated=escalated,
        planned=_tell_all(office, list(_plans_past(office, keeper, today))),
        expiring=_tell_all(office, list(_expiring(office, at))),
        unused=_tell_all(office, list(_unused(office, at))),
    )


def _keeper(office: Office) -> str:
    """The department that keeps the list; "" while there is none."""
    try:
        return office.list_.office
    except ListMissingError:
        return ""


# 2. Cases.


def _running_out(office: Office, at: datetime) -> list[tuple[str, str]]:
    query = (
        sa.select(CaseRow.id, CaseRow.kind)
        .where(
            CaseRow.open,
            sa.or_(
                sa.and_(CaseRow.told < REMINDED, CaseRow.remind_at <= at),
                sa.and_(CaseRow.told < ESCALATED, CaseRow.due_at < at),
            ),
        )
        .order_by(CaseRow.due_at, CaseRow.id)
    )
    with office.control.reading() as connection:
        return [(row.id, row.kind) for row in connection.execute(query)]


def _tell_case(office: Office, id_: str, kind: str, keeper: str, at: datetime) -> int:
    """Remind or escalate one case; which it was, or 0 when somebody else was first."""
    with office.cases.begin() as transaction:
        try:
            case = transaction.get(id_, kind)
        except CaseUnknownError:
            return 0
        stage = _stage(case, at)
        if stage <= case.told:
            return 0
        assert case.due_at is not None  # noqa: S101 - a stage has a clock
        params = _params(case, case.due_at)
        if stage == ESCALATED:
            # The entry goes first: a crash before the row leaves an entry that says the truth, and another next time.
            transaction.record(
                "case.overdue",
                actor=ACTOR,
                resource=case.resource,
                facts={
                    "case": case.id,
                    "kind": case.kind,
                    "state": case.state,
                    "rule": case.rule,
                    "answerer": case.answerer,
                    "due": params["due"],
                },
            )
        notice = "case_overdue" if stage == ESCALATED else "case_reminder"
        told = {case.answerer, keeper} if stage == ESCALATED else {case.answerer}
        for department in sorted(told - {""}):
            key = f"{notice}:{case.id}:{case.started_at.isoformat() if case.started_at else ''}:{department}"
            transaction.tell(department, notice, key=key, case=case.id, resource=case.resource, params=params)
        _mark(transaction, case, stage)
    return stage


def _stage(case: Case, at: datetime) -> int:
    if not case.open or case.due_at is None or case.remind_at is None:
        return 0
    return ESCALATED if case.due_at < at else REMINDED if case.remind_at <= at else 0


def _mark(transaction: Transaction, case: Case, stage: int) -> None:
    """Being told is no step of the case: its revision stays, so that nobody's answer conflicts with a reminder."""
    transaction.connection.execute(
        sa.update(CaseRow).where(CaseRow.id == case.id, CaseRow.revision == case.revision).values(told=stage)
    )


def _params(case: Case, due: datetime) -> dict[str, str]:
    kind, kind_zh = CASE_KINDS[case.kind]
    return {
        "kind": kind,
        "kind_zh": kind_zh,
        "case": case.id,
        "due": day_of(due).isoformat(),
        "answerer": case.answerer or "-",
    }


# 3. Plans.


def _plans_past(office: Office, keeper: str, today: date) -> Iterator[_Told]:
    # ISO dates sort as days do.
    for case in office.cases.find("demand", state="planned", open_=True):
        planned_on = case.value["planned_on"]
        if planned_on is None or planned_on >= today.isoformat():
            continue
        params = {"kind": "Demand", "kind_zh": "需求", "case": case.id, "due": planned_on, "answerer": case.answerer}
        for department in sorted({case.answerer, keeper} - {""}):
            key = f"plan_past:{case.id}:{planned_on}:{department}"
            yield _Told(department, "case_overdue", key, case.resource, params)


# 4. Grants.


def _expiring(office: Office, at: datetime) -> Iterator[_Told]:
    within = timedelta(days=office.clocks.profile.rule("grant.expiring").days)
    query = sa.select(GrantRow.id, GrantRow.consumer, GrantRow.resource, GrantRow.expires).where(
        GrantRow.revoked_at.is_(None), GrantRow.expires > at, GrantRow.expires <= at + within
    )
    with office.control.reading() as connection:
        rows = connection.execute(query.order_by(GrantRow.expires, GrantRow.id)).all()
    for row in rows:
        params = {"grant": row.id, "resource": row.resource, "due": day_of(row.expires).isoformat()}
        yield _Told(row.consumer, "grant_expiring", f"expiring:{row.id}:{params['due']}", row.resource, params)


def _unused(office: Office, at: datetime) -> Iterator[_Told]:
    """Grants in force that were not used for as long as the rule says, since they were given, began or last used.

    A suspended grant cannot be used, so that not using it says nothing.
    """
    least = office.clocks.profile.rule("grant.unused").days
    last = (
        sa.select(GrantUsage.grant, sa.func.max(GrantUsage.last_at).label("last_at"))
        .group_by(GrantUsage.grant)
        .subquery()
    )
    query = (
        sa.select(GrantRow.id, GrantRow.consumer, GrantRow.resource, GrantRow.given_at, GrantRow.starts, last.c.last_at)
        .join(last, last.c.grant == GrantRow.id, isouter=True)
        .where(
            GrantRow.revoked_at.is_(None),
            GrantRow.suspended_at.is_(None),
            GrantRow.expires > at,
            GrantRow.given_at <= at - timedelta(days=least - 1),
        )
        .order_by(GrantRow.id)
    )
    with office.control.reading() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        since = day_of(max(moment for moment in (row.given_at, row.starts, row.last_at) if moment is not None))
        idle = (day_of(at) - since).days
        if idle >= least:
            params = {"grant": row.id, "resource": row.resource, "days": str(idle)}
            # Used once more and idle again is a new occasion.
            yield _Told(row.consumer, "grant_unused", f"unused:{row.id}:{since}", row.resource, params)


def _tell_all(office: Office, told: list[_Told]) -> int:
    """Write what is new of *told*, some at a time so that calls need not wait long; how many were new."""
    new = 0
    for start in range(0, len(told), NOTICES_PER_TRANSACTION):
        with office.cases.begin() as transaction:
            for one in told[start : start + NOTICES_PER_TRANSACTION]:
                new += transaction.tell(
                    one.department,
                    one.kind,
                    key=one.key,
                    case=one.params.get("case", ""),
                    resource=one.resource,
                    params=one.params,
                )
    return new


def tray_of(office: Office, department: str, *, at: datetime | None = None) -> tuple[tuple[Case, int | None], ...]:
    """The open cases that wait for *department*, the oldest clock first, each with its working days left.

    None where no clock runs; 0 on the last day; negative when it has run out.
    """
    at = at or office.now()
    waiting = office.cases.find(None, answerer=department, open_=True)
    return tuple((case, None if case.due_at is None else office.clocks.left(case.due_at, at)) for case in waiting)


def case_plain(case: Case, left: int | None) -> dict[str, Any]:
    """A waiting case as JSON."""
    return {
        "id": case.id,
        "kind": case.kind,
        "state": case.state,
        "opener": case.opener,
        "answerer": case.answerer,
        "resource": case.resource,
        "rule": case.rule,
        "due": case.due_at.isoformat() if case.due_at else None,
        "working_days_left": left,
        "revision": case.revision,
    }
