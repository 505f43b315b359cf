"""The six numbers of the leaders' page, with their parts and their rows, and what a week changed.

Everything is counted anew from the control tables, the list in force and, for calls, the log: no number is kept or
written down anywhere. Where parts do not make up the whole, what is left over is a number of its own, `Figure.rest`.
Definitions are in `hub.figurewords`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.model import EVERYONE, Domain
from hub import usage
from hub.control import CaseRow, GrantRow, GrantUsage, LicenceRow, ListVersion, Load, Notice
from hub.figurewords import ANSWERS, CALLS, COLLECTED, KEPT, LICENCES, PAPERS, PARTS, SENTENCES
from hub.licensing.lookups import PENDING
from hub.loads import FAILED, RUNNING
from hub.owed import GRAVITY, Standing, owed, owed_then, tallies
from hub.plurals import agreed
from licence.lifecycle.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from catalog.model import Need
    from hub.office import Office
    from hub.owed import Owed

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
CALL_DAYS: Final = 30
ANSWER_DAYS: Final = 90
MOVERS: Final = 3
_OVERDUE: Final = "case_overdue"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number: *numerator* of *denominator*. *parts* make up *whole*; what they leave is `rest`. As of *at* (UTC)."""

    key: str
    numerator: int
    denominator: int
    whole: int
    parts: Mapping[str, int]
    at: datetime

    @property
    def rest(self) -> int:
        """What of the whole is in no part; 0 where they make it up."""
        return self.whole - sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Rows:
    """What a figure was counted from: a heading for each column, (English, Chinese), and plain cells."""

    headings: tuple[tuple[str, str], ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a week changed, as a sentence in each language. *key* names it for links."""

    key: str
    en: str
    zh: str

    def text(self, lang: str) -> str:
        """The sentence."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Move:
    """A department's share of resources that stand as promised, 0 to 1: a week ago (*then*) and *now*."""

    department: str
    then: float
    now: float
    kept: int
    total: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the leaders' page shows."""

    figures: tuple[Figure, ...]
    changes: tuple[Change, ...]
    worst: tuple[Move, ...]
    improved: tuple[Move, ...]
    calls: tuple[tuple[str, int], ...]
    lights: Mapping[Standing, tuple[int, int]]
    at: datetime


def overview(office: Office) -> Overview:
    """The figures, the week's changes and the departments that moved, all as of one instant.

    Calls are first counted up to the end of the log, as quotas are.
    """
    at = office.now()
    usage.count(office.control, office.evidence.log)
    board, before = owed(office, at=at), owed_then(office, at - WEEK)
    moves = _moves(office, board, before)
    worst = sorted((one for one in moves if one.kept < one.total), key=lambda one: (one.now, one.kept - one.total))
    improved = sorted((one for one in moves if one.now > one.then), key=lambda one: one.then - one.now)
    standings, past = [one.standing for one in board], [one.standing for one in before]
    return Overview(
        figures=(
            collected(office, board, at),
            kept(board, at),
            papers(office, board, at),
            calls(office, at),
            licences(office, at),
            answers(office, at),
        ),
        changes=tuple(_changes(office, board, before, at)),
        worst=tuple(worst[:MOVERS]),
        improved=tuple(improved[:MOVERS]),
        calls=tuple(calls_by_day(office, at).items()),
        lights={one: (past.count(one), standings.count(one)) for one in GRAVITY},
        at=at,
    )


# --- the figures -----------------------------------------------------------------------------------------------------


def collected(office: Office, board: Sequence[Owed], at: datetime) -> Figure:
    """Lines of the list whose resource was loaded well at least once, of all lines, by domain."""
    done = {one.resource for one in board if one.success is not None}
    lines = office.list_.responsibilities
    parts: dict[str, int] = {}
    for name, domain in (("government", Domain.GOVERNMENT), ("economic_social", Domain.ECONOMIC_SOCIAL)):
        mine = [line.resource in done for line in lines if line.domain is domain]
        parts |= {name: sum(mine), f"{name}_not": len(mine) - sum(mine)}
    return Figure(COLLECTED, sum(line.resource in done for line in lines), len(lines), len(lines), parts, at)


def kept(board: Sequence[Owed], at: datetime) -> Figure:
    """Resources that stand as the list promises, of all, by standing."""
    found = [one.standing for one in board]
    parts = {one.value: found.count(one) for one in GRAVITY}
    return Figure(KEPT, found.count(Standing.KEPT), len(found), len(found), parts, at)


def papers(office: Office, board: Sequence[Owed], at: datetime) -> Figure:
    """Papers that data replace now, of those that the list says may be replaced; one for each matter and paper."""
    found = [state for *_, state in _papers(office, board, at)]
    parts = {name: found.count(name) for name in PARTS[PAPERS]}
    return Figure(PAPERS, parts["replaced"], len(found), len(found), parts, at)


def calls(office: Office, at: datetime) -> Figure:
    """Calls of the last 30 days that are counted, by whether their grant is in force now."""
    total = sum(calls_by_day(office, at).values())
    by_grant = _calls_by_grant(office, at)
    with office.control.reading() as connection:
        in_force = set(connection.execute(sa.select(GrantRow.id).where(*_in_force(at))).scalars())
        known = set(connection.execute(sa.select(GrantRow.id).where(GrantRow.id.in_(by_grant))).scalars())
    parts = {
        "in_force": sum(uses for grant, uses in by_grant.items() if grant in in_force),
        "ended": sum(uses for grant, uses in by_grant.items() if grant in known - in_force),
    }
    return Figure(CALLS, total, CALL_DAYS, total, parts, at)


def calls_by_day(office: Office, at: datetime) -> dict[str, int]:
    """Calls of each of the last 30 days (Asia/Shanghai), the oldest first; 0 where there was none."""
    days = [usage.day_of(at - DAY * back) for back in range(CALL_DAYS - 1, -1, -1)]
    query = (
        sa.select(GrantUsage.day, sa.func.sum(GrantUsage.calls).label("calls"))
        .where(GrantUsage.day >= days[0], GrantUsage.day <= days[-1])
        .group_by(GrantUsage.day)
    )
    with office.control.reading() as connection:
        found = {row.day: int(row.calls) for row in connection.execute(query)}
    return {day: found.get(day, 0) for day in days}


def licences(office: Office, at: datetime) -> Figure:
    """Licences that hold now, of all that were issued, by state. One that waits to be issued is none yet."""
    ended = sa.and_(LicenceRow.state == State.VALID.value, LicenceRow.valid_until <= at)
    state = sa.case((ended, "past"), else_=LicenceRow.state).label("shown")
    query = sa.select(state, sa.func.count().label("count")).where(LicenceRow.state != PENDING).group_by(state)
    with office.control.reading() as connection:
        found = {row.shown: int(row.count) for row in connection.execute(query)}  # type: ignore[call-overload]
    total, valid = sum(found.values()), found.pop(State.VALID.value, 0)
    parts = {"in_force": valid} | {name: found.get(name, 0) for name in PARTS[LICENCES] if name != "in_force"}
    return Figure(LICENCES, valid, total, total, parts, at)


def answers(office: Office, at: datetime) -> Figure:
    """Cases of the last 90 days that were answered in time, of those closed or late; see `hub.figurewords`."""
    found = [row[-1] for row in _settled(office, at)]
    parts = {name: found.count(name) for name in PARTS[ANSWERS]}
    return Figure(ANSWERS, parts["in_time"], len(found), len(found), parts, at)


# --- their rows ------------------------------------------------------------------------------------------------------


def rows_of(office: Office, key: str) -> Rows:
    """The rows that the figure *key* is counted from. Calls and licences are summed up: single ones are for auditors.

    Raises:
        KeyError: there is no such figure.
    """
    at = office.now()
    return {
        COLLECTED: _rows_collected,
        KEPT: _rows_kept,
        PAPERS: _rows_papers,
        CALLS: _rows_calls,
        LICENCES: _rows_licences,
        ANSWERS: _rows_answers,
    }[key](office, at)


_RESOURCE: Final = ("Resource", "资源")
_DEPARTMENT: Final = ("Department", "部门")
_STANDS: Final = ("Stands", "状态")


def _rows_collected(office: Office, at: datetime) -> Rows:
    done = {one.resource: one.success for one in owed(office, at=at)}
    headings = (_RESOURCE, _DEPARTMENT, ("Domain", "领域"), ("First due", "首次共享时限"), ("Last success", "最近成功"))
    return Rows(
        headings,
        [
            (line.resource, line.provider, line.domain, line.deadline, done[line.resource])
            for line in office.list_.responsibilities
        ],
    )


def _rows_kept(office: Office, at: datetime) -> Rows:
    found = sorted(owed(office, at=at), key=lambda one: GRAVITY.index(one.standing))
    return Rows((_RESOURCE, _DEPARTMENT, _STANDS), [(one.resource, one.provider, one.standing) for one in found])


def _rows_papers(office: Office, at: datetime) -> Rows:
    headings = (("Matter", "事项"), _DEPARTMENT, ("Paper", "材料"), _STANDS)
    return Rows(headings, _papers(office, owed(office, at=at), at))


def _rows_calls(office: Office, at: datetime) -> Rows:
    usage.count(office.control, office.evidence.log)
    by_grant = _calls_by_grant(office, at)
    query = sa.select(GrantRow.id, GrantRow.consumer, GrantRow.resource).where(GrantRow.id.in_(by_grant))
    with office.control.reading() as connection:
        known = {row.id: (row.consumer, row.resource) for row in connection.execute(query)}
    rows = [(*known.get(grant, ("–", "–")), grant, uses) for grant, uses in by_grant.items()]
    headings = (("Consumer", "使用部门"), _RESOURCE, ("Grant", "授权"), ("Calls", "次数"))
    return Rows(headings, sorted(rows, key=lambda row: -row[-1]))


def _rows_licences(office: Office, at: datetime) -> Rows:
    del at
    count = sa.func.count().label("count")
    query = (
        sa.select(LicenceRow.kind, LicenceRow.state, count)
        .where(LicenceRow.state != PENDING)
        .group_by(LicenceRow.kind, LicenceRow.state)
        .order_by(count.desc(), LicenceRow.kind, LicenceRow.state)
    )
    with office.control.reading() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    return Rows((("Kind", "证照种类"), _STANDS, ("Licences", "证照数")), rows)


def _rows_answers(office: Office, at: datetime) -> Rows:
    headings = (
        *(("Case", "编号"), ("Kind", "类别"), ("Asked by", "提出部门"), ("Answered by", "办理部门")),
        *(("Opened", "提出"), ("Clock", "时限")),
    )
    return Rows(headings, _settled(office, at))


# --- inside ----------------------------------------------------------------------------------------------------------


def _in_force(at: datetime) -> tuple[Any, ...]:
    return (
        GrantRow.starts <= at,
        GrantRow.expires > at,
        GrantRow.revoked_at.is_(None),
        GrantRow.suspended_at.is_(None),
    )


def _calls_by_grant(office: Office, at: datetime) -> dict[str, int]:
    first, last = usage.day_of(at - DAY * (CALL_DAYS - 1)), usage.day_of(at)
    query = (
        sa.select(GrantUsage.grant, sa.func.sum(GrantUsage.calls).label("calls"))
        .where(GrantUsage.day >= first, GrantUsage.day <= last)
        .group_by(GrantUsage.grant)
    )
    with office.control.reading() as connection:
        return {row.grant: int(row.calls) for row in connection.execute(query)}


def _papers(office: Office, board: Sequence[Owed], at: datetime) -> list[tuple[str, str, str, str]]:
    """(matter, its department, paper, part) for each paper that the list says may be replaced."""
    list_ = office.list_
    done = {one.resource for one in board if one.success is not None}
    columns = (GrantRow.consumer, GrantRow.resource, GrantRow.fields, GrantRow.purposes, GrantRow.actions)
    with office.control.reading() as connection:
        held = connection.execute(sa.select(*columns).where(*_in_force(at))).all()
    wanted: dict[tuple[str, str], list[Need]] = {}
    for need in list_.needs:
        if need.replaces:
            wanted.setdefault((need.matter, need.replaces), []).append(need)

    def covered(need: Need, department: str) -> bool:
        return any(
            grant.consumer == department
            and grant.resource == need.resource
            and not {need.matter, EVERYONE}.isdisjoint(grant.purposes)
            and set(need.fields) <= set(grant.fields)
            and set(need.actions) <= set(grant.actions)
            for grant in held
        )

    found = []
    for (matter, paper), needs in wanted.items():
        known = list_.matters_by_code.get(matter)
        department = known.department if known is not None else ""
        if not all(covered(need, department) for need in needs):
            state = "not_granted"
        else:
            state = "replaced" if all(need.resource in done for need in needs) else "not_collected"
        found.append((matter, department, paper, state))
    return found


def _settled(office: Office, at: datetime) -> list[tuple[str, str, str, str, datetime, str]]:
    """(case, kind, opener, answerer, opened, part) of the cases that the rate of answers is about, newest first."""
    columns = (CaseRow.id, CaseRow.kind, CaseRow.opener, CaseRow.answerer, CaseRow.opened_at, CaseRow.open)
    query = (
        sa.select(*columns, CaseRow.due_at)
        .where(CaseRow.opened_at > at - ANSWER_DAYS * DAY)
        .order_by(CaseRow.opened_at.desc(), CaseRow.id)
    )
    with office.control.reading() as connection:
        # Of older ones nothing was told of a case that was opened since.
        overdue = sa.select(Notice.case_id).where(Notice.kind == _OVERDUE, Notice.at > at - ANSWER_DAYS * DAY)
        told = set(connection.execute(overdue).scalars())
        rows = connection.execute(query).all()
    found = []
    for row in rows:
        runs_out = row.open and row.due_at is not None and row.due_at < at
        late = row.id in told or runs_out
        if late:
            state = "open" if row.open else "late"
        elif row.open:
            continue
        else:
            state = "in_time"
        found.append((row.id, row.kind, row.opener, row.answerer, row.opened_at, state))
    return found


def _moves(office: Office, board: Sequence[Owed], before: Sequence[Owed]) -> list[Move]:
    then = {one.department: one.share for one in tallies(office.list_, before)}
    return [
        Move(one.department, then[one.department], one.share, one.kept, one.total)
        for one in tallies(office.list_, board)
    ]


def _changes(office: Office, board: Sequence[Owed], before: Sequence[Owed], at: datetime) -> list[Change]:
    """What the seven days up to *at* changed; nothing is said of what did not happen."""
    since = at - WEEK
    past = {one.resource: one for one in before}
    first = sum(one.success is not None and past[one.resource].success is None for one in board)
    well = [one.standing is Standing.KEPT for one in board]
    was = [past[one.resource].standing is Standing.KEPT for one in board]
    turned = sum(now and not then for now, then in zip(well, was, strict=True))
    fell = sum(then and not now for now, then in zip(well, was, strict=True))
    issued = (LicenceRow.issued_at > since, LicenceRow.state != PENDING)
    closed = (CaseRow.updated_at > since, sa.not_(CaseRow.open))
    overdue = sa.select(sa.func.count(sa.distinct(Notice.case_id))).where(Notice.kind == _OVERDUE, Notice.at > since)
    asked = {
        "lists": _counted(ListVersion, ListVersion.published_at > since),
        "loads": _counted(Load, Load.started > since, Load.outcome != RUNNING),
        "failed": _counted(Load, Load.started > since, Load.outcome == FAILED),
        "given": _counted(GrantRow, GrantRow.given_at > since),
        "ended": _counted(GrantRow, GrantRow.revoked_at > since),
        "opened": _counted(CaseRow, CaseRow.opened_at > since),
        "closed": _counted(CaseRow, *closed),
        "overdue": overdue,
        "issued": _counted(LicenceRow, *issued),
    }
    with office.control.reading() as connection:
        counts = {name: int(connection.execute(query).scalar_one()) for name, query in asked.items()}
    by_day = list(calls_by_day(office, at).values())
    counts |= {"first": first, "turned": turned, "fell": fell}
    counts |= {"calls": sum(by_day[-7:]), "calls_before": sum(by_day[-14:-7])}
    return [
        Change(key, agreed(en, counts[key]).format(**counts), zh.format(**counts))
        for key, (en, zh) in SENTENCES.items()
        if counts[key]
    ]


def _counted(table: Any, *conditions: Any) -> sa.Select[Any]:  # noqa: ANN401 - a table, and what SQLAlchemy makes of it
    return sa.select(sa.func.count()).select_from(table).where(*conditions)
