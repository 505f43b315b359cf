"""How long a load takes that changes one row in a hundred, all over a large table, beside DuckLake's MERGE of the same.

    python bench/merge.py [--rows N] [--quick] [--runs N]

The delta is 1 % of the table's rows, every hundredth key, each with a new value and a later time: checked, compared
with what is kept, committed with its digests in the change feed. DuckLake is given the same table in files of the same
size and merges the same rows, already typed and checked; it keeps no digests and judges nothing. Its extension is the
wheel ``duckdb-extension-ducklake`` of DuckDB's own version, found on the path or in the folders that
ZHENGTONG_BENCH_PEERS names; without it a sentence says so.

Measured at --rows and at a fifth of it, to tell how time grows with the table. The last line is JSON; a ratio above 1
means that ours is faster.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.model import (
    Cadence,
    Disposition,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    ResourceFormat,
    ShareMethod,
    ShareType,
    SourceRef,
)
from warehouse.engine import MEMORY_MB, ROWS_PER_FILE, Warehouse
from warehouse.staging import StagedBatch

if TYPE_CHECKING:
    from collections.abc import Mapping

PEERS_ENV = "ZHENGTONG_BENCH_PEERS"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
THREADS = min(os.cpu_count() or 1, 4)
EVERY = 100  # One row in so many changes.
COLUMNS = {
    "code": ("printf('%018d', i)", FieldType(FieldKind.STRING, 18)),
    "name": ("'name ' || hash(i) % 100000", FieldType(FieldKind.STRING, 40)),
    "holder": ("left(md5(CAST(i AS VARCHAR)), 18)", FieldType(FieldKind.STRING, 18)),
    "amount": ("CAST(hash(i + {version}) % 1000000 / 100 AS DECIMAL(12,2))", FieldType(FieldKind.DECIMAL, 12, 2)),
    "count": ("CAST(hash(i) % 1000 AS BIGINT)", FieldType(FieldKind.INTEGER)),
    "day": ("DATE '2020-01-01' + CAST(i % 2000 AS INTEGER)", FieldType(FieldKind.DATE)),
    "active": ("i % 2 = 0", FieldType(FieldKind.BOOLEAN)),
    "changed": ("TIMESTAMP '2026-01-01' + INTERVAL {version} HOUR", FieldType(FieldKind.DATETIME)),
}


def resource() -> InformationResource:
    return InformationResource(
        code="merged",
        name="合并测试",
        name_en="Merged",
        provider="D",
        abstract="合并测试",
        format=ResourceFormat.DATABASE,
        share_type=ShareType.CONDITIONAL,
        share_condition="",
        share_ground="",
        share_method=ShareMethod.SERVICE,
        cadence=Cadence.DAILY,
        open=False,
        published_on=date(2026, 1, 1),
        disposition=Disposition.MERGE,
        source=SourceRef("s", "o", cursor_field="changed"),
        fields=tuple(
            Field(name, name, type_, key=name == "code", nullable=name != "code", lookup=name == "code")
            for name, (_, type_) in COLUMNS.items()
        ),
    )


def rows(version: int, start: int, end: int, step: int = 1) -> str:
    chosen = ", ".join(f"{text.format(version=version)} AS {name}" for name, (text, _) in COLUMNS.items())
    return f"SELECT {chosen} FROM (SELECT range AS i FROM range({start}, {end}, {step}))"


def land(folder: Path, ids: Mapping[str, int], version: int, count: int, step: int = 1) -> StagedBatch:
    """Parts as a connector lands them: typed, with field ids, sorted by key."""
    folder.mkdir()
    marked = ", ".join(f"{name}: {number}" for name, number in ids.items())
    parts: list[dict[str, str | int]] = []
    landed = len(range(0, count, step))
    with duckdb.connect(config={"threads": THREADS}) as con:
        for number, start in enumerate(range(0, count, ROWS_PER_FILE * step)):
            path = folder / f"part-{number:05d}.parquet"
            end = min(start + ROWS_PER_FILE * step, count)
            con.execute(
                f"COPY ({rows(version, start, end, step)}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, "
                f"COMPRESSION_LEVEL 1, PARQUET_VERSION V2, FIELD_IDS {{{marked}}})"
            )
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            parts.append({"file": path.name, "rows": -((start - end) // step), "sha256": digest})
    manifest = {"format": 1, "asked": "", "done": True, "state": {}, "rows": landed}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "parts": parts}))
    canonical = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    cursor = f"2026-01-01 {version:02d}:00:00"
    return StagedBatch(folder, hashlib.sha256(canonical.encode()).hexdigest(), landed, cursor)


def ours(folder: Path, count: int, runs: int) -> tuple[float, list[float], list[float]]:
    """Seconds of the first commit, and of each merge: check and commit, commit alone."""
    wanted = resource()
    whole, alone = [], []
    with Warehouse(folder / "warehouse") as house:
        house.ensure(wanted)
        ids = house.field_ids(wanted)

        def load(version: int, step: int) -> tuple[float, float]:
            staged = land(folder / f"landed-{version}", ids, version, count, step)
            begin = time.perf_counter()
            checked = house.check(wanted, staged, folder / "staging", now=NOW + timedelta(hours=version))
            middle = time.perf_counter()
            done = house.commit(wanted, staged, checked)
            end = time.perf_counter()
            assert done.changed == len(range(0, count, step)), (done, checked.reasons)
            shutil.rmtree(staged.path)
            return end - begin, end - middle

        _, first = load(0, 1)
        for version in range(1, runs + 1):
            both, commit_s = load(version, EVERY)
            whole.append(both)
            alone.append(commit_s)
        assert house.count(wanted.code) == count
        assert house.changes(wanted.code, 1, 1)[0].kind == "update"
    return first, whole, alone


def extension() -> Path | None:
    """DuckLake's extension, in its wheel; nothing is downloaded."""
    sys.path += [part for part in os.environ.get(PEERS_ENV, "").split(os.pathsep) if part]
    spec = importlib.util.find_spec("duckdb_extension_ducklake")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / "ducklake.duckdb_extension"
        if path.exists():
            return path
    return None


def ducklake(folder: Path, count: int, runs: int, found: Path) -> list[float]:
    """Seconds of each of DuckLake's merges."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{MEMORY_MB}MB",
        "threads": THREADS,
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False,
    }
    times = []
    folder.mkdir()
    with duckdb.connect(config=config) as con:
        con.execute(f"LOAD '{found}'")
        con.execute(f"ATTACH 'ducklake:{folder / 'lake.ducklake'}' AS lake (DATA_PATH '{folder / 'data'}')")
        con.execute(f"CREATE TABLE lake.merged AS {rows(0, 0, 0)}")
        con.execute("CALL lake.set_option('parquet_compression', 'zstd')")
        for start in range(0, count, ROWS_PER_FILE):
            con.execute(f"INSERT INTO lake.merged {rows(0, start, min(start + ROWS_PER_FILE, count))}")
        values = ", ".join(f"{name} = d.{name}" for name in COLUMNS if name != "code")
        fresh = ", ".join(f"d.{name}" for name in COLUMNS)
        for version in range(1, runs + 1):
            delta = folder / f"delta-{version}.parquet"
            con.execute(f"COPY ({rows(version, 0, count, EVERY)}) TO '{delta}' (FORMAT parquet, COMPRESSION zstd)")
            begin = time.perf_counter()
            con.execute(
                f"MERGE INTO lake.merged AS t USING (FROM '{delta}') AS d ON t.code = d.code "
                f"WHEN MATCHED THEN UPDATE SET {values} WHEN NOT MATCHED THEN INSERT VALUES ({fresh})"
            )
            times.append(time.perf_counter() - begin)
        answer = con.execute("SELECT count(*), count(DISTINCT changed) FROM lake.merged").fetchone()
        assert answer == (count, 2), answer
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--quick", action="store_true", help="one million rows, two runs")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    count, runs = (1_000_000, 2) if options.quick else (options.rows, options.runs)
    found = extension()
    sizes = [count // 5, count]
    medians: dict[int, float] = {}
    peers: dict[int, float] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="zhengtong-merge-") as name:
            first, whole, alone = ours(Path(name), size, runs)
            medians[size] = statistics.median(whole)
            print(
                f"{size:>12,} rows: first commit {first:.2f} s; 1 % merged in {medians[size]:.2f} s "
                f"({min(whole):.2f}–{max(whole):.2f}), of which the commit {statistics.median(alone):.2f} s"
            )
        if found:
            with tempfile.TemporaryDirectory(prefix="zhengtong-merge-") as name:
                times = ducklake(Path(name) / "lake", size, runs, found)
                peers[size] = statistics.median(times)
                print(f"{'':>12} DuckLake: {peers[size]:.2f} s ({min(times):.2f}–{max(times):.2f})")
    if not found:
        print(f"DuckLake is not measured: no wheel of its extension for DuckDB {duckdb.__version__} on {PEERS_ENV}.")
    growth = medians[sizes[1]] / medians[sizes[0]]
    print(f"five times the table and the delta take {growth:.1f} times as long")
    report = {
        "ours": round(medians[count], 3),
        "peers": {"ducklake": round(peers[count], 3)} if peers else {},
        "ratio": round(peers[count] / medians[count], 3) if peers else None,
        "unit": "s",
        "rows": count,
        "growth": round(growth, 2),
    }
    print(json.dumps({"merge_1pct": report}))


if __name__ == "__main__":
    main()
