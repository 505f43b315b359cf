"""How many rows a second a batch order makes on one core: masked, row-scoped, counted and digested.

    python bench/batch.py [--rows N] [--quick] [--runs N]

A resource of 12 fields, of which 3 are masked, is loaded into a warehouse and written out as an order does it: parts
of a million rows through the masks, synced, each with its SHA-256, the rows counted against the table under the same
scope. Its peer is DuckDB's bare COPY of the same data files into one Parquet file with the same compression, which
masks, counts and digests nothing. One thread each; rows a second of CPU time, so that other work on the machine does
not count; the median of --runs runs.

- parquet: the fields masked are an identity number (6 + 4), a name (surname) and a phone number (last 4).
- hash: the identity number by a keyed hash instead: four rounds of SHA-256 for each row.
- scoped: as parquet, for the rows of a region (a third of them), counted by a pass of its own; rows read a second.
- csv: as parquet, as CSV in which no cell is run.

The last line is JSON; a ratio above 1 means that ours is faster.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource as limits
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.access import Scope
from catalog.model import (
    Cadence,
    Disposition,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    ResourceFormat,
    ShareMethod,
    ShareType,
    SourceRef,
)
from catalog.rows import parse_rule
from warehouse import sql
from warehouse import table as tables
from warehouse.engine import Warehouse
from warehouse.masking import CSV, PARQUET, Selection
from warehouse.staging import StagedBatch

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = bytes(range(32))
STRING = FieldType(FieldKind.STRING)
COLUMNS = {
    "citizen_id": ("printf('34120%d19%02d0101%04d', i % 9, i // 10000 % 100, i % 10000) || i // 1000000", STRING),
    "name": ("CASE WHEN i % 50 = 0 THEN '欧阳' ELSE ['张', '李', '王'][1 + i % 3] END || '某' || i % 997", STRING),
    "phone": ("printf('138%08d', i)", STRING),
    "region": ("['341202', '341203', '350100'][1 + i % 3]", STRING),
    "address": ("'安徽省亳州市谯城区某路 ' || i % 5000 || ' 号'", STRING),
    "household": ("printf('H%09d', i // 3)", STRING),
    "status": ("['在册', '迁出', '注销'][1 + i % 3]", STRING),
    "income": ("CAST(i % 100000 AS VARCHAR) || '.50'", FieldType(FieldKind.DECIMAL, 12, 2)),
    "members": ("CAST(i % 7 AS VARCHAR)", FieldType(FieldKind.INTEGER)),
    "born": ("CAST(DATE '1950-01-01' + CAST(i % 20000 AS INTEGER) AS VARCHAR)", FieldType(FieldKind.DATE)),
    "changed": ("CAST(TIMESTAMP '2025-01-01' + to_seconds(i % 9000000) AS VARCHAR)", FieldType(FieldKind.DATETIME)),
    "married": ("CASE WHEN i % 2 = 0 THEN '是' ELSE '否' END", FieldType(FieldKind.BOOLEAN)),
}
MASKS = {"citizen_id": Mask.CITIZEN_ID, "name": Mask.SURNAME, "phone": Mask.KEEP_LAST_4}
OF = InformationResource(
    "r_batch", "人口", "", "D1", "摘要", ResourceFormat.DATABASE, ShareType.CONDITIONAL, "", "", ShareMethod.FILE,
    Cadence.DAILY, False, date(2026, 1, 1), Disposition.REPLACE, SourceRef("s", "o"),
    tuple(Field(name, name, type_, key=name == "citizen_id") for name, (_, type_) in COLUMNS.items()),
)  # fmt: skip


def load(house: Warehouse, folder: Path, count: int) -> int:
    path = folder / "landed.parquet"
    chosen = ", ".join(f"{expression} AS {name}" for name, (expression, _) in COLUMNS.items())
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT i + 1 AS _line, {chosen} FROM range({count}) r(i)) TO '{path}' (FORMAT parquet, "
            "COMPRESSION zstd)"
        )
    staged = StagedBatch(path, sql.file_digest(path), count)
    house.ensure(OF)
    checked = house.check(OF, staged, folder, now=NOW)
    found = house.commit(OF, staged, checked).snapshot_id
    assert found is not None
    return found


def selection(*, hashed: bool = False, rule: str = "") -> Selection:
    masks = MASKS | ({"citizen_id": Mask.HASH} if hashed else {})
    given = tuple((name, masks.get(name, Mask.NONE)) for name in COLUMNS)
    return Selection(OF, tuple(COLUMNS), (Scope("G1", (parse_rule(rule),) if rule else (), given),))


def order(house: Warehouse, of: Selection, snapshot: int, into: Path, form: str) -> int:
    with house.masked(of, snapshot, key=KEY) as rows:
        total = 0
        for number in range(len(rows.parts)):
            path = into / f"part-{number:04d}.{form}"
            total += rows.write(number, path, form)
            with path.open("rb") as stream:
                hashlib.file_digest(stream, "sha256")
        assert total == rows.count()
    return total


def bare(files: list[str], into: Path) -> None:
    with duckdb.connect(config={"threads": 1, "memory_limit": "384MB", "temp_directory": str(into)}) as con:
        listed = ", ".join(map(sql.text, files))
        con.execute(f"COPY (SELECT * FROM read_parquet([{listed}])) TO '{into / 'bare.parquet'}' ({sql.ZSTD})")


def seconds(work: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--quick", action="store_true", help="half a million rows")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    count = 500_000 if options.quick else options.rows
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="zhengtong-batch-") as name:
        folder = Path(name)
        with Warehouse(folder / "warehouse", threads=1) as house:
            snapshot = load(house, folder, count)
            table = tables.load(house._catalog, OF.code)  # noqa: SLF001 - the peer reads the same files
            files = [file.source for file in tables.files_of(table, OF.code, snapshot)]
            peer = count / seconds(lambda: bare(files, folder), options.runs)
            print(f"{count:,} rows in {len(files)} files; bare COPY {peer:>12,.0f} rows/s of CPU")
            for metric, form, of in (
                ("parquet", PARQUET, selection()),
                ("hash", PARQUET, selection(hashed=True)),
                ("scoped", PARQUET, selection(rule="region prefix 3501")),
                ("csv", CSV, selection()),
            ):
                into = folder / metric
                into.mkdir()
                rate = count / seconds(lambda: order(house, of, snapshot, into, form), options.runs)  # noqa: B023
                print(f"{metric:>8}: {rate:>12,.0f} rows/s of CPU, {rate / peer:.2f} times the bare COPY")
                report[metric] = {
                    "ours": round(rate),
                    "peers": {"duckdb_copy": round(peer)},
                    "ratio": round(rate / peer, 3),
                    "unit": "rows/s",
                }
    memory = limits.getrusage(limits.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory: {memory:.0f} MB")
    print(json.dumps({**report, "rows": count, "memory_mb": round(memory)}))


if __name__ == "__main__":
    main()
