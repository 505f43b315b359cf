"""Administration: the clocks and the calendar in force; a further year is put in force in two steps.

What a calendar changes, and what it must not, is `hub.calendars`'s.
"""

from __future__ import annotations

from calendar import Calendar as Months
from typing import TYPE_CHECKING, Any, Final

from catalog.clock import SATURDAY, day_of
from catalog.errors import CatalogError
from hub import calendars
from hub.casewords import CASE_KINDS, CLOCKS
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.administration import READERS
from hub.portal.visits import Go, Shown

if TYPE_CHECKING:
    from datetime import date

    from catalog.clock import Calendar
    from hub.portal.visits import Visit

ROOM = Room()
ADMINISTRATORS: Final = frozenset({Duty.ADMINISTRATOR})
MONTHS: Final = range(1, 13)
# A preview shows the first of them; as data it has all.
SHOWN_MOVES: Final = 200


@ROOM.page("/administration/clocks", "admin-clocks.html", who=READERS)
def clocks(visit: Visit) -> dict[str, Any]:
    """The clocks of the profile in force, with the law and source of each, and a year of the calendar."""
    found, this_year = visit.office.clocks, day_of(visit.now).year
    year = visit.number("year", this_year, least=2000, most=2100)
    return {
        "profile": found.profile.name,
        "edition": found.profile.version,
        "rules": [
            {
                "code": one.code,
                "name": visit.words(CLOCKS[one.code]),
                "days": one.days,
                "unit": _unit(visit, one.unit, one.days),
                "starts": one.starts,
                "remind_before": one.remind_before,
                "law": one.law,
                "source": one.source,
                "verified": one.verified,
            }
            for one in found.profile.rules
        ],
        "year": year,
        "this_year": this_year,
        "years": sorted({*found.calendar.sources, this_year, this_year + 1}),
        "known": found.calendar.knows(year),
        "source": found.calendar.sources.get(year, ""),
        "months": [_month(visit, found.calendar, year, month) for month in MONTHS],
        "special": [_day(visit, found.calendar, one) for one in _special(found.calendar, year)],
        "working": sum(
            found.calendar.is_working(one)
            for month in MONTHS
            for one in Months().itermonthdates(year, month)
            if one.month == month
        ),
        "may_add": visit.has(Duty.ADMINISTRATOR),
        "named": visit.office.settings.calendar_file is not None,
    }


def _unit(visit: Visit, unit: str, days: int) -> str:
    said = visit.say("工作日", "working day") if unit == "working" else visit.say("自然日", "calendar day")
    return said if days == 1 or visit.lang == "zh" else f"{said}s"


@ROOM.step(
    "/administration/clocks",
    again=clocks,
    template="admin-clocks.html",
    who=ADMINISTRATORS,
    max_bytes=2 * calendars.MAX_BYTES,
)
def looked_at(visit: Visit) -> Shown:
    """What a file would change, shown before anything is changed; the file goes on with the form."""
    files = visit.form.files.get("file", ())
    if not files:
        raise FormInvalidError(where="File", where_zh="日历文件", why="choose a file", why_zh="请选择文件")
    return Shown(_previewed(visit, files[-1].data), "admin-calendar.html")


def shown_again(visit: Visit) -> dict[str, Any]:
    """The preview anew, when what was shown does not hold any more."""
    return _previewed(visit, visit.form.text("content").encode())


@ROOM.step(
    "/administration/clocks/calendar",
    again=shown_again,
    template="admin-calendar.html",
    who=ADMINISTRATORS,
    max_bytes=4 * calendars.MAX_BYTES,
)
def put_in_force(visit: Visit) -> Go:
    """Put in force what was shown."""
    data = visit.form.text("content").encode()
    try:
        done, _ = calendars.adopt(visit.office, data, by=visit.actor, seen=visit.form.text("seen"))
    except CatalogError as error:
        raise _faulty(error) from error
    count = len(done.moves)
    said = visit.say(f"日历已生效，调整期限 {count} 项。", f"The calendar is in force; clocks moved: {count}.")
    return Go(f"/administration/clocks?year={done.years[-1].year}", said)


# --- inside ---------------------------------------------------------------------------------------------------------


def _previewed(visit: Visit, data: bytes) -> dict[str, Any]:
    try:
        found = calendars.preview(visit.office, data)
    except CatalogError as error:
        raise _faulty(error) from error
    return {
        "years": [
            {
                "year": one.year,
                "source": one.source,
                "holidays": one.holidays,
                "workdays": one.workdays,
                "known": one.known,
            }
            for one in found.years
        ],
        "total": len(found.moves),
        "shown": SHOWN_MOVES,
        "moves": [
            {
                "case": one.case,
                "kind": visit.words(CASE_KINDS[one.kind]),
                "answerer": naming.department(visit, one.answerer),
                "was": one.was.isoformat(),
                "becomes": one.becomes.isoformat(),
            }
            for one in found.moves
        ],
        "seen": found.seen,
        "content": data.decode("utf-8-sig"),
    }


def _faulty(error: CatalogError) -> FormInvalidError:
    faults = getattr(error, "faults", ())
    en = "; ".join(f"{fault.where}: {fault.text('en')}" for fault in faults[:10]) or error.text("en")
    zh = "；".join(f"{fault.where}：{fault.text('zh')}" for fault in faults[:10]) or error.text("zh")
    return FormInvalidError(where="File", where_zh="日历文件", why=en.rstrip("."), why_zh=zh.rstrip("。"))


def _special(calendar: Calendar, year: int) -> list[date]:
    return sorted(one for one in calendar.holidays | calendar.workdays if one.year == year)


def _day(visit: Visit, calendar: Calendar, one: date) -> dict[str, str]:
    off = one in calendar.holidays
    return {
        "day": one.isoformat(),
        "kind": visit.say("放假", "off") if off else visit.say("调休上班", "worked"),
        "tone": "calm" if off else "good",
        "name": calendar.names.get(one, ""),
    }


def _month(visit: Visit, calendar: Calendar, year: int, month: int) -> dict[str, Any]:
    """The weeks of a month, Monday first; a day of another month is None."""
    weeks = [
        [_cell(visit, calendar, one) if one.month == month else None for one in week]
        for week in Months().monthdatescalendar(year, month)
    ]
    working = sum(cell is not None and cell["working"] for week in weeks for cell in week)
    return {"month": month, "weeks": weeks, "working": working}


def _cell(visit: Visit, calendar: Calendar, one: date) -> dict[str, Any]:
    working = calendar.is_working(one)
    # A mark beside the number, not a colour alone: what differs from the weekend rule says which way.
    mark = ""
    if one in calendar.workdays:
        mark = visit.say("班", "w")
    elif not working and one.weekday() < SATURDAY:
        mark = visit.say("休", "off")
    return {"day": one.day, "working": working, "mark": mark, "name": calendar.names.get(one, "")}
