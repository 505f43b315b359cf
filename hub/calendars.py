"""Puts the working days of further years in force: what would change is shown first, deadlines that move are moved.

Two steps, so that nobody moves deadlines unseen: `preview` says what would change and gives a mark of it, and `adopt`
takes that mark. A clock that counts working days and runs through a year whose holidays were not known ends too early;
it gets the day that the law gives it. Clocks that ran out, days that somebody promised and clocks of an older edition
of the rules keep theirs.

How a calendar is written is `catalog.clockfiles`'s.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.clock import Calendar, Clocks, Due, day_of
from catalog.clockfiles import parse_calendar, render_calendar
from hub.casewords import CASE_KINDS
from hub.control import CaseRow, row_dict
from hub.errors import CaseConflictError, WorkError
from hub.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, datetime

    from sqlalchemy.engine import Connection

    from hub.actors import Actor
    from hub.office import Office

ADOPTED: Final = "calendar.adopted"
MAX_BYTES: Final = 128 * 1024  # a year has some thirty rows; ten years are 20 KB
FILE: Final = "calendar.csv"


class CalendarRefusedError(WorkError):
    """The file changes what it must not, or nothing."""

    code = "calendar_refused"
    en = "{why}"
    zh = "{why_zh}"


@dataclass(frozen=True, slots=True)
class Year:
    """A year of a file: its notice, how many days differ from the weekend rule, and whether it was known before."""

    year: int
    source: str
    holidays: int
    workdays: int
    known: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A running clock whose last day would be another one."""

    case: str
    kind: str
    answerer: str
    resource: str
    rule: str
    was: date
    becomes: date

    def plain(self) -> dict[str, str]:
        """JSON values."""
        return {
            "case": self.case,
            "kind": self.kind,
            "answerer": self.answerer,
            "resource": self.resource,
            "rule": self.rule,
            "was": self.was.isoformat(),
            "becomes": self.becomes.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would change; *seen* is the mark by which `adopt` knows that just this was looked at."""

    years: tuple[Year, ...]
    moves: tuple[Move, ...]
    seen: str


@dataclass(frozen=True, slots=True)
class _Moved:
    move: Move
    revision: int
    due: Due


def preview(office: Office, data: bytes) -> Preview:
    """What would change if the calendar *data* (CSV) were put in force now.

    Raises:
        DataFileInvalidError: with every fault of the file.
        CalendarRefusedError: it changes nothing, or a year that is over; or a setting names the calendar.
    """
    given, new = _given(office, data)
    with office.control.reading() as connection:
        moves = [one.move for one in _moved(connection, office, new)]
    return _preview(office, given, new, moves)


def adopt(office: Office, data: bytes, *, by: Actor, seen: str) -> tuple[Preview, int]:
    """Put the calendar *data* in force beside the years it does not name, and move the clocks that *seen* showed.

    All clocks move in one transaction, with one entry; then the file is replaced, by which every process learns of it.
    A crash between leaves clocks that are moved and the former calendar: do it again, and only the file is written.

    Raises:
        DataFileInvalidError, CalendarRefusedError: as `preview`.
        CaseConflictError: something changed since it was looked at; look again.
    """
    given, new = _given(office, data)
    with office.cases.begin() as transaction:
        moved = list(_moved(transaction.connection, office, new))
        shown = _preview(office, given, new, [one.move for one in moved])
        if seen != shown.seen:
            raise CaseConflictError(case=FILE, revision=shown.seen[:12])
        for one in moved:
            _move(transaction.connection, one)
            if one.move.answerer:
                transaction.tell(
                    one.move.answerer,
                    "clock_moved",
                    key=f"clock_moved:{one.move.case}:{one.revision}:{one.move.becomes}",
                    case=one.move.case,
                    resource=one.move.resource,
                    params=_words(one.move),
                )
        recorded = transaction.record(
            ADOPTED,
            actor=by,
            facts={
                "years": [{"year": year.year, "source": year.source} for year in shown.years],
                "calendar": _digest(new),
                "moved": len(moved),
            },
            body={"calendar": render_calendar(new), "moves": [one.move.plain() for one in moved]},
        )
    replace_file(office.settings.own_calendar, render_calendar(new).encode())
    return shown, recorded.index


def _given(office: Office, data: bytes) -> tuple[Calendar, Calendar]:
    """The calendar of the file, and the one that would hold: the former one with the file's years in it."""
    if office.settings.calendar_file is not None:
        raise CalendarRefusedError(
            why="`ZHENGTONG_CALENDAR` names the calendar of this hub. Change that file, or unset the variable.",
            why_zh="本平台的日历由 `ZHENGTONG_CALENDAR` 指定。请修改该文件，或取消该设置。",
        )
    if len(data) > MAX_BYTES:
        raise CalendarRefusedError(why="A calendar has at most 128 KB.", why_zh="日历文件不超过 128 KB。")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CalendarRefusedError(why="The file is not in UTF-8.", why_zh="文件不是 UTF-8 编码。") from error
    given = parse_calendar(text, FILE)
    if not given.sources:
        raise CalendarRefusedError(
            why="The file names no year. It needs a line `#year,2027,SOURCE` for each year that it holds.",
            why_zh="文件未注明年份。每个年份应有一行 `#year,2027,来源`。",
        )
    this_year = day_of(office.now()).year
    if min(given.sources) < this_year:
        raise CalendarRefusedError(
            why=f"Years before {this_year} are over, and their clocks were counted.",
            why_zh=f"{this_year} 年以前的年份已经过去，其时限已经计算。",
        )
    old = office.clocks.calendar
    new = _joined(old, given)
    if new == old:
        raise CalendarRefusedError(why="This calendar is in force already.", why_zh="该日历已经生效。")
    return given, new


def _joined(old: Calendar, given: Calendar) -> Calendar:
    def kept(day: date) -> bool:
        return day.year not in given.sources

    return Calendar(
        frozenset(filter(kept, old.holidays)) | given.holidays,
        frozenset(filter(kept, old.workdays)) | given.workdays,
        {**old.sources, **given.sources},
        {**{day: name for day, name in old.names.items() if kept(day)}, **given.names},
    )


def _preview(office: Office, given: Calendar, new: Calendar, moves: list[Move]) -> Preview:
    years = tuple(
        Year(
            year,
            source,
            sum(day.year == year for day in given.holidays),
            sum(day.year == year for day in given.workdays),
            office.clocks.calendar.knows(year),
        )
        for year, source in sorted(given.sources.items())
    )
    mark = hashlib.sha256(f"{_digest(office.clocks.calendar)}{_digest(new)}{moves}".encode())
    return Preview(years, tuple(moves), mark.hexdigest())


def _moved(connection: Connection, office: Office, new: Calendar) -> Iterator[_Moved]:
    """The running clocks that end on another day by *new*, the one that ends first on top."""
    old, now = office.clocks, office.now()
    after = Clocks(old.profile, new)
    rules = {rule.code for rule in old.profile.rules if rule.unit == "working"}
    query = (
        sa.select(CaseRow.__table__)
        .where(CaseRow.open, CaseRow.due_at >= now, CaseRow.rule.in_(rules))
        .order_by(CaseRow.due_at, CaseRow.id)
    )
    for row in connection.execute(query):
        case = row_dict(row)
        was = old.due(case["rule"], case["started_at"])
        # Where the day is not the one that the rule gives, somebody promised it, or another edition of the rules did.
        if was.due != case["due_at"]:
            continue
        becomes = after.due(case["rule"], case["started_at"])
        if becomes.due != was.due:
            yield _Moved(_move_of(case, was.due, becomes.due), case["revision"], becomes)


def _move_of(case: Mapping[str, Any], was: datetime, becomes: datetime) -> Move:
    return Move(
        case=case["id"],
        kind=case["kind"],
        answerer=case["answerer"],
        resource=case["resource"],
        rule=case["rule"],
        was=day_of(was),
        becomes=day_of(becomes),
    )


def _move(connection: Connection, one: _Moved) -> None:
    # It is no step of the case: its revision stays, so that nobody's answer conflicts with a calendar.
    changed = connection.execute(
        sa.update(CaseRow)
        .where(CaseRow.id == one.move.case, CaseRow.revision == one.revision)
        .values(due_at=one.due.due, remind_at=one.due.remind)
    )
    if changed.rowcount != 1:
        raise CaseConflictError(case=one.move.case, revision=one.revision)


def _words(move: Move) -> dict[str, str]:
    kind, kind_zh = CASE_KINDS[move.kind]
    return {
        "kind": kind,
        "kind_zh": kind_zh,
        "case": move.case,
        "was": move.was.isoformat(),
        "due": move.becomes.isoformat(),
    }


def _digest(calendar: Calendar) -> str:
    return hashlib.sha256(render_calendar(calendar).encode()).hexdigest()
