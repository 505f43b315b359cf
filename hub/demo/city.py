"""Build the demonstration city: the folder of departmental sources that a deployment reads in place of real systems.

The same seed and scale give the same bytes on every machine. What changes on later days is `hub.demo.days`;
reading the sources is the connectors' work, and nothing here knows the hub.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from random import Random
from typing import TYPE_CHECKING

from hub.demo import days, faults, manifest, sources
from hub.demo.days import advance
from hub.demo.errors import CityFolderOccupiedError
from hub.demo.manifest import CityManifest, Expected
from hub.demo.people import load_villages, make_folk
from hub.demo.tables import COMPANIES, PERSONS, make_tables, scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hub.demo.draw import Table

__all__ = ["TOKEN_FILE", "advance", "build", "clean_tables"]

# Where the market office's token lies; it guards synthetic data on the loopback address and nothing else.
TOKEN_FILE = "sj/token"  # noqa: S105 - a file's name


def build(folder: Path, *, seed: int, scale: float, demo_data: Path) -> CityManifest:
    """Make the city in *folder*; a complete city of the same seed and scale is returned as it stands, day and all.

    Scale 1 has about 20,000 persons; the national divisions are always whole. *demo_data* is the folder with
    ``divisions/``. A city of another seed, scale or version is replaced. One builder per folder at a time.

    Raises:
        CityFolderOccupiedError: *folder* holds something that is no city.
    """
    present = manifest.read(folder) if folder.is_dir() else None
    if present and (present.seed, present.scale) == (seed, scale):
        return present
    if folder.is_dir() and any(folder.iterdir()) and not (folder / manifest.FILE).is_file():
        raise CityFolderOccupiedError(folder=folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}.building")
    leaving = folder.with_name(f".{folder.name}.leaving")
    for leftover in (building, leaving):
        if leftover.is_dir():
            shutil.rmtree(leftover)
    made = _write(building, seed, scale, demo_data / "divisions")
    # The city appears whole or not at all. A crash between the two renames leaves no city, and the next call makes it.
    if folder.is_dir():
        folder.rename(leaving)
    building.rename(folder)
    if leaving.is_dir():
        shutil.rmtree(leaving)
    return made


def clean_tables(seed: int, scale: float, divisions: Path) -> dict[str, Table]:
    """Every generated table by resource code, before any fault is put in."""
    villages = load_villages(divisions)
    folk = make_folk(Random(f"{seed}:folk"), villages, scaled(PERSONS, scale), scaled(COMPANIES, scale))
    return {table.code: table for table in make_tables(folk, seed, scale)}


def _write(folder: Path, seed: int, scale: float, divisions: Path) -> CityManifest:
    tables = clean_tables(seed, scale, divisions)
    expected: dict[str, Expected] = {}
    rejected: dict[str, frozenset[int]] = {}
    for code, table in tables.items():
        # In code order what a table refers to has been spoilt already.
        orphans = faults.orphans(table, tables, rejected)
        sown = faults.sow(table, seed, orphans)
        rejected[code] = sown.rejected | orphans
        expected[code] = Expected(
            rows=len(table.rows),
            rejects=tuple(sorted((*sown.rejects, *([("no_reference", len(orphans))] if orphans else [])))),
            noted=sown.noted,
            renamed=sources.RENAMED.get(code, ()),
            table_rows=_kept(table, rejected[code]),
        )
    for room in ("ga", "tj", "rs", "sj", "zr", "gj", "ny", "jy", "wj", "ly", "rf", "mz", "jt", "zj"):
        (folder / room).mkdir(parents=True)
    _write_tables(folder, tables)
    for code, rows in sources.write_divisions(folder / "tj", divisions).items():
        expected[code] = Expected(rows, (), (), sources.RENAMED.get(code, ()), rows)
    token = folder / TOKEN_FILE
    token.write_text(hashlib.sha256(f"demonstration:{seed}".encode()).hexdigest()[:32] + "\n", encoding="ascii")
    token.chmod(0o600)
    (folder / days.PLAN_FILE).write_text(json.dumps(days.plan(tables, rejected, seed)), encoding="ascii")
    made = CityManifest(seed, scale, 1, dict(sorted(expected.items())))
    manifest.write(made, folder)
    return made


def _kept(table: Table, rejected: frozenset[int]) -> int:
    """Rows that a first load leaves in the table: accepted and not marked deleted."""
    if "deleted" not in table.columns:
        return len(table.rows) - len(rejected)
    deleted = table.index("deleted")
    return sum(1 for at, row in enumerate(table.rows) if at not in rejected and row[deleted] != "1")


def _write_tables(folder: Path, tables: Mapping[str, Table]) -> None:
    police = {
        "population": tables["3010010001"],
        "household": tables["3010010002"],
        "vehicle": tables["3010020001"],
        "driving_licence": tables["3010020002"],
    }
    sources.write_sqlite(folder / "ga/population.sqlite", police)
    affairs = {"elder_card": tables["3120010001"], "marriage": tables["3120020001"]}
    sources.write_sqlite(folder / "mz/affairs.sqlite", affairs)
    sources.write_sqlite(folder / "zj/housing.sqlite", {"unit": tables["3140010001"]})
    sources.write_exchange(folder / "zj/front-end.sqlite", "tenancy", tables["3140010002"])
    for code, write in WRITERS.items():
        write(folder, tables[code])
    schools = {
        "xuexiao.csv": sources.csv_text(sources.HEADINGS["3080010001"], tables["3080010001"].rows),
        "xuesheng.csv": sources.csv_text(sources.HEADINGS["3080010002"], tables["3080010002"].rows),
    }
    sources.write_zip(folder / "jy/xueji-2026.zip", schools)


def _bus_cards(folder: Path, table: Table) -> None:
    text = sources.csv_text(table.columns, table.rows, "|")
    (folder / "jt/laonianka-2026.txt").write_text(text, encoding="utf-8", newline="")


# Resources that lie in a file of their own, and how it is written.
WRITERS: Mapping[str, Callable[[Path, Table], None]] = {
    "3030010001": lambda folder, table: sources.write_xlsx(
        folder / "rs/canbao.xlsx",
        table,
        sheet="参保人员",
        title="阜阳市社会保险参保人员信息表",
        numeric=("contribution_base",),
    ),
    "3030010002": lambda folder, table: sources.write_xlsx(
        folder / "rs/yanglao.xlsx", table, sheet="待遇发放", title="阜阳市养老保险待遇发放明细表", numeric=("amount",)
    ),
    "3040010001": lambda folder, table: sources.write_json(folder / "sj/companies.json", table),
    "3040010002": lambda folder, table: sources.write_json(
        folder / "sj/annual-reports.json", table, integers=("year", "employees")
    ),
    "3040020001": lambda folder, table: sources.write_json(folder / "sj/special-equipment.json", table),
    "3050010001": lambda folder, table: sources.write_xml(
        folder / "zr/budongchan.xml", table, root="budongchan", record="dengji"
    ),
    "3050010002": lambda folder, table: sources.write_xml(
        folder / "zr/guihua.xml", table, root="guihua", record="xuke"
    ),
    "3060010001": lambda folder, table: sources.write_json(folder / "gj/accounts.ndjson", table, lines=True),
    "3060010002": lambda folder, table: sources.write_json(
        folder / "gj/contributions-2026-02.ndjson", table, lines=True
    ),
    "3070010001": lambda folder, table: sources.write_parquet(folder / "ny/licences.parquet", table),
    "3070010002": lambda folder, table: sources.write_parquet(folder / "ny/machines.parquet", table),
    "3090010001": lambda folder, table: sources.write_fixed_width(folder / "wj/yljg.txt", table),
    "3090020001": lambda folder, table: sources.write_fixed_width(folder / "wj/cszm.txt", table),
    "3100010001": lambda folder, table: sources.write_xlsx(folder / "ly/mucai.xlsx", table, sheet="木材运输证"),
    "3100010002": lambda folder, table: sources.write_xlsx(folder / "ly/jianyi.xlsx", table, sheet="植物检疫证书"),
    "3100020001": lambda folder, table: sources.write_dbf(folder / "ly/gushu.dbf", table),
    "3110010001": lambda folder, table: sources.write_xml(
        folder / "rf/jianshe-yijian.xml", table, root="jianshe", record="yijian"
    ),
    "3120030001": lambda folder, table: sources.write_xml_zip(
        folder / "mz/shehuizuzhi-2026.zip", table, root="shehuizuzhi", record="zuzhi", by="county_code"
    ),
    "3130010001": _bus_cards,
    "3130020001": lambda folder, table: sources.write_json_gz(folder / "jt/xianlu.json.gz", table, rows="lines"),
}
