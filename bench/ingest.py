"""How long a large resource takes from its source to checked and committed, beside a copy that checks nothing.

    python bench/ingest.py [--quick] [--runs N] [--rows N] [--plain] [--only postgresql|csv]

- postgresql_to_committed: a table of 2,000,000 rows and 12 columns in PostgreSQL, landed in parts, checked against its
  contract (types, lengths, four patterns, the key unique) and committed to its Iceberg table; postgresql_to_indexed:
  and its look-up file built. Peer: DuckDB's bare COPY of the same table to Parquet, in the same run, each in a process
  of its own. Beside it, the same with one row in a hundred rejected, and with the rows in no order.
- postgresql_peak_mb: the most memory that our process held. `--rows 20000000 --plain` measures another size.
- csv_to_committed: 620,573 villages (or a synthetic table of the same shape) from a GB18030 CSV drop. Peer: DuckDB's
  bare COPY of the same file. DuckDB refuses what GB18030 has beyond GBK, so the few rare characters are replaced in the
  file that both read.
- Further peers, where they are on the path or in the folders that ZHENGTONG_BENCH_PEERS names: dlt with its fastest
  backend and with its default, connectorx to Parquet, pandas in chunks to Parquet. None of them checks anything.

It starts a PostgreSQL of its own and ends it; without one, it says so and measures the CSV alone. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

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
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from warehouse.engine import Warehouse
from warehouse.schema import field_type
from warehouse.staging import StagedBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
PEERS_ENV = "ZHENGTONG_BENCH_PEERS"
VILLAGES = ROOT / "demo" / "divisions" / "villages.parquet"
VILLAGE_COLUMNS = ("code", "name", "streetCode", "provinceCode", "cityCode", "areaCode")
SYNTHETIC_ROWS = 620_573
GETA = "〓"
# A register of people, all invented: what each column holds follows from the number of its row.
PEOPLE = """
CREATE TABLE {name} (
  id bigint PRIMARY KEY, citizen_id text NOT NULL, name text NOT NULL, sex char(1) NOT NULL, born date NOT NULL,
  phone text, division char(6) NOT NULL, address text, income numeric(12,2), household integer, active boolean,
  changed timestamp NOT NULL);
INSERT INTO {name} SELECT i, lpad(((i*7919)%999999)::text,6,'1')||'19'||lpad(((i*31)%90+10)::text,2,'0')
  ||lpad((i%12+1)::text,2,'0')||lpad((i%28+1)::text,2,'0')||lpad((i%10000)::text,4,'0'),
  '张'||substr(md5(i::text),1,4), CASE WHEN i%2=0 THEN 'M' ELSE 'F' END, date '1940-01-01' + (i*37 % 28000)::int,
  {phone}, lpad((110000 + i%9999)::text,6,'0'), '北京市东城区第'||(i%5000)||'号院'||(i%40)||'单元',
  (i%1000000)/100.0, (i%500000)::int, i%3<>0,
  timestamp '2020-01-01' + (i*53 % 180000000)::double precision * interval '1 second'
  FROM generate_series(1::bigint,{rows}::bigint) i {order};
"""
PHONE = "'1'||lpad(((i*104729)%9999999999)::text,10,'3')"
TABLES = {
    "people": {"phone": PHONE, "order": ""},
    "people_rejected": {"phone": f"CASE WHEN i%100=7 THEN 'x' ELSE '' END||{PHONE}", "order": ""},
    "people_shuffled": {"phone": PHONE, "order": "ORDER BY md5(i::text)"},
}
LABELS = {"people": "people", "people_rejected": "… 1 % rejected", "people_shuffled": "… in no order"}


# --- resources ---


def resource(code: str, disposition: Disposition, fields: Sequence[Field]) -> InformationResource:
    return InformationResource(
        code=code,
        name=code,
        name_en=code,
        provider="CIVIL",
        abstract=code,
        format=ResourceFormat.DATABASE,
        share_type=ShareType.UNCONDITIONAL,
        share_condition="",
        share_ground="",
        share_method=ShareMethod.FILE,
        cadence=Cadence.YEARLY,
        open=True,
        published_on=date(2026, 1, 1),
        disposition=disposition,
        source=SourceRef("bench", code),
        fields=tuple(fields),
    )


def field(name: str, type_: str, pattern: str = "", *, null: bool = False, lookup: bool = False) -> Field:
    kind, _, length = type_.partition("(")
    digits = [int(n) for n in length.rstrip(")").split(",") if n]
    made = FieldType(FieldKind(kind), *digits)
    key = name in {"id", "code"}
    return Field(name, name, made, key=key, nullable=null, lookup=lookup or key, pattern=pattern)


def people() -> InformationResource:
    return resource(
        "people",
        Disposition.REPLACE,
        [
            field("id", "integer"),
            field("citizen_id", "string(18)", "[0-9]{17}[0-9X]", lookup=True),
            field("name", "string(50)"),
            field("sex", "string(1)", "[MF]"),
            field("born", "date"),
            field("phone", "string(11)", "1[0-9]{10}", null=True),
            field("division", "string(6)", "[0-9]{6}"),
            field("address", "string(200)", null=True),
            field("income", "decimal(12,2)", null=True),
            field("household", "integer", null=True),
            field("active", "boolean", null=True),
            field("changed", "datetime"),
        ],
    )


def villages() -> InformationResource:
    digits = {"code": 12, "streetCode": 9, "provinceCode": 2, "cityCode": 4, "areaCode": 6}
    return resource(
        "villages",
        Disposition.REPLACE,
        [
            field(name, f"string({digits.get(name, 100)})", f"[0-9]{{{digits[name]}}}" if name in digits else "")
            for name in VILLAGE_COLUMNS
        ],
    )


# --- what a child process measures ---


def peak_mb() -> float:
    """The high-water mark of this program alone: ru_maxrss would begin with that of the process it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    import resource as usage  # noqa: PLC0415 - another name of this module

    return usage.getrusage(usage.RUSAGE_SELF).ru_maxrss / (1 << 20)


def ours(task: Mapping[str, Any]) -> dict[str, float]:
    """Land, check, commit and index one resource; seconds from the start to the end of each step."""
    folder = Path(task["folder"])
    wanted = villages() if task["kind"] == "csv" else people()
    house = Warehouse(folder / "warehouse")
    house.ensure(wanted)
    ids = house.field_ids(wanted)
    columns = tuple(Column(f.name, type=field_type(f), field_id=ids[f.name]) for f in wanted.fields)
    key = tuple(f.name for f in wanted.key)
    request = ReadRequest(wanted.code, task["object"], columns, None, key=key)
    connector = connect(task["kind"], task["settings"], lambda _: "")
    begin, marks = time.perf_counter(), {}
    batch = connector.read(request, folder / "landed")
    marks["landed"] = time.perf_counter() - begin
    staged = StagedBatch(batch.path, batch.sha256, batch.rows, batch.cursor)
    checked = house.check(wanted, staged, folder, now=datetime(2026, 1, 1, tzinfo=UTC))
    marks["checked"] = time.perf_counter() - begin
    done = house.commit(wanted, staged, checked)
    marks["committed"] = time.perf_counter() - begin
    marks["peak_committed_mb"] = peak_mb()
    assert done.inserted == house.count(wanted.code) == checked.accepted == task["rows"], (done, checked.reasons)
    assert done.snapshot_id is not None
    indexing = time.perf_counter()
    house.build_index(wanted, done.snapshot_id)
    marks["indexed"] = marks["committed"] + time.perf_counter() - indexing
    house.close()
    return marks


def extension(name: str) -> Path:
    """The extension in its wheel; nothing is downloaded."""
    spec = find_spec(f"duckdb_extension_{name}")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob(f"extensions/*/{name}.duckdb_extension"))


def bare_copy(task: Mapping[str, Any]) -> dict[str, float]:
    """DuckDB as it comes, from a table of PostgreSQL or from a CSV file to one Parquet file."""
    con = duckdb.connect()
    if task["kind"] == "csv":
        if task["encoding"] != "utf-8":
            con.execute(f"LOAD '{extension('encodings')}'")
        # Text throughout, as codes are. Its decoder garbles one value of this file (`632323102` comes out as
        # `632323e`), which costs it nothing here, but left to guess types it would stop at that line.
        source = f"read_csv('{task['file']}', encoding = '{task['encoding']}', all_varchar = true)"
    else:
        con.execute(f"LOAD '{extension('postgres_scanner')}'")
        at = task["settings"]
        words = f"host={at['host']} dbname={at['database']} user={at['user']}"
        con.execute(f"ATTACH '{words}' AS source (TYPE postgres, READ_ONLY)")
        source = f"source.{task['object']}"
    begin = time.perf_counter()
    con.execute(f"COPY (SELECT * FROM {source}) TO '{task['folder']}/bare.parquet' (FORMAT parquet)")
    return {"committed": time.perf_counter() - begin}


def _url(task: Mapping[str, Any], driver: str) -> str:
    at = task["settings"]
    return f"{driver}://{at['user']}@/{at['database']}?host={at['host']}"


def _rust_url(task: Mapping[str, Any]) -> str:
    """As connectorx writes a socket's folder."""
    at = task["settings"]
    return f"postgresql://{at['user']}@{quote(at['host'], safe='')}/{at['database']}"


def connectorx(task: Mapping[str, Any]) -> dict[str, float]:
    import connectorx as cx  # noqa: PLC0415 - a peer that is not always there

    begin = time.perf_counter()
    stream = cx.read_sql(_rust_url(task), f"SELECT * FROM {task['object']}", return_type="arrow_stream")
    rows = 0
    with pq.ParquetWriter(f"{task['folder']}/cx.parquet", stream.schema) as writer:
        for batch in stream:
            writer.write_batch(batch)
            rows += batch.num_rows
    assert rows == task["all"], rows
    return {"committed": time.perf_counter() - begin}


def pandas_chunks(task: Mapping[str, Any]) -> dict[str, float]:
    import pandas as pd  # noqa: PLC0415 - it takes its time, which is not to be measured for the others
    from sqlalchemy import create_engine  # noqa: PLC0415

    begin = time.perf_counter()
    engine = create_engine(_url(task, "postgresql+psycopg")).connect().execution_options(stream_results=True)
    chunks = pd.read_sql(f"SELECT * FROM {task['object']}", engine, chunksize=100_000)
    writer = None
    for chunk in chunks:
        table = pa.Table.from_pandas(chunk, preserve_index=False)
        writer = writer or pq.ParquetWriter(f"{task['folder']}/pandas.parquet", table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return {"committed": time.perf_counter() - begin}


def dlt(task: Mapping[str, Any], backend: str) -> dict[str, float]:
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": f"{task['folder']}/dlt"}
    import dlt as peer  # noqa: PLC0415 - a peer that is not always there
    from dlt.sources.sql_database import sql_table  # noqa: PLC0415

    begin = time.perf_counter()
    more = {"backend": backend, "chunk_size": 100_000} if backend else {}
    if backend == "connectorx":
        more["backend_kwargs"] = {"return_type": "arrow_stream", "conn": _rust_url(task)}
    table = sql_table(credentials=_url(task, "postgresql+psycopg"), table=task["object"], **more)
    target = peer.destinations.filesystem(bucket_url=f"file://{task['folder']}/dlt-out")
    pipeline = peer.pipeline("bench", pipelines_dir=f"{task['folder']}/dlt", destination=target, dataset_name="bench")
    pipeline.run(table, loader_file_format="parquet").raise_on_failed_jobs()
    return {"committed": time.perf_counter() - begin}


TASKS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, float]]] = {
    "ours": ours,
    "duckdb_copy": bare_copy,
    "connectorx": connectorx,
    "pandas": pandas_chunks,
    "dlt_connectorx": lambda task: dlt(task, "connectorx"),
    "dlt": lambda task: dlt(task, ""),
}
MODULES = {"connectorx": ("connectorx",), "dlt_connectorx": ("dlt", "connectorx"), "dlt": ("dlt",)}


def child(name: str, task: Mapping[str, Any]) -> dict[str, float]:
    """Do a task in a fresh interpreter, in a folder of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-") as folder:
        peers = "" if name in {"ours", "duckdb_copy"} else os.environ.get(PEERS_ENV, "")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--task", name, json.dumps({**task, "folder": folder})],
            env=os.environ | {"PYTHONPATH": peers},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peers_here() -> list[str]:
    """The further peers that can be imported; the others are told of."""
    found = []
    folders = [folder for folder in os.environ.get(PEERS_ENV, "").split(os.pathsep) if folder]
    for name in ("connectorx", "pandas", "dlt_connectorx", "dlt"):
        modules = MODULES.get(name, (name,))
        absent = [m for m in modules if find_spec(m) is None and not any((Path(f) / m).is_dir() for f in folders)]
        if absent:
            print(f"({name}: {', '.join(absent)} not found here nor in {PEERS_ENV})")
        else:
            found.append(name)
    return found


# --- PostgreSQL ---


def from_postgresql(rows: int, runs: int, *, variants: Sequence[str], peers: Sequence[str]) -> dict[str, Any]:
    from tests.services import postgres  # noqa: PLC0415 - it needs the test tools

    why = postgres.missing()
    if why is not None:
        print(f"without PostgreSQL: {why}\n")
        return {}
    found: dict[str, list[dict[str, float]]] = {}
    with postgres.running() as socket:
        settings = {"host": str(socket), "database": "postgres", "user": postgres.USER}
        for table in variants:
            fill(settings, table, rows)
        for number in range(runs):
            for table in variants:
                good = rows - len(range(7, rows + 1, 100)) if table == "people_rejected" else rows
                task = {"kind": "postgresql", "settings": settings, "object": table, "rows": good, "all": rows}
                for name in ("duckdb_copy", "ours", *(peers if not number and table == "people" else ())):
                    found.setdefault(f"{table} {name}", []).append(child(name, task))
    return postgresql_report(found, rows, variants, peers)


def fill(settings: Mapping[str, str], table: str, rows: int) -> None:
    import psycopg  # noqa: PLC0415 - with the server

    with psycopg.connect(
        host=settings["host"], user=settings["user"], dbname=settings["database"], autocommit=True
    ) as connection:
        connection.execute(PEOPLE.format(name=table, rows=rows, **TABLES[table]))
        connection.execute(f"VACUUM ANALYZE {table}")


def postgresql_report(
    found: Mapping[str, list[dict[str, float]]], rows: int, variants: Sequence[str], peers: Sequence[str]
) -> dict[str, Any]:
    print(f"PostgreSQL, {rows:,} rows × 12 columns, median of {len(found['people ours'])} runs")
    print(f"{'':<16}{'landed':>9}{'checked':>9}{'committed':>11}{'indexed':>9}{'COPY':>8}{'ratio':>7}{'peak MB':>9}")
    for table in variants:
        one, copy = found[f"{table} ours"], found[f"{table} duckdb_copy"]
        steps = "".join(
            f"{median(one, step):>{width}.2f}"
            for step, width in (("landed", 9), ("checked", 9), ("committed", 11), ("indexed", 9))
        )
        ratio, peak = ratios(one, copy, "committed"), max(run["peak_mb"] for run in one)
        print(f"{LABELS[table]:<16}{steps}{median(copy, 'committed'):>8.2f}{ratio:>7.2f}{peak:>9.0f}")
    one, copy = found["people ours"], found["people duckdb_copy"]
    beside = {name: round(median(found[f"people {name}"], "committed"), 2) for name in ("duckdb_copy", *peers)}
    for name in peers:
        seconds, peak = beside[name], found[f"people {name}"][0]["peak_mb"]
        times = seconds / median(one, "committed")
        print(f"{name:<16}{seconds:>29.2f} s, {times:.1f} times as long, peak {peak:.0f} MB")
    print()
    report = {
        f"postgresql_to_{step}": {
            "ours": round(median(one, step), 2),
            "peers": beside,
            "ratio": round(ratios(one, copy, step), 2),
            "unit": "s",
        }
        for step in ("committed", "indexed")
    }
    for table in variants[1:]:
        other, peer = found[f"{table} ours"], found[f"{table} duckdb_copy"]
        report[f"postgresql_{table.removeprefix('people_')}_to_committed"] = {
            "ours": round(median(other, "committed"), 2),
            "peers": {"duckdb_copy": round(median(peer, "committed"), 2)},
            "ratio": round(ratios(other, peer, "committed"), 2),
            "unit": "s",
        }
    report["postgresql_peak_mb"] = {
        "ours": round(max(run["peak_committed_mb"] for run in one)),
        "indexed": round(max(run["peak_mb"] for run in one)),
        "rows": rows,
        "peers": {name: round(found[f"people {name}"][0]["peak_mb"]) for name in ("duckdb_copy", *peers)},
        "ratio": None,
        "unit": "MB",
    }
    return report


def median(runs: Sequence[Mapping[str, float]], step: str) -> float:
    return statistics.median(run[step] for run in runs)


def ratios(ours_: Sequence[Mapping[str, float]], peer: Sequence[Mapping[str, float]], step: str) -> float:
    # Each run measures both, one after the other, so that a busy machine is busy for both.
    return statistics.median(a[step] / b["committed"] for a, b in zip(ours_, peer, strict=True))


# --- CSV ---


def common(text: str) -> tuple[str, int]:
    """*text* with each character beyond GBK replaced, and how many there were."""
    try:
        text.encode("gbk")
    except UnicodeEncodeError:
        kept = "".join(c if c.encode("gbk", "ignore") else GETA for c in text)
        return kept, sum(a != b for a, b in zip(text, kept, strict=True))
    return text, 0


def village_table(rows: int) -> pa.Table:
    if VILLAGES.exists():
        return pq.read_table(VILLAGES, columns=list(VILLAGE_COLUMNS)).slice(0, rows)
    codes = [f"{110101001001 + i * 11}" for i in range(min(rows, SYNTHETIC_ROWS))]
    names = [f"{'东西南北中'[i % 5]}村{i}社区居委会" for i in range(len(codes))]
    cuts = (9, 2, 4, 6)
    return pa.table([codes, names, *([c[:n] for c in codes] for n in cuts)], names=list(VILLAGE_COLUMNS))


def write_csv(table: pa.Table, path: Path) -> tuple[int, int]:
    replaced = 0
    with path.open("w", encoding="gb18030", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(VILLAGE_COLUMNS)
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            name, n = common(row[1])
            replaced += n
            writer.writerow((row[0], name, *row[2:]))
    return table.num_rows, replaced


def from_csv(rows: int, runs: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-") as name:
        source = Path(name) / "villages.csv"
        count, replaced = write_csv(village_table(rows), source)
        # The harder peer: the same text in DuckDB's own encoding, which spares it what is slowest for it.
        utf8 = source.with_suffix(".utf8")
        utf8.write_text(source.read_text(encoding="gb18030"), encoding="utf-8")
        origin = VILLAGES.name if VILLAGES.exists() else "synthetic"
        print(f"GB18030 CSV, {count:,} rows ({origin}), {source.stat().st_size / 1e6:.1f} MB, {replaced} replaced")
        settings = {"folder": name, "encoding": "gb18030", "delimiter": ","}
        task = {"kind": "csv", "settings": settings, "object": source.name, "rows": count}
        one, copy, plain = [], [], []
        for _ in range(runs):
            one.append(child("ours", task))
            copy.append(child("duckdb_copy", task | {"file": str(source), "encoding": "gb18030"}))
            plain.append(child("duckdb_copy", task | {"file": str(utf8), "encoding": "utf-8"}))
    for step in ("landed", "checked", "committed", "indexed"):
        print(f"  {step:<20}{median(one, step):>8.2f}")
    print(f"  {'DuckDB bare COPY':<20}{median(copy, 'committed'):>8.2f}")
    print(f"  {'… of it in UTF-8':<20}{median(plain, 'committed'):>8.2f}\n")
    result = {
        "ours": round(median(one, "committed"), 3),
        "peers": {
            "duckdb_copy": round(median(copy, "committed"), 3),
            "duckdb_copy_utf8": round(median(plain, "committed"), 3),
        },
        "ratio": round(ratios(one, copy, "committed"), 2),
        "ratio_utf8": round(ratios(one, plain, "committed"), 2),
        "unit": "s",
    }
    return {"csv_to_committed": result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200,000 rows and few runs, under a minute")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, help="rows of the table in PostgreSQL (2,000,000)")
    parser.add_argument(
        "--plain", action="store_true", help="one table of the three in PostgreSQL, and no peer but COPY"
    )
    parser.add_argument("--only", choices=("postgresql", "csv"), help="leave the other out")
    parser.add_argument("--task", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        name, task = options.task
        found = TASKS[name](json.loads(task))
        print(json.dumps(found | {"peak_mb": peak_mb()}))
        return
    runs = 1 if options.quick else options.runs
    report: dict[str, Any] = {}
    if options.only != "csv":
        rows = options.rows or (200_000 if options.quick else 2_000_000)
        peers = [] if options.quick or options.plain else peers_here()
        variants = list(TABLES)[:1] if options.plain else list(TABLES)
        report |= from_postgresql(rows, runs, variants=variants, peers=peers)
    if options.only != "postgresql":
        report |= from_csv(60_000 if options.quick else SYNTHETIC_ROWS, runs)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
