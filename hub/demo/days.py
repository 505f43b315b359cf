"""What happens in the city on later days: late corrections, a removal, a closure, new records; each day exactly once.

A day is prepared beside the sources and then moved into place file by file, so that a crash at any point leaves
either nothing done or a day that the next call completes. The first day is `hub.demo.city`.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

from hub.demo import manifest, sources
from hub.demo.draw import Table
from hub.demo.errors import CityMissingError, DayOrderError
from hub.demo.manifest import Change, DayChanges
from hub.demo.people import DAY_ONE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from hub.demo.draw import Row

# The day's redo log: written last into the prepared folder, it says that everything of the day is there.
READY = "ready.json"
PLAN_FILE = "days.json"
DAYS_PLANNED = 30
# What a day touches: name → resource, the columns that name the record (and what else is needed), one in how many
# records, and how many at least.
_SHARES: Final[dict[str, tuple[str, tuple[str, ...], int, int]]] = {
    "residents": ("3010010001", ("citizen_id",), 800, 4),
    "companies": ("3040010001", ("uscc",), 500, 2),
    "reports": ("3040010001", ("uscc",), 100, 5),
    "late": ("3060010001", ("account_no", "citizen_id", "contribution_base"), 100, 5),
    "clinics": ("3090010001", ("licence_no",), 10_000, 1),
}


def advance(folder: Path, day: int = 2) -> DayChanges:
    """Let *day* happen in the city in *folder* and say what it changes; a day that was is only told again.

    Corrects some residents and companies (newer ``updated_at``), marks residents as struck off, closes a clinic (its
    record is absent from the next export), posts late contributions and files annual reports. One caller at a time.

    Raises:
        CityMissingError: no complete city in *folder*.
        DayOrderError: the day before has not been yet.
    """
    city = manifest.read(folder) if folder.is_dir() else None
    if city is None:
        raise CityMissingError(folder=folder)
    for past in city.changes:
        if past.day == day:
            return past
    if day != city.day + 1:
        raise DayOrderError(day=city.day, wanted=day, next=city.day + 1)
    staged = folder / f".day-{day}"
    if not (staged / READY).is_file():
        if staged.is_dir():
            shutil.rmtree(staged)
        changes = _prepare(folder, staged, day)
        plain = json.dumps(manifest.changes_to_plain(changes), indent=1)
        # From here on the day will happen: whatever crashes, the next call moves the rest and records it.
        manifest.write_atomically(staged / READY, plain.encode())
    changes = manifest.changes_from_plain(json.loads((staged / READY).read_bytes()))
    for file in sorted(staged.rglob("*")):
        if file.is_file() and file.name != READY:
            file.replace(folder / file.relative_to(staged))
    manifest.write(replace(city, day=day, changes=(*city.changes, changes)), folder)
    shutil.rmtree(staged)
    return changes


def plan(tables: Mapping[str, Table], rejected: Mapping[str, frozenset[int]], seed: int) -> dict[str, list[list[str]]]:
    """Draw once, when the city is built, which records each of the first `DAYS_PLANNED` days will touch.

    Only records without a fault are drawn, none twice: what a day changes can then be told exactly.
    """
    drawn: dict[str, list[list[str]]] = {}
    for name, (code, columns, part, least) in _SHARES.items():
        table = tables[code]
        at = [table.index(column) for column in columns]
        deleted = table.index("deleted") if "deleted" in table.columns else None
        good = [
            [row[column] or "" for column in at]
            for number, row in enumerate(table.rows)
            # Full-width digits are mended by the hub, but are not how the source itself names the record.
            if number not in rejected[code]
            and all((row[column] or "").isascii() for column in at)
            and (deleted is None or row[deleted] == "0")
            # The month's batch held the even accounts; the odd ones are late.
            and (name != "late" or number % 2)
        ]
        Random(f"{seed}:days:{name}").shuffle(good)
        drawn[name] = good[: DAYS_PLANNED * _per_day(len(table.rows), part, least)]
        drawn[f"{name}_a_day"] = [[str(_per_day(len(table.rows), part, least))]]
    return drawn


def _per_day(rows: int, part: int, least: int) -> int:
    return max(least, rows // part)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan of a city as read back; `of` gives fewer records, or none, when the city has run out of them."""

    drawn: Mapping[str, list[list[str]]]

    def of(self, name: str, day: int) -> list[list[str]]:
        """The records that *day* touches."""
        count = int(self.drawn[f"{name}_a_day"][0][0])
        return self.drawn[name][(day - 2) * count : (day - 1) * count]


def _prepare(folder: Path, staged: Path, day: int) -> DayChanges:
    drawn = _Plan(json.loads((folder / PLAN_FILE).read_bytes()))
    today = DAY_ONE + timedelta(days=day - 1)
    for room in ("ga", "sj", "gj", "wj"):
        (staged / room).mkdir(parents=True)
    return DayChanges(
        day,
        {
            "3010010001": _residents(folder, staged, drawn.of("residents", day), day, today),
            "3040010001": _companies(folder, staged, drawn.of("companies", day), day, today),
            "3040010002": _reports(folder, staged, drawn.of("reports", day), day, today),
            "3060010002": _late_contributions(staged, drawn.of("late", day), today),
            "3090010001": _clinics(folder, staged, drawn.of("clinics", day)),
        },
    )


def _residents(folder: Path, staged: Path, chosen: list[list[str]], day: int, today: date) -> Change:
    """A quarter of those *chosen* are struck off, the others move to another flat."""
    struck = chosen[: len(chosen) // 4]
    moved = chosen[len(struck) :]
    target = staged / "ga/population.sqlite"
    shutil.copyfile(folder / "ga/population.sqlite", target)
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("BEGIN")
        db.executemany(
            "UPDATE population SET address = address || ?, updated_at = ? WHERE citizen_id = ?",
            [(f"{day}单元", f"{today} 09:30:00", row[0]) for row in moved],
        )
        db.executemany(
            "UPDATE population SET deleted = '1', updated_at = ? WHERE citizen_id = ?",
            [(f"{today} 10:00:00", row[0]) for row in struck],
        )
        db.execute("COMMIT")
    return Change(updated=len(moved), deleted=len(struck))


def _companies(folder: Path, staged: Path, chosen: list[list[str]], day: int, today: date) -> Change:
    """Companies move their seat."""
    codes = {code for (code,) in chosen}
    records = _records(folder / "sj/companies.json")
    for record in records:
        if record["uscc"] in codes:
            record["domicile"] += f"{day}层"
            record["updated_at"] = f"{today}T11:00:00"
    _write_records(staged / "sj/companies.json", records)
    return Change(updated=len(codes))


def _reports(folder: Path, staged: Path, chosen: list[list[str]], day: int, today: date) -> Change:
    """Companies file their report for 2025."""
    new = [
        {
            "report_no": f"NB2025{day:04d}{number:06d}",
            "uscc": code,
            "year": 2025,
            "employees": 3 + number % 50,
            "revenue": f"{120 + number}.50",
            "submitted_at": f"{today}T14:{number % 60:02d}:00",
        }
        for number, (code,) in enumerate(chosen)
    ]
    _write_records(staged / "sj/annual-reports.json", _records(folder / "sj/annual-reports.json") + new)
    return Change(inserted=len(new))


def _late_contributions(staged: Path, chosen: list[list[str]], today: date) -> Change:
    """Employers pay up February for accounts that the month's batch did not hold."""
    columns = ("record_no", "account_no", "citizen_id", "month", "amount", "posted_on")
    rows: list[Row] = [
        [f"BJ{today:%Y%m%d}{number:010d}", account, citizen, "2026-02", f"{float(base) * 0.24:.2f}", today.isoformat()]
        for number, (account, citizen, base) in enumerate(chosen)
    ]
    table = Table("3060010002", columns, rows)
    sources.write_json(staged / f"gj/contributions-{today}.ndjson", table, lines=True)
    return Change(inserted=len(rows))


def _clinics(folder: Path, staged: Path, chosen: list[list[str]]) -> Change:
    """A clinic closes: its line is gone from the export."""
    closed = tuple(number.encode() for (number,) in chosen)
    lines = (folder / "wj/yljg.txt").read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(closed)]
    (staged / "wj/yljg.txt").write_bytes(b"".join(kept))
    return Change(deleted=len(lines) - len(kept))


def _records(path: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return records


def _write_records(path: Path, records: list[dict[str, Any]]) -> None:
    body = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path.write_text(f"[\n{body}\n]\n", encoding="utf-8")
