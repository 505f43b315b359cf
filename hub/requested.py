"""Shows applications: how far their clocks are, what a resource is to a department now, and the form both doors print.

Taking their steps is `hub.applications`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from catalog.application import KIND, State, from_plain, to_plain
from catalog.clock import day_of
from catalog.eligibility import lines_of, prohibitions_against
from catalog.model import ShareType
from hub import grants
from hub.cases import MAX_FOUND, Case
from hub.control import CaseRow, row_dict

if TYPE_CHECKING:
    from datetime import datetime

    from catalog.model import ResponsibilityList
    from hub.office import Office


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running clock is, in working days: *day* of *of*, *left* (negative: overdue); *verified*: its rule."""

    rule: str
    day: int
    of: int
    left: int
    due: datetime
    verified: bool


@dataclass(frozen=True, slots=True)
class MyState:
    """What a resource is to a department: *state* ``granted``, ``waiting``, ``apply``, ``not_on_list``, ``not_shared``.

    *calls_left* is of today; None without a quota. *ground* says why it is not shared.
    """

    state: str
    grant: str = ""
    calls_left: int | None = None
    expires: datetime | None = None
    case: str = ""
    progress: Progress | None = None
    ground: str = ""


def get(office: Office, id_: str) -> Case:
    """The application called *id_*.

    Raises:
        CaseUnknownError: there is none.
    """
    return office.cases.get(id_, KIND)


def find(
    office: Office,
    *,
    concerning: str | None = None,
    waiting_for: str | None = None,
    state: str | None = None,
    resource: str | None = None,
    limit: int = MAX_FOUND,
    offset: int = 0,
) -> tuple[Case, ...]:
    """Applications, the one whose clock ends first before the others, those without a clock last.

    *concerning*: a department that applied, provides, or has to act; *waiting_for*: one whose turn it is.
    """
    conditions = _conditions(concerning, waiting_for, state, resource)
    query = sa.select(CaseRow.__table__).where(*conditions)
    query = query.order_by(CaseRow.due_at.is_(None), CaseRow.due_at, CaseRow.opened_at, CaseRow.id)
    with office.control.reading() as connection:
        rows = connection.execute(query.limit(min(limit, MAX_FOUND)).offset(offset))
        return tuple(Case(**row_dict(row)) for row in rows)


def count(
    office: Office,
    *,
    concerning: str | None = None,
    waiting_for: str | None = None,
    state: str | None = None,
    resource: str | None = None,
) -> int:
    """How many fit; see `find`."""
    conditions = _conditions(concerning, waiting_for, state, resource)
    query = sa.select(sa.func.count()).select_from(CaseRow).where(*conditions)
    with office.control.reading() as connection:
        return int(connection.execute(query).scalar_one())


def _conditions(
    concerning: str | None, waiting_for: str | None, state: str | None, resource: str | None
) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [CaseRow.kind == KIND]
    if concerning is not None:
        provider = CaseRow.value["provider"].as_string()
        found.append(sa.or_(CaseRow.opener == concerning, provider == concerning, CaseRow.answerer == concerning))
    if waiting_for is not None:
        found += [CaseRow.answerer == waiting_for, CaseRow.open.is_(True)]
    if state is not None:
        found.append(CaseRow.state == state)
    if resource is not None:
        found.append(CaseRow.resource == resource)
    return found


def concerns(case: Case, department: str) -> bool:
    """Whether *department* applied, provides what is applied for, or settles disputes about it."""
    application = from_plain(case.value)
    return department in (application.applicant, application.provider, application.office)


def progress(office: Office, case: Case) -> Progress | None:
    """How far the clock of *case* is; None when none runs."""
    if case.due_at is None or case.started_at is None:
        return None
    calendar, profile = office.clocks.calendar, office.clocks.profile
    # A day that somebody promised is no rule of the profile, and there is nothing about it to be verified.
    promised = all(rule.code != case.rule for rule in profile.rules)
    began, today, last = day_of(case.started_at), day_of(office.now()), day_of(case.due_at)
    return Progress(
        rule=case.rule,
        day=max(1, calendar.between(began, today)),
        of=calendar.between(began, last),
        left=office.clocks.left(case.due_at, office.now()),
        due=case.due_at,
        verified=promised or office.clocks.due(case.rule, case.started_at).verified,
    )


def my_state(office: Office, department: str, resource: str, *, list_: ResponsibilityList | None = None) -> MyState:
    """What *resource* is to *department* now. Give *list_* where many are asked about."""
    list_ = list_ or office.list_
    known = list_.by_code.get(resource)
    if known is None or known.share_type is ShareType.NOT_SHARED:
        return MyState("not_shared", ground=known.share_ground if known else "")
    for rule in prohibitions_against(list_, department, (), resource):
        if not rule.fields:
            return MyState("not_shared", ground=rule.ground)
    now = office.now()
    held = [
        one
        for one in grants.find(office, consumer=department, resource=resource, ended=False)
        if one.state(now) == grants.IN_FORCE
    ]
    waiting = office.cases.find(KIND, opener=department, resource=resource, open_=True)
    if held:
        newest = held[0].grant
        used = grants.use_of(office.control, newest.id, on=now).today
        left = max(0, newest.quota_per_day - used) if newest.quota_per_day else None
        case = waiting[0].id if waiting else ""
        return MyState("granted", grant=newest.id, calls_left=left, expires=newest.expires, case=case)
    if waiting:
        return MyState("waiting", case=waiting[0].id, progress=progress(office, waiting[0]))
    on_line = lines_of(list_, department, resource)
    return MyState("apply" if on_line else "not_on_list")


def plain(office: Office, case: Case, *, whole: bool = True) -> dict[str, Any]:
    """The application as both doors show it; *whole*: with what was asked and said, and its history."""
    application = from_plain(case.value)
    running = progress(office, case)
    shown: dict[str, Any] = {
        "id": case.id,
        "state": case.state,
        "revision": case.revision,
        "applicant": application.applicant,
        "resource": application.resource,
        "provider": application.provider,
        "purposes": list(application.purposes),
        "answerer": case.answerer,
        "possible": list(application.possible),
        "tier": application.tier,
        "grant": application.grant,
        "opened_at": case.opened_at.isoformat(),
        "updated_at": case.updated_at.isoformat(),
        "clock": None
        if running is None
        else {
            "rule": running.rule,
            "day": running.day,
            "of": running.of,
            "left": running.left,
            "due": running.due.isoformat(),
            "verified": running.verified,
        },
    }
    if not whole:
        return shown
    value = to_plain(application)
    dropped = ("state", "applied_by", "decided_by", "rule")
    return {
        **{name: item for name, item in value.items() if name not in dropped},
        **shown,
        "history": [
            {
                "revision": step.revision,
                "at": step.at.isoformat(),
                "actor": step.actor,
                "step": step.step,
                "state": step.state,
                "note": step.note,
                "log_index": step.log_index,
            }
            for step in office.cases.history(case.id)
        ],
    }


def outcome(case: Case) -> str:
    """``granted``, ``waiting`` or ``refused`` (withdrawn and finally refused ones, too)."""
    if case.state == State.GRANTED:
        return "granted"
    return "waiting" if case.open else "refused"
