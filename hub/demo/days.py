"""What happens in the city on later days, each exactly once: corrections, removals, new records, changed columns.

A day is prepared beside the sources and then moved into place file by file, so that a crash at any point leaves
either nothing done or a day that the next call completes. The first day is `hub.demo.city`.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from hub.demo import faults, manifest, sources
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
DAY_TWO: Final = 2
PLAN_FILE = "days.json"
DAYS_PLANNED = 30
_UNITS, _TENANCIES = "3140010001", "3140010002"
# What a day touches: name → resource, the columns that name the record (and what else is needed), one in how many
# records, and how many at least.
_SHARES: Final[dict[str, tuple[str, tuple[str, ...], int, int]]] = {
    "residents": ("3010010001", ("citizen_id",), 800, 4),
    "companies": ("3040010001", ("uscc",), 500, 2),
    "reports": ("3040010001", ("uscc",), 100, 5),
    "late": ("3060010001", ("account_no", "citizen_id", "contribution_base"), 100, 5),
    "clinics": ("3090010001", ("licence_no",), 10_000, 1),
    "machines": ("3070010002", ("owner_citizen_id",), 10_000, 1),
    "trees": ("3100020001", ("tree_no",), 10_000, 1),
    "organisations": ("3120030001", ("uscc",), 100, 4),
    "lines": ("3130020001", ("line_no",), 10_000, 2),
    "tenancies": ("3140010002", ("contract_no",), 100, 4),
}


def advance(folder: Path, day: int = 2) -> DayChanges:
    """Let *day* happen in the city in *folder* and say what it changes; a day that was is only told again.

    Corrects some residents and companies (newer ``updated_at``), marks residents as struck off, closes a clinic (its
    record is absent from the next export), posts late contributions and files annual reports. A tree falls, social
    organisations change their head or are dissolved, the housing bureau mends what was wrong and hands over its next
    batch. Bus lines come with a column more, machines with a column of another type. One caller at a time.

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
        # Of a record that stands there twice one is rejected, and the other good.
        twice = {tuple(table.rows[number][column] for column in at) for number in rejected[code]}
        good = [
            [row[column] or "" for column in at]
            for number, row in enumerate(table.rows)
            # Full-width digits are mended by the hub, but are not how the source itself names the record.
            if number not in rejected[code]
            and tuple(row[column] for column in at) not in twice
            and all((row[column] or "").isascii() for column in at)
            and (deleted is None or row[deleted] == "0")
            # The month's batch held the even accounts; the odd ones are late.
            and (name != "late" or number % 2)
        ]
        Random(f"{seed}:days:{name}").shuffle(good)
        drawn[name] = good[: DAYS_PLANNED * _per_day(len(table.rows), part, least)]
        drawn[f"{name}_a_day"] = [[str(_per_day(len(table.rows), part, least))]]
    units, tenancies = tables[_UNITS], tables[_TENANCIES]
    lost = {units.rows[at][0] for at in rejected[_UNITS]}
    lost -= {row[0] for at, row in enumerate(units.rows) if at not in rejected[_UNITS]}
    drawn["mended"] = [[number or ""] for number in sorted(lost, key=str)]
    waiting = faults.orphans(tenancies, tables, rejected)
    drawn["replayed"] = [[tenancies.rows[at][0] or ""] for at in sorted(waiting)]
    return drawn


def _per_day(rows: int, part: int, least: int) -> int:
    return max(least, rows // part)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan of a city as read back; `of` gives fewer records, or none, when the city has run out of them."""

    drawn: Mapping[str, list[list[str]]]

    def once(self, name: str, day: int) -> list[list[str]]:
        """The records that only the second day touches."""
        return self.drawn[name] if day == DAY_TWO else []

    def of(self, name: str, day: int) -> list[list[str]]:
        """The records that *day* touches."""
        count = int(self.drawn[f"{name}_a_day"][0][0])
        return self.drawn[name][(day - DAY_TWO) * count : (day - 1) * count]


def _prepare(folder: Path, staged: Path, day: int) -> DayChanges:
    drawn = _Plan(json.loads((folder / PLAN_FILE).read_bytes()))
    today = DAY_ONE + timedelta(days=day - 1)
    for room in ("ga", "sj", "gj", "wj", "ny", "ly", "mz", "jt", "zj"):
        (staged / room).mkdir(parents=True)
    return DayChanges(
        day,
        {
            "3010010001": _residents(folder, staged, drawn.of("residents", day), day, today),
            "3040010001": _companies(folder, staged, drawn.of("companies", day), day, today),
            "3040010002": _reports(folder, staged, drawn.of("reports", day), day, today),
            "3060010002": _late_contributions(staged, drawn.of("late", day), today),
            "3070010002": _machines(folder, staged, drawn.of("machines", day), day),
            "3090010001": _clinics(folder, staged, drawn.of("clinics", day)),
            "3100020001": _trees(folder, staged, drawn.of("trees", day)),
            "3120030001": _organisations(folder, staged, drawn.of("organisations", day)),
            "3130020001": _lines(folder, staged, drawn.of("lines", day)),
            _UNITS: _units(folder, staged, drawn.once("mended", day)),
            _TENANCIES: replace(
                _tenancies(folder, staged, drawn.of("tenancies", day), today),
                replayed=len(drawn.once("replayed", day)),
            ),
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


def _machines(folder: Path, staged: Path, chosen: list[list[str]], day: int) -> Change:
    """Owners register one machine more; from the second day on the export holds days as days and no longer as text."""
    table = pq.read_table(folder / "ny/machines.parquet")
    at = table.schema.get_field_index("registered_on")
    table = table.set_column(at, "registered_on", table.column(at).cast(pa.date32()))
    owners = {citizen for (citizen,) in chosen}
    own = [row for row in table.to_pylist() if row["owner_citizen_id"] in owners]
    new = [{**row, "plate_no": f"皖12D{day:02d}{number:03d}"} for number, row in enumerate(own)]
    grown = pa.concat_tables([table, pa.Table.from_pylist(new, table.schema)])
    pq.write_table(grown.combine_chunks(), staged / "ny/machines.parquet", compression="zstd")
    return Change(inserted=len(new))


def _trees(folder: Path, staged: Path, chosen: list[list[str]]) -> Change:
    """A tree falls: the old program marks its record as deleted and leaves it where it is."""
    data = (folder / "ly/gushu.dbf").read_bytes()
    for (number,) in chosen:
        data = data.replace(b" " + number.encode(), b"*" + number.encode(), 1)
    (staged / "ly/gushu.dbf").write_bytes(data)
    return Change(deleted=len(chosen))


def _organisations(folder: Path, staged: Path, chosen: list[list[str]]) -> Change:
    """A quarter of those *chosen* are dissolved, the others have another head."""
    dissolved = {code for (code,) in chosen[: len(chosen) // 4]}
    changed = {code for (code,) in chosen} - dissolved
    name = "mz/shehuizuzhi-2026.zip"
    members: dict[str, str] = {}
    with zipfile.ZipFile(folder / name) as archive:
        for member in archive.namelist():
            lines = archive.read(member).decode().splitlines(keepends=True)
            members[member] = "".join(_headed(line, changed) for line in lines if _code(line) not in dissolved)
    sources.pack(staged / name, members)
    return Change(updated=len(changed), deleted=len(dissolved))


def _code(line: str) -> str:
    found = re.search("<uscc>(.*?)</uscc>", line)
    return found[1] if found else ""


def _headed(line: str, changed: set[str]) -> str:
    return line.replace("</representative>", "新</representative>") if _code(line) in changed else line


def _lines(folder: Path, staged: Path, chosen: list[list[str]]) -> Change:
    """Lines become dearer; and the system now says which of them are air-conditioned."""
    dearer = {number for (number,) in chosen}
    document = json.loads(gzip.decompress((folder / "jt/xianlu.json.gz").read_bytes()))
    for record in document["data"]["lines"]:
        record["air_conditioned"] = "1" if record["fare"] == "2.00" else "0"
        if record["line_no"] in dearer:
            record["fare"] = f"{float(record['fare']) + 1:.2f}"
    sources.pack_json(staged / "jt/xianlu.json.gz", document)
    return Change(updated=len(dearer))


def _units(folder: Path, staged: Path, mended: list[list[str]]) -> Change:
    """The day on which a house was built, impossible so far, is corrected."""
    target = staged / "zj/housing.sqlite"
    shutil.copyfile(folder / "zj/housing.sqlite", target)
    with closing(sqlite3.connect(target)) as db, db:
        db.executemany("UPDATE unit SET built_on = '2018-06-30' WHERE unit_no = ?", mended)
    return Change(inserted=len(mended))


def _tenancies(folder: Path, staged: Path, chosen: list[list[str]], today: date) -> Change:
    """The next batch of the front-end table: half of the contracts *chosen* again with another rent, half let anew."""
    target = staged / "zj/front-end.sqlite"
    shutil.copyfile(folder / "zj/front-end.sqlite", target)
    dearer, let = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
    batch = f"{today:%Y%m%d}"
    with closing(sqlite3.connect(target)) as db, db:
        # The latest version of a contract is its last line.
        again = """
            INSERT INTO tenancy
            SELECT ?, unit_no, tenant_name, tenant_citizen_id, phone, ?, ?, printf('%.2f', monthly_rent + 10), status, ?
            FROM tenancy WHERE contract_no = ? ORDER BY rowid DESC LIMIT 1
        """
        for (number,) in dearer:
            since, until = db.execute(
                "SELECT starts_on, ends_on FROM tenancy WHERE contract_no = ? ORDER BY rowid DESC", (number,)
            ).fetchone()
            db.execute(again, (number, since, until, batch, number))
        for at, (number,) in enumerate(let):
            new = (f"ZL{batch}{at:08d}", str(today), str(today.replace(year=today.year + 3)), batch, number)
            db.execute(again, new)
        db.execute("INSERT INTO tenancy_batch VALUES (?, ?, ?, NULL)", (batch, str(len(chosen)), sources.READY))
    return Change(inserted=len(let), updated=len(dearer))


def _records(path: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return records


def _write_records(path: Path, records: list[dict[str, Any]]) -> None:
    body = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path.write_text(f"[\n{body}\n]\n", encoding="utf-8")
