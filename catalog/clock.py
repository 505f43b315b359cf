"""Working days and clocks: when an answer is due by law, by the city's own profile and the calendar of China.

Which clock runs in which state is each kind of case's own affair; keeping clocks and telling people is `hub.cases`
and `hub.deadlines`. Calendar and clocks are data, read by `catalog.clockfiles`: a city replaces the
files, never the program.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
NATIONAL: Final = "national"
Unit = Literal["working", "calendar"]

SATURDAY: Final = 5
_WORKING_DAYS_A_WEEK: Final = 5
MAX_DAYS: Final = 3_660  # ten years; a clock that runs longer is a slip of the pen

# Every clock the product runs. A profile that lacks one would leave a case without its deadline.
RULE_CODES: Final = (
    "application.reply.unconditional",
    "application.reply.conditional",
    "application.share",
    "application.supplement",
    "dispute.consult",
    "dispute.office",
    "dispute.government",
    "correction.reply",
    "list.review",
    "catalogue.update",
    "demand.claim",
    "demand.answer",
    "grant.unused",
    "grant.expiring",
    "licence.return",
    "licence.decide",
    "licence.issue",
    "licence.confirm",
)


@dataclass(frozen=True)
class Calendar:
    """Which days are worked: Monday to Friday, but for *holidays* and the weekend days *workdays* (调休).

    *sources* says for each year that is known which notice it is taken from. In other years only weekends are
    known, so that a deadline in them may be too early. *names* says of a day that differs after what it is called.
    """

    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    sources: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[date, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Only what really differs from the weekend rule is counted by `between`.
        off = sorted(day.toordinal() for day in self.holidays if day.weekday() < SATURDAY)
        worked = sorted(day.toordinal() for day in self.workdays if day.weekday() >= SATURDAY)
        object.__setattr__(self, "_off", off)
        object.__setattr__(self, "_worked", worked)

    _off: list[int] = field(init=False, repr=False, compare=False, default_factory=list)
    _worked: list[int] = field(init=False, repr=False, compare=False, default_factory=list)

    def is_working(self, day: date) -> bool:
        """Whether offices work on *day*."""
        if day in self.workdays:
            return True
        return day.weekday() < SATURDAY and day not in self.holidays

    def knows(self, year: int) -> bool:
        """Whether the holidays of *year* are known, not only its weekends."""
        return year in self.sources

    def add(self, day: date, working_days: int) -> date:
        """The *working_days*-th working day after *day* (before it, when negative); *day* itself for 0.

        Raises:
            ValueError: more than `MAX_DAYS` either way.
            OverflowError: beyond the years 1 to 9999.
        """
        if abs(working_days) > MAX_DAYS:
            raise ValueError(f"{working_days} working days; at most {MAX_DAYS}")
        step = timedelta(days=1 if working_days > 0 else -1)
        left = abs(working_days)
        while left:
            day += step
            left -= self.is_working(day)
        return day

    def between(self, a: date, b: date) -> int:
        """How many working days it is from *a* to *b*: those after *a* up to and with *b*.

        Backwards, when *b* is before *a*: minus those before *a* down to and with *b*. Hence
        ``between(a, add(a, n)) == n`` for every n.
        """
        if b >= a:
            return self._count(a.toordinal() + 1, b.toordinal())
        return -self._count(b.toordinal(), a.toordinal() - 1)

    def _count(self, first: int, last: int) -> int:
        """Working days from ordinal *first* to *last*, both counted; 0 when *last* is before *first*."""
        if last < first:
            return 0
        plain = _weekdays_up_to(last) - _weekdays_up_to(first - 1)
        off = bisect_right(self._off, last) - bisect_left(self._off, first)
        worked = bisect_right(self._worked, last) - bisect_left(self._worked, first)
        return plain - off + worked


def _weekdays_up_to(ordinal: int) -> int:
    """Mondays to Fridays from ordinal 1, a Monday, to *ordinal*."""
    weeks, rest = divmod(ordinal, 7)
    return weeks * _WORKING_DAYS_A_WEEK + min(rest, _WORKING_DAYS_A_WEEK)


@dataclass(frozen=True, slots=True)
class ClockRule:
    """A clock: *days* from the event *starts* (a kind of log entry), and a reminder *remind_before* days earlier.

    *law* is the norm it follows ("" when none sets it), *source* where the number was read; *verified* is false
    where nobody has compared it with a source.
    """

    code: str
    days: int
    unit: Unit
    starts: str
    remind_before: int
    law: str
    source: str
    verified: bool


@dataclass(frozen=True)
class ClockProfile:
    """The clocks of one city (时限方案); *version* says which edition of its rules they are."""

    name: str
    version: str
    rules: tuple[ClockRule, ...]

    def rule(self, code: str) -> ClockRule:
        """The rule of this code.

        Raises:
            KeyError: the profile has none.
        """
        for rule in self.rules:
            if rule.code == code:
                return rule
        raise KeyError(code)


@dataclass(frozen=True, slots=True)
class Due:
    """A running clock: *started* as given, *remind* and *due* in Asia/Shanghai.

    *due* is the last second that is still in time. *verified* is false when the rule is, or when the clock runs
    through a year of which only the weekends are known.
    """

    rule: str
    started: datetime
    remind: datetime
    due: datetime
    verified: bool


def due(profile: ClockProfile, code: str, started: datetime, calendar: Calendar) -> Due:
    """The clock *code* started by an event at *started* (aware).

    The day of the event, as it was in Shanghai, is not counted (民法典 art. 201); the last day counts whole. The
    reminder is at the beginning of its day, never before the event.

    Raises:
        KeyError: the profile has no such rule.
        ValueError: *started* has no zone.
    """
    if started.utcoffset() is None:
        raise ValueError("a time without a zone; give an aware one")
    rule = profile.rule(code)
    first = day_of(started)
    if rule.unit == "working":
        last = calendar.add(first, rule.days)
        remind_on = calendar.add(last, -rule.remind_before)
        known = all(calendar.knows(year) for year in range(first.year, last.year + 1))
    else:
        last = first + timedelta(days=rule.days)
        remind_on = last - timedelta(days=rule.remind_before)
        known = True
    remind = max(datetime.combine(remind_on, time(), SHANGHAI), started.astimezone(SHANGHAI))
    ends = datetime.combine(last, time(23, 59, 59), SHANGHAI)
    return Due(rule.code, started, remind, ends, rule.verified and known)


def day_of(instant: datetime) -> date:
    """The day in Shanghai on which *instant* (aware) falls."""
    return instant.astimezone(SHANGHAI).date()


@dataclass(frozen=True)
class Clocks:
    """A profile with the calendar it runs by."""

    profile: ClockProfile
    calendar: Calendar

    @classmethod
    def default(cls) -> Clocks:
        """The national profile and the packaged calendar; read once per process."""
        return _default()

    def due(self, code: str, started: datetime) -> Due:
        """As `due` of this module."""
        return due(self.profile, code, started, self.calendar)

    def left(self, due_at: datetime, at: datetime) -> int:
        """Working days from the day of *at* to that of *due_at*: 0 on the last day, negative when it has passed."""
        return self.calendar.between(day_of(at), day_of(due_at))


@cache
def _default() -> Clocks:
    return Clocks(load_profile(None), load_calendar(None))


def load_calendar(path: Path | None = None) -> Calendar:
    """The calendar in *path*, or the packaged one; its form is told at `catalog.clockfiles.read_calendar`.

    Raises:
        DataFileInvalidError: with every fault of the file.
    """
    from catalog import clockfiles  # noqa: PLC0415 - it builds the values of this module

    return clockfiles.read_calendar(path)


def load_profile(path: Path | None = None, name: str = NATIONAL) -> ClockProfile:
    """The profile called *name* in *path*, or in the packaged file; see `catalog.clockfiles.read_profiles`.

    Raises:
        DataFileInvalidError: with every fault of the file, or that it holds no such profile.
    """
    from catalog import clockfiles  # noqa: PLC0415 - as above

    return clockfiles.read_profile(path, name)
