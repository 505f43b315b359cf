"""How each department stands with what it owes by the list: a light for each resource, why, and what clears it.

Whether a load kept the list's cycle is `hub.freshness`'s; here the day by which a resource must first be shared comes
in, which only the list's lines know. Everything is made of the control tables and the list in force; nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from catalog.clock import SHANGHAI, day_of
from catalog.model import Domain
from hub import drifts, freshness, loads, pauses
from hub.control import DriftRow, Load
from hub.freshness import Light

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date, datetime

    from catalog.model import InformationResource, Responsibility, ResponsibilityList
    from hub.control import Control
    from hub.freshness import Freshness
    from hub.office import Office
    from hub.pauses import Pause


class Standing(StrEnum):
    """One word for a resource. Of those that fit it is the first of this order but for ``kept``, which is the last.

    ``paused``: somebody holds its loads back. ``waiting``: its source changed its shape, and nobody has decided yet.
    ``late``: it was loaded, and not again within the list's cycle. ``overdue``: it never was, and the day by which it
    had to be shared first has passed. ``ahead``: it never was, and that day is to come, or the list names none.
    ``failing``: the newest load failed, and the cycle is still kept. ``kept``: all is as the list promises.
    """

    PAUSED = "paused"
    WAITING = "waiting"
    LATE = "late"
    OVERDUE = "overdue"
    AHEAD = "ahead"
    FAILING = "failing"
    KEPT = "kept"


# The gravest first, as boards show them.
GRAVITY: Final = (
    Standing.OVERDUE,
    Standing.LATE,
    Standing.WAITING,
    Standing.FAILING,
    Standing.PAUSED,
    Standing.AHEAD,
    Standing.KEPT,
)
# Standing: (English, Chinese).
WORDS: Final[Mapping[Standing, tuple[str, str]]] = {
    Standing.PAUSED: ("paused", "已暂停"),
    Standing.WAITING: ("waits for a decision", "结构变化待审批"),
    Standing.LATE: ("late", "逾期未更新"),
    Standing.OVERDUE: ("not shared by its day", "逾期未共享"),
    Standing.AHEAD: ("not yet due", "未到时限"),
    Standing.FAILING: ("last load failed", "最近一次失败"),
    Standing.KEPT: ("kept", "正常"),
}
# What everybody may know of a pause: whether who holds the resource paused it, or somebody else. Its reason was written
# for colleagues, and a post is a person's.
_PAUSED_BY_PROVIDER: Final = ("Its provider paused its loads on {since}.", "提供部门自 {since} 起暂停归集。")
_PAUSED_BY_OTHERS: Final = ("Loads are paused since {since} by the hub.", "平台自 {since} 起暂停归集。")
_WHY: Final[Mapping[Standing, tuple[str, str]]] = {
    Standing.PAUSED: ("Loads are paused since {since} by {by}: {reason}.", "自 {since} 起由 {by} 暂停归集：{reason}。"),
    Standing.WAITING: (
        "Its source changed its shape, and nobody has decided on it yet.",
        "数据来源的结构发生变化，尚未审批。",
    ),
    Standing.LATE: (
        "It was to be updated by {due} and is {days} days late; the last success was on {success}.",
        "应于 {due} 前更新，已逾期 {days} 天；最近一次成功为 {success}。",
    ),
    Standing.OVERDUE: (
        "It was to be shared first by {deadline}, {days} days ago; no load has succeeded yet.",
        "应于 {deadline} 前首次共享，已逾期 {days} 天；至今没有成功的归集。",
    ),
    Standing.AHEAD: (
        "It is to be shared first by {deadline}; no load has succeeded yet.",
        "应于 {deadline} 前首次共享；尚无成功的归集。",
    ),
    Standing.FAILING: (
        "The newest load failed; the last success was on {success}, and it is late after {due}.",
        "最近一次归集失败；最近一次成功为 {success}，{due} 后即为逾期。",
    ),
    Standing.KEPT: (
        "The last success was on {success}; the next is due by {due}.",
        "最近一次成功为 {success}，下一次应在 {due} 前。",
    ),
}
_CLEARS: Final[Mapping[Standing, tuple[str, str]]] = {
    Standing.PAUSED: ("Letting its loads go on.", "恢复归集。"),
    Standing.WAITING: (
        "The hub office accepting the shape, or the source going back to its former one; then one good load.",
        "数据主管部门接受新结构，或来源恢复原结构；随后成功归集一次。",
    ),
    Standing.LATE: ("One good load.", "成功归集一次。"),
    Standing.OVERDUE: ("The first good load.", "首次成功归集。"),
    Standing.AHEAD: ("The first good load, before that day.", "在时限前完成首次成功归集。"),
    Standing.FAILING: ("One good load, before that day.", "在此之前成功归集一次。"),
    Standing.KEPT: ("Nothing to do.", "无需处理。"),
}
_UNNAMED: Final = ("a day the list does not name", "清单未规定的日期")


@dataclass(frozen=True, slots=True)
class Owed:
    """One resource of the list. *deadline* is the earliest day of its lines; *days* how long it is late or overdue."""

    resource: str
    provider: str
    standing: Standing
    success: datetime | None
    due: datetime | None
    deadline: date | None
    days: int
    pause: Pause | None

    def word(self, lang: str) -> str:
        """The light's word."""
        return WORDS[self.standing][lang == "zh"]

    def why(self, lang: str, *, public: bool = False, named: Callable[[str], str] = str) -> str:
        """Why the light is what it is; *public*: as everybody may read it, of a pause no more than its kind.

        *named* tells who paused it, which is written down as ``MZJ:data-officer``.
        """
        paused = self.pause
        words = _WHY[self.standing]
        if public and paused is not None:
            own = paused.by.partition(":")[0] == self.provider
            words = _PAUSED_BY_PROVIDER if own else _PAUSED_BY_OTHERS
        return words[lang == "zh"].format(
            success=_day(self.success),
            due=_day(self.due),
            days=self.days,
            deadline=self.deadline.isoformat() if self.deadline else _UNNAMED[lang == "zh"],
            since=_day(paused.since) if paused else "",
            by=named(paused.by) if paused else "",
            reason=(paused.why or "–") if paused else "",
        )

    def clears(self, lang: str) -> str:
        """What makes it well again."""
        return _CLEARS[self.standing][lang == "zh"]


@dataclass(frozen=True, slots=True)
class Rate:
    """Of the lines of one domain of the list (政务数据, 经济社会数据): *lines* there are, *collected*, *kept*.

    A line is **collected** when its resource was loaded well at least once; the collection rate (归集率) is *collected*
    of *lines*. A line is **kept** when its resource's standing is ``kept``; the rate of updates in time (及时更新率) is
    *kept* of *lines*. A resource that stands in both domains counts in each.
    """

    domain: Domain
    lines: int
    collected: int
    kept: int


@dataclass(frozen=True, slots=True)
class Tally:
    """A department's resources by standing."""

    department: str
    counts: Mapping[Standing, int]

    @property
    def total(self) -> int:
        """How many resources it owes."""
        return sum(self.counts.values())

    @property
    def kept(self) -> int:
        """How many are as the list promises."""
        return self.counts.get(Standing.KEPT, 0)

    @property
    def share(self) -> float:
        """What part is kept, 0 to 1; 1 of nothing."""
        return self.kept / self.total if self.total else 1.0


def owed(office: Office, *, at: datetime | None = None) -> list[Owed]:
    """Every resource of the list in force, in its order, as it stands now (*at*: by another clock)."""
    control, list_, at = office.control, office.list_, at or office.now()
    held = {one.resource: one for one in pauses.paused(control)}
    waiting = {one.resource for one in drifts.waiting(control)}
    return _judged(list_, _loaded(control), held, waiting, at)


def owed_then(office: Office, at: datetime) -> list[Owed]:
    """As `owed`, for an instant that has passed, by the list in force now.

    Loads and decisions have their times. Of pauses only those are known that hold to this day.
    """
    control, list_ = office.control, office.list_
    held = {one.resource: one for one in pauses.paused(control) if one.since <= at}
    decided = sa.or_(DriftRow.status == drifts.WAITING, DriftRow.decided_at > at)
    asked = sa.select(DriftRow.resource).where(DriftRow.first_seen <= at, decided)
    with control.reading() as connection:
        waiting = set(connection.execute(asked).scalars())
    return _judged(list_, _loaded(control, until=at), held, waiting, at)


@dataclass(frozen=True, slots=True)
class _Loads:
    """What a resource's loads came to: the last success, and whether the one that began last has failed."""

    success: datetime | None = None
    failed: bool = False


def _loaded(control: Control, *, until: datetime | None = None) -> dict[str, _Loads]:
    """Resource → what its loads came to, by what had ended at *until* (None: by now).

    A city's years of loads are many, its resources few: each is looked up by the index of resource and begin, from one
    resource to the next, and nothing is read in between.
    """
    codes = sa.select(sa.func.min(Load.resource).label("code")).cte("codes", recursive=True)
    following = sa.select(sa.func.min(Load.resource)).where(Load.resource > codes.c.code).scalar_subquery()
    codes = codes.union_all(sa.select(following).where(codes.c.code.is_not(None)))
    mine = sa.and_(Load.resource == codes.c.code, Load.started <= until if until is not None else sa.true())
    ended = Load.finished <= until if until is not None else Load.finished.is_not(None)
    newest_first = (Load.started.desc(), Load.id.desc())
    # What a load under way then has become is not what it was.
    outcome = sa.case((ended, Load.outcome), else_=loads.RUNNING)
    newest = sa.select(outcome).where(mine).order_by(*newest_first).limit(1).scalar_subquery()
    well = (Load.outcome.in_((loads.LOADED, loads.UNCHANGED)), Load.mode.in_(("usual", "full")), ended)
    success = sa.select(Load.finished).where(mine, *well).order_by(*newest_first).limit(1).scalar_subquery()
    query = sa.select(codes.c.code, success.label("success"), newest.label("newest"))
    with control.reading() as connection:
        rows = connection.execute(query.where(codes.c.code.is_not(None))).all()
    return {row.code: _Loads(row.success, row.newest == loads.FAILED) for row in rows}


def _judged(
    list_: ResponsibilityList,
    loaded: Mapping[str, _Loads],
    held: Mapping[str, Pause],
    waiting: Collection[str],
    at: datetime,
) -> list[Owed]:
    found = []
    for resource in list_.resources:
        code = resource.code
        mine = loaded.get(code, _Loads())
        one = freshness.judge(resource, None, mine.success, at=at, paused=code in held, waiting=code in waiting)
        deadline = min((line.deadline for line in list_.responsibilities_for(code)), default=None)
        standing = _standing(one, deadline, at, failed=mine.failed)
        days = 0
        if standing is Standing.LATE and one.due is not None:
            # The day that has begun counts, as it does for a clock that ran out.
            days = (at - one.due).days + 1
        elif standing is Standing.OVERDUE and deadline is not None:
            days = (day_of(at) - deadline).days
        pause = held.get(code) if standing is Standing.PAUSED else None
        found.append(Owed(code, resource.provider, standing, one.success, one.due, deadline, days, pause))
    return found


def _standing(one: Freshness, deadline: date | None, at: datetime, *, failed: bool) -> Standing:
    if one.light is Light.PAUSED:
        return Standing.PAUSED
    if one.light is Light.WAITING:
        return Standing.WAITING
    if one.light is Light.LATE:
        return Standing.LATE
    if one.success is None:
        return Standing.OVERDUE if deadline is not None and day_of(at) > deadline else Standing.AHEAD
    return Standing.FAILING if failed else Standing.KEPT


def rates(list_: ResponsibilityList, board: Sequence[Owed]) -> list[Rate]:
    """The rates of both domains, over all lines of the list; see `Rate` for what is counted."""
    known = {one.resource: one for one in board}
    found = []
    for domain in Domain:
        lines = [known[line.resource] for line in list_.responsibilities if line.domain is domain]
        collected = sum(one.success is not None for one in lines)
        found.append(Rate(domain, len(lines), collected, sum(one.standing is Standing.KEPT for one in lines)))
    return found


def without_line(list_: ResponsibilityList) -> list[InformationResource]:
    """The resources for which the list has no line: they are on the board, and in no rate."""
    return [resource for resource in list_.resources if not list_.responsibilities_for(resource.code)]


def lines_of(list_: ResponsibilityList, domain: Domain | None = None) -> list[Responsibility]:
    """The lines of the list, of one *domain* (None: of both)."""
    return [line for line in list_.responsibilities if domain is None or line.domain is domain]


def tallies(list_: ResponsibilityList, board: Sequence[Owed]) -> list[Tally]:
    """The departments that owe anything, in the list's order, with their resources by standing."""
    counted: dict[str, dict[Standing, int]] = {}
    for one in board:
        mine = counted.setdefault(one.provider, {})
        mine[one.standing] = mine.get(one.standing, 0) + 1
    places = {department.code: place for place, department in enumerate(list_.departments)}
    codes = sorted(counted, key=lambda code: (places.get(code, len(places)), code))
    return [Tally(code, counted[code]) for code in codes]


def _day(at: datetime | None) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if at else "–"
