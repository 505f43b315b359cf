"""Measures a full reconciliation: does it find one changed row among ten million, how fast, in how much memory.

Run `python bench/reconcile.py` (`--quick` for seconds, `--rows N`). Everything lies in a temporary folder. Each figure
is that of one run in a process of its own. The last line is JSON. A ratio above 1 means that ours is faster than the
peer; it is taken of processor seconds, which a busy machine disturbs less.

- buckets: two sides as Parquet files of eight columns; one row changed, one missing, one extra. Peer: a full outer join
  of both sides by key with all columns compared, in the same engine under the same memory limit.
- full: `warehouse.reconcile.full`, from a staged read of the source (text, as a connector lands it) to the report: with
  the contract over every row, both sides hashed, the rows named with their ordinals in the source.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import resource as system
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_MB = 512
THREADS = 2
KEY, VALUES = "id", ("name", "status", "opened", "amount", "count", "seen", "note")
COLUMNS = """lpad(i::VARCHAR, 12, '0') AS id, '企业' || (i * 7919 % 100003) AS name, (i % 3 + 1)::VARCHAR AS status,
    DATE '2000-01-01' + (i % 9000)::INTEGER AS opened, ((i * 37 % 1000000) / 100)::DECIMAL(12,2) AS amount,
    (i * 11 % 1000)::BIGINT AS count, TIMESTAMP '2026-01-01' + INTERVAL (i % 86400) SECOND AS seen,
    CASE WHEN i % 5 = 0 THEN NULL ELSE '备注' || (i % 977) END AS note"""


def rows(count: int, *, changed: bool) -> str:
    """The rows of one side; where *changed*, one differs in an amount, one is gone and one has come."""
    source = f"range({count}) t(i)"
    if not changed:
        return f"SELECT {COLUMNS} FROM {source}"
    at, gone = count * 2 // 3, count // 3
    made = f"SELECT {COLUMNS} FROM (SELECT i FROM {source} WHERE i <> {gone} UNION ALL SELECT {count + 5})"
    amount = f"CASE WHEN id = lpad('{at}', 12, '0') THEN amount + 0.01 ELSE amount END"
    return f"SELECT * REPLACE ({amount} AS amount) FROM ({made})"


def connect(folder: Path) -> Any:  # noqa: ANN401 - a DuckDB session
    import duckdb  # noqa: PLC0415 - in the process that measures

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{MEMORY_MB}MB",
        "threads": THREADS,
        "temp_directory": str(folder / "spill"),
    }
    return duckdb.connect(config=config)


def make(folder: Path, count: int) -> None:
    """Both sides, as typed files and as a staged read of text."""
    with connect(folder) as con:
        con.execute("SET preserve_insertion_order = true")
        for name, changed in (("table", False), ("source", True)):
            con.execute(f"COPY ({rows(count, changed=changed)}) TO '{folder / name}.parquet' (FORMAT parquet)")
            text = ", ".join(f"CAST({c} AS VARCHAR) AS {c}" for c in (KEY, *VALUES))
            con.execute(
                f"COPY (SELECT file_row_number + 1 AS _line, {text} FROM read_parquet('{folder / name}.parquet', "
                f"file_row_number = true)) TO '{folder / name}.text.parquet' (FORMAT parquet, COMPRESSION zstd)"
            )


def by_buckets(folder: Path) -> dict[str, Any]:
    from warehouse.reconcile import Comparison  # noqa: PLC0415 - in the process that measures

    with connect(folder) as con:
        one, other = (f"read_parquet('{folder / name}.parquet')" for name in ("source", "table"))
        found = Comparison.of(con, one, other, key=[KEY], values=VALUES)
        differs = con.execute("SELECT _kind, id FROM differs ORDER BY _kind").fetchall()
    return {"buckets": found.buckets, "found": dict(differs)}


def by_join(folder: Path) -> dict[str, Any]:
    with connect(folder) as con:
        one, other = (f"read_parquet('{folder / name}.parquet')" for name in ("source", "table"))
        apart = " OR ".join(f"s.{v} IS DISTINCT FROM t.{v}" for v in VALUES)
        found = con.execute(
            f"SELECT CASE WHEN t.id IS NULL THEN 'missing' WHEN s.id IS NULL THEN 'extra' ELSE 'changed' END, id "
            f"FROM (FROM {one}) s FULL JOIN (FROM {other}) t USING (id) WHERE s.id IS NULL OR t.id IS NULL OR {apart}"
        ).fetchall()
    return {"found": dict(found)}


def described() -> InformationResource:
    def field(name: str, kind: FieldKind, length: int = 0, scale: int = 0, **more: Any) -> Field:  # noqa: ANN401
        return Field(name, name, FieldType(kind, length, scale), **more)

    return InformationResource(
        code="bench",
        name="对账",
        name_en="Reconciliation",
        provider="D",
        abstract="",
        format=ResourceFormat.DATABASE,
        share_type=ShareType.CONDITIONAL,
        share_condition="",
        share_ground="",
        share_method=ShareMethod.SERVICE,
        cadence=Cadence.DAILY,
        open=False,
        published_on=date(2026, 1, 1),
        disposition=Disposition.REPLACE,
        source=SourceRef("s", "o"),
        fields=(
            field("id", FieldKind.STRING, 12, key=True, nullable=False, pattern="[0-9]{12}"),
            field("name", FieldKind.STRING, 20),
            field("status", FieldKind.STRING, 1, codes=("1", "2", "3")),
            field("opened", FieldKind.DATE),
            field("amount", FieldKind.DECIMAL, 12, 2),
            field("count", FieldKind.INTEGER),
            field("seen", FieldKind.DATETIME),
            field("note", FieldKind.STRING),
        ),
    )


def staged(folder: Path, name: str) -> Any:  # noqa: ANN401 - a staged batch
    import pyarrow.parquet as pq  # noqa: PLC0415 - in the process that measures

    from warehouse.staging import StagedBatch  # noqa: PLC0415 - as above

    path = folder / f"{name}.text.parquet"
    digest = hashlib.sha256()
    with path.open("rb") as data:
        while chunk := data.read(1 << 20):
            digest.update(chunk)
    return StagedBatch(path, "sha256:" + digest.hexdigest(), pq.read_metadata(path).num_rows)


def load(folder: Path) -> dict[str, Any]:
    from warehouse.engine import Warehouse  # noqa: PLC0415 - in the process that measures

    resource = described()
    with Warehouse(folder / "warehouse", memory_mb=MEMORY_MB, threads=THREADS) as house:
        batch = staged(folder, "table")
        house.ensure(resource)
        done = house.commit(resource, batch, house.check(resource, batch, folder / "work", now=datetime.now(UTC)))
    return {"inserted": done.inserted}


def in_full(folder: Path) -> dict[str, Any]:
    from warehouse import reconcile  # noqa: PLC0415 - in the process that measures
    from warehouse.engine import Warehouse  # noqa: PLC0415 - as above

    with Warehouse(folder / "warehouse", memory_mb=MEMORY_MB, threads=THREADS) as house:
        found = reconcile.full(house, described(), staged(folder, "source"), folder / "work")
    named = [{"kind": d.kind.value, "line": d.line, "fields": list(d.fields)} for d in found.differences]
    return {"rows": found.source_rows, "buckets": found.buckets, "found": named}


def measured(work: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What *work* found, with its seconds, those of all its threads, and the peak memory of its process."""
    import warehouse.engine  # noqa: PLC0415 - what a running task has imported already
    import warehouse.reconcile  # noqa: F401, PLC0415 - as above

    begin, spent = time.perf_counter(), time.process_time()
    found = work(folder)
    seconds, spent = time.perf_counter() - begin, time.process_time() - spent
    peak = system.getrusage(system.RUSAGE_SELF).ru_maxrss // 1024
    return {**found, "seconds": round(seconds, 2), "cpu_s": round(spent, 2), "peak_mb": peak}


def alone(work: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """As `measured`, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, work, folder).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--quick", action="store_true", help="200,000 rows")
    given = parser.parse_args()
    count = 200_000 if given.quick else given.rows
    results: dict[str, Any] = {"rows": count}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, count)
        for title, work in (("buckets", by_buckets), ("join", by_join), ("load", load), ("full", in_full)):
            results[title] = alone(work, folder)
            print(f"{title:8} {results[title]}", flush=True)
    buckets, join, full = results["buckets"], results["join"], results["full"]
    report = {
        "reconcile": {
            "ours": buckets["seconds"],
            "peers": {"join": join["seconds"]},
            "ratio": round(join["cpu_s"] / buckets["cpu_s"], 2),
            "unit": "s",
            "rows": count,
            "peak_mb": buckets["peak_mb"],
            "peers_peak_mb": {"join": join["peak_mb"]},
        },
        "reconcile_with_contract": {
            "ours": full["seconds"],
            "peers": {},
            "ratio": None,
            "unit": "s",
            "rows": count,
            "peak_mb": full["peak_mb"],
        },
    }
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
