"""Keeps demands (需求清单) as cases, tells departments of them, and counts the searches that found nothing.

Which step is possible when, and what may meet a demand, is `catalog.demand`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog import demand as machine
from catalog.clock import day_of
from catalog.demand import Answer, Demand, DemandState, Suggestion
from hub.cases import Turn
from hub.control import Control, MissedQuery, insert_once

if TYPE_CHECKING:
    from catalog.model import ResponsibilityList
    from hub.actors import Actor
    from hub.cases import Case, Transaction
    from hub.office import Office

KIND: Final = "demand"
MARK: Final = "D"
MISSED_DAYS: Final = 90  # how far back people look unless they say otherwise
MAX_MISSED: Final = 500
# New words a day: more is no people searching, but a program filling our disk.
MAX_MISSED_PER_DAY: Final = 5_000


def turn(demand: Demand, list_: ResponsibilityList) -> Turn:
    """Where *demand* stands: who has to act and which clock runs.

    A demand that is passed on to another department keeps its clock: who asked does not wait longer for it.
    """
    match demand.state:
        case DemandState.SUBMITTED:
            return Turn(demand.state, open=True, answerer=demand.suspected or list_.office, rule="demand.claim")
        case DemandState.CLAIMED:
            return Turn(demand.state, open=True, answerer=demand.holder, rule="demand.answer")
        case DemandState.PLANNED:
            return Turn(demand.state, open=True, answerer=demand.holder)
        case _:
            return Turn(demand.state, open=False, answerer=demand.holder)


def submit(office: Office, actor: Actor, *, words: str, purpose: str, matter: str = "", suspected: str = "") -> Case:
    """Put a demand on the list; whoever is thought to have the data is told, else the office.

    Raises:
        CaseInvalidError: what to mend.
    """
    list_ = office.list_

    def made(id_: str) -> Demand:
        return machine.submit(
            list_,
            id_=id_,
            consumer=actor.department,
            words=words,
            purpose=purpose,
            matter=matter,
            suspected=suspected,
        )

    first = made("")
    with office.cases.begin() as transaction:
        case = transaction.open(
            KIND,
            MARK,
            value=lambda id_: made(id_).to_plain(),
            turn=turn(first, list_),
            opener=actor.department,
            resource="",
            actor=actor,
            step="submit",
            # What is needed in words stays out of the public facts.
            facts={"consumer": actor.department, "matter": first.matter, "suspected": first.suspected},
        )
        for department in sorted({first.suspected, list_.office} - {"", actor.department}):
            transaction.tell(
                department,
                "demand_opened",
                key=f"demand_opened:{case.id}:{department}",
                case=case.id,
                params={"consumer": actor.department, "case": case.id, "note": first.words},
            )
    return case


def claim(office: Office, actor: Actor, id_: str, *, revision: int | None = None) -> Case:
    """The actor's department has the data and will answer; of two who claim, one does.

    Raises:
        CaseUnknownError, CaseConflictError, StepNotAllowedError, NotYoursError: see each.
    """
    list_ = office.list_
    with office.cases.begin() as transaction:
        case, demand = _held(transaction, id_, revision)
        after = machine.claim(demand, department=actor.department)
        return _act(transaction, case, after, list_, actor=actor, step="claim", facts={"holder": after.holder})


def assign(office: Office, actor: Actor, id_: str, department: str, *, revision: int | None = None) -> Case:
    """The office says who shall answer.

    Raises:
        CaseUnknownError, CaseConflictError, StepNotAllowedError, NotYoursError, CaseInvalidError: see each.
    """
    list_ = office.list_
    with office.cases.begin() as transaction:
        case, demand = _held(transaction, id_, revision)
        after = machine.assign(demand, list_, by=actor.department, department=department)
        done = _act(transaction, case, after, list_, actor=actor, step="assign", facts={"holder": after.holder})
        due = day_of(done.due_at).isoformat() if done.due_at else "-"
        transaction.tell(
            department,
            "demand_assigned",
            key=f"demand_assigned:{done.id}:{done.revision}",
            case=done.id,
            params={"case": done.id, "due": due},
        )
        return done


def answer(office: Office, actor: Actor, id_: str, given: Answer, *, revision: int | None = None) -> Case:
    """The holder answers; who asked is told.

    Raises:
        CaseUnknownError, CaseConflictError, StepNotAllowedError, NotYoursError, CaseInvalidError: see each.
    """
    list_ = office.list_
    with office.cases.begin() as transaction:
        case, demand = _held(transaction, id_, revision)
        today = day_of(transaction.at)
        after = machine.answer(demand, list_, given, by=actor.department, today=today)
        facts = {"outcome": after.state.value, "met_by": after.resource, "ground": after.ground}
        done = _act(transaction, case, after, list_, actor=actor, step="answer", note=after.note, facts=facts)
        transaction.tell(
            after.consumer,
            "demand_answered",
            key=f"demand_answered:{done.id}:{done.revision}",
            case=done.id,
            resource=after.resource,
            params={"case": done.id, "note": _in_short(after)},
        )
        return done


def withdraw(office: Office, actor: Actor, id_: str, *, why: str = "", revision: int | None = None) -> Case:
    """Who asked no longer needs it.

    Raises:
        CaseUnknownError, CaseConflictError, StepNotAllowedError, NotYoursError, CaseInvalidError: see each.
    """
    list_ = office.list_
    with office.cases.begin() as transaction:
        case, demand = _held(transaction, id_, revision)
        after = machine.withdraw(demand, by=actor.department, why=why)
        return _act(transaction, case, after, list_, actor=actor, step="withdraw", note=after.withdrawn_why)


def _held(transaction: Transaction, id_: str, revision: int | None) -> tuple[Case, Demand]:
    case = transaction.get(id_, KIND, revision)
    return case, Demand.from_plain(case.value)


def _act(
    transaction: Transaction,
    case: Case,
    after: Demand,
    list_: ResponsibilityList,
    *,
    actor: Actor,
    step: str,
    note: str = "",
    facts: dict[str, Any] | None = None,
) -> Case:
    return transaction.act(
        case, value=after.to_plain(), turn=turn(after, list_), actor=actor, step=step, note=note, facts=facts
    )


def _in_short(demand: Demand) -> str:
    said = demand.resource or demand.ground or (demand.planned_on.isoformat() if demand.planned_on else "")
    return f"{said} {demand.note}".strip()


def suggestions(office: Office) -> dict[str, tuple[Suggestion, ...]]:
    """For each open demand the resources of the list in force that may meet it; demands without any are left out.

    To be looked at whenever a list was published: what was asked for may be on it now.
    """
    list_ = office.list_
    found = {
        case.id: machine.met_by(Demand.from_plain(case.value), list_) for case in office.cases.find(KIND, open_=True)
    }
    return {id_: resources for id_, resources in found.items() if resources}


def case_plain(case: Case, suggested: tuple[Suggestion, ...] = ()) -> dict[str, Any]:
    """A demand with its clock and what may meet it, as JSON."""
    return {
        **case.value,
        "id": case.id,
        "revision": case.revision,
        "answerer": case.answerer,
        "rule": case.rule,
        "due": case.due_at.isoformat() if case.due_at else None,
        "opened_at": case.opened_at.isoformat(),
        "updated_at": case.updated_at.isoformat(),
        "suggestions": [
            {"resource": s.resource, "name": s.name, "provider": s.provider, "likeness": s.likeness} for s in suggested
        ],
    }


# Searches that found nothing.


@dataclass(frozen=True, slots=True)
class Missed:
    """Words that were searched *times* times on *days* days and found nothing."""

    query: str
    times: int
    days: int


def record_miss(control: Control, query: str, at: datetime) -> bool:
    """Count a search without a hit, by day and without who searched; whether it was counted.

    What may identify a person is not kept (see `catalog.demand.worth_keeping`), nor what goes beyond the bound of a
    day. A crash loses a count, nothing else.
    """
    words = machine.worth_keeping(query)
    if not words:
        return False
    row = {"query": words, "day": day_of(at).isoformat()}
    same = (MissedQuery.query == row["query"], MissedQuery.day == row["day"])
    with control.writing() as connection:
        counted = connection.execute(sa.update(MissedQuery).where(*same).values(times=MissedQuery.times + 1))
        if counted.rowcount:
            return True
        today = sa.select(sa.func.count()).select_from(MissedQuery).where(MissedQuery.day == row["day"])
        if connection.execute(today).scalar_one() >= MAX_MISSED_PER_DAY:
            return False
        if not insert_once(connection, MissedQuery, {**row, "times": 1}):
            # On PostgreSQL another process may have inserted it since.
            connection.execute(sa.update(MissedQuery).where(*same).values(times=MissedQuery.times + 1))
    return True


def missed(control: Control, since: date, *, limit: int = MAX_MISSED) -> tuple[Missed, ...]:
    """What was searched in vain since *since*, the most often first: proposals for the demand list."""
    times = sa.func.sum(MissedQuery.times)
    query = (
        sa.select(MissedQuery.query, times.label("times"), sa.func.count().label("days"))
        .where(MissedQuery.day >= since.isoformat())
        .group_by(MissedQuery.query)
        .order_by(times.desc(), MissedQuery.query)
        .limit(min(limit, MAX_MISSED))
    )
    with control.reading() as connection:
        return tuple(Missed(row.query, int(row.times), int(row.days)) for row in connection.execute(query))


def since_days(at: datetime, days: int = MISSED_DAYS) -> date:
    """The first day of the last *days* days."""
    return day_of(at) - timedelta(days=days)
