"""`zhengtong calendar …`: the working days in force, and putting a further year in force after looking at what moves.

Leaves all of it to `hub.calendars`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.common import By, Json, opened
from hub.cli.language import say
from hub.cli.output import OK, note, print_json, table

if TYPE_CHECKING:
    from hub.calendars import Preview

calendar = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help=say("工作日历", "The calendar of working days")
)

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help=say("日历文件（CSV）", "the file of the calendar (CSV)"),
        show_default=False,
    ),
]


@calendar.command("show", help=say("查看生效的日历", "Which years are known, and by which notice"))
def show(*, as_json: Json = False) -> int:
    """Days that differ from Monday to Friday, by year."""
    with opened() as office:
        found = office.clocks.calendar
    years: list[dict[str, Any]] = [
        {
            "year": year,
            "source": source,
            "holidays": sorted(day.isoformat() for day in found.holidays if day.year == year),
            "workdays": sorted(day.isoformat() for day in found.workdays if day.year == year),
        }
        for year, source in sorted(found.sources.items())
    ]
    if as_json:
        print_json(years)
        return OK
    heads = [say("年份", "Year"), say("放假", "Days off"), say("调休上班", "Days worked"), say("来源", "Source")]
    rows = [(str(one["year"]), len(one["holidays"]), len(one["workdays"]), one["source"]) for one in years]
    table("", heads, rows, right=(1, 2))
    return OK


@calendar.command("check", help=say("预览：哪些期限会变动", "What a file would change, and which deadlines move"))
def check(file: File, *, as_json: Json = False) -> int:
    """Changes nothing; prints the mark that `add` takes."""
    from hub.calendars import preview

    with opened() as office:
        found = preview(office, file.read_bytes())
    return _told(found, None, as_json=as_json)


@calendar.command("add", help=say("使日历生效，并调整预览中的期限", "Put a file in force and move what was shown"))
def add(
    file: File,
    *,
    by: By,
    seen: Annotated[
        str,
        typer.Option(
            "--seen",
            metavar="MARK",
            help=say("预览给出的标记（calendar check）", "the mark that `calendar check` gave"),
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> int:
    """Refused when anything changed since it was looked at."""
    from hub.actors import Actor
    from hub.calendars import adopt

    with opened() as office:
        found, index = adopt(office, file.read_bytes(), by=Actor.parse(by), seen=seen)
    return _told(found, index, as_json=as_json)


def _told(found: Preview, index: int | None, *, as_json: bool) -> int:
    if as_json:
        plain = {
            "years": [
                {"year": one.year, "source": one.source, "holidays": one.holidays, "workdays": one.workdays}
                for one in found.years
            ],
            "moves": [one.plain() for one in found.moves],
        }
        print_json({**plain, "seen": found.seen} if index is None else {**plain, "log_index": index})
        return OK
    heads = [say("事项", "Case"), say("办理部门", "Answerer"), say("原期限", "Was"), say("新期限", "Becomes")]
    rows = [(one.case, one.answerer, one.was.isoformat(), one.becomes.isoformat()) for one in found.moves]
    table("", heads, rows)
    for year in found.years:
        note(
            say(
                f"{year.year}：放假 {year.holidays} 天，调休上班 {year.workdays} 天；{year.source}",
                f"{year.year}: {year.holidays} days off, {year.workdays} days worked; {year.source}",
            )
        )
    if index is None:
        note(say(f"尚未生效。标记：{found.seen}", f"Nothing was changed. Mark: {found.seen}"))
    else:
        count = len(found.moves)
        note(
            say(f"已生效，调整 {count} 项期限；日志条目 {index}", f"In force; {count} clocks moved; log entry {index}")
        )
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(calendar, name="calendar")
