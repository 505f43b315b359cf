"""What a look-up file costs to build, to keep and to ask, beside SQLite, RocksDB and LMDB with the same records.

    python bench/lookup.py [--quick] [--rows N] [--only NAME …]

1,000,000 records of 12 fields (`--quick`: 200,000), found by a whole number, their key, and by a text of 18 characters.
Each engine is filled from the same sorted stream and holds the same texts; whatever it finds is parsed to the
same dict.

- build: rows a second, and the most memory that the building process held.
- size: bytes a row on disk.
- key, text, absent: a look-up of one record by the key, by the text, and of a text that no record has (a neighbour of
  one that is there): median and 99th percentile of random ones, warm. cold: by the text after the system was told to
  forget the files (POSIX_FADV_DONTNEED), and open: from nothing to the first answer then.
- many, near: one of 500 keys asked for at once, random or next to each other.
- own: memory of the asking process that is its own and not the system's cache of the files, beyond a bare interpreter.

SQLite comes with Python: one table without rowid, one index, no journal, its file mapped. RocksDB (`rocksdict`) gets
sorted files with zstd, LMDB sorted appends; both come from the folders that ZHENGTONG_BENCH_PEERS names, and are named
where they are absent. Each measurement is a process of its own. In the JSON of the last line a ratio above 1 means that
ours is better than the best peer.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    IcebergType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from warehouse import lookup as lookups
from warehouse import sql
from warehouse.lookup import Layout, Lookup
from warehouse.table import FileOfRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PEERS_ENV = "ZHENGTONG_BENCH_PEERS"
ENGINES = ("ours", "sqlite", "rocksdb", "lmdb")
MODULES = {"rocksdb": "rocksdict", "lmdb": "lmdb"}
ROWS_PER_FILE = 500_000
ASKED, ASKED_COLD, TOGETHER = 20_000, 300, 500
BETWEEN = "\x1f"
Record = dict[str, Any]

# A register of people, all invented: what each column holds follows from the number of its row.
COLUMNS: Mapping[str, tuple[IcebergType, str]] = {
    "id": (LongType(), "i"),
    "citizen_id": (
        StringType(),
        "lpad(CAST(i * 7919 % 999999 AS VARCHAR), 6, '1') || lpad(CAST(i * 48271 % 999999999989 AS VARCHAR), 12, '0')",
    ),
    "name": (StringType(), "'张' || substr(md5(CAST(i AS VARCHAR)), 1, 4)"),
    "sex": (StringType(), "CASE WHEN i % 2 = 0 THEN 'M' ELSE 'F' END"),
    "born": (DateType(), "DATE '1940-01-01' + CAST(i * 37 % 28000 AS INTEGER)"),
    "phone": (StringType(), "'1' || lpad(CAST(i * 104729 % 9999999999 AS VARCHAR), 10, '3')"),
    "division": (StringType(), "lpad(CAST(110000 + i % 9999 AS VARCHAR), 6, '0')"),
    "address": (StringType(), "'北京市东城区第' || (i % 5000) || '号院' || (i % 40) || '单元'"),
    "income": (DecimalType(12, 2), "CAST(i % 1000000 / 100.0 AS DECIMAL(12, 2))"),
    "household": (LongType(), "i % 500000"),
    "active": (BooleanType(), "i % 3 <> 0"),
    "changed": (TimestampType(), "TIMESTAMP '2020-01-01' + to_seconds(i * 53 % 180000000)"),
}
SCHEMA = Schema(*(NestedField(n, name, t, required=False) for n, (name, (t, _)) in enumerate(COLUMNS.items(), 1)))
LAYOUT = Layout("people", 1, 1, SCHEMA, ("id",), ("id", "citizen_id"))
WHOLE = [n for n, (t, _) in enumerate(COLUMNS.values()) if isinstance(t, LongType)]


# --- the records ---


def make(folder: Path, rows: int) -> None:
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    ids = ", ".join(f"{name}: {n}" for n, name in enumerate(COLUMNS, 1))
    chosen = ", ".join(f"{expression} AS {name}" for name, (_, expression) in COLUMNS.items())
    for first in range(1, rows + 1, ROWS_PER_FILE):
        end = min(first + ROWS_PER_FILE, rows + 1)
        con.execute(
            f"COPY (SELECT {chosen} FROM range({first}, {end}) t(i)) TO '{folder}/{first:012}-{end - first}.parquet' "
            f"(FORMAT parquet, COMPRESSION zstd, FIELD_IDS {{{ids}}})"
        )


def files(folder: Path) -> list[FileOfRows]:
    found = []
    for path in sorted(folder.glob("*.parquet")):
        first, rows = map(int, path.stem.split("-"))
        low, high = (to_bytes(LongType(), n) for n in (first, first + rows - 1))
        known = DataFile.from_args(lower_bounds={1: low}, upper_bounds={1: high})
        found.append(FileOfRows(str(path), str(path), rows, rows, (), known))
    return found


def stream(con: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[tuple[list[str], list[int], list[str]]]:
    """Records in the texts that ours stores, keys and texts to be found by, in the order of the keys."""
    for batch in lookups._source(con, LAYOUT, files(folder)).batches:  # noqa: SLF001 - what ours is built from
        yield [text[:-1] for text in batch.column(0).to_pylist()], *(batch.column(i).to_pylist() for i in (1, 2))


def by_text(con: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[tuple[str, int]]:
    """The texts and the keys of their records, in the order of the texts."""
    found = con.execute(f"SELECT citizen_id, id FROM '{folder}/*.parquet' ORDER BY ALL").to_arrow_reader(100_000)
    for batch in found:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def parse(text: str) -> Record:
    texts: list[Any] = text.split(BETWEEN)
    for place in WHOLE:
        texts[place] = int(texts[place])
    return dict(zip(COLUMNS, texts, strict=True))


# --- the engines ---


class _Engine(Protocol):
    """Records by key and by text. *near* are keys next to each other."""

    def by_key(self, key: int) -> Sequence[Record]: ...
    def by_text(self, text: str) -> Sequence[Record]: ...
    def many(self, keys: Sequence[int]) -> Sequence[Sequence[Record]]: ...


class _Ours:
    def __init__(self, folder: Path) -> None:
        self._lookup = Lookup("people", folder)

    @staticmethod
    def build(con: duckdb.DuckDBPyConnection, data: Path, folder: Path) -> None:
        lookups.build(con, LAYOUT, files(data), folder)

    def by_key(self, key: int) -> Sequence[Record]:
        return self._lookup.find("id", str(key))

    def by_text(self, text: str) -> Sequence[Record]:
        return self._lookup.find("citizen_id", text)

    def many(self, keys: Sequence[int]) -> Sequence[Sequence[Record]]:
        return self._lookup.look_many("id", [str(key) for key in keys]).rows


class _Sqlite:
    def __init__(self, folder: Path) -> None:
        path = folder / "lookup.sqlite"
        self._con = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        self._con.execute(f"PRAGMA mmap_size = {path.stat().st_size}")

    @staticmethod
    def build(con: duckdb.DuckDBPyConnection, data: Path, folder: Path) -> None:
        into = sqlite3.connect(folder / "lookup.sqlite")
        into.execute("PRAGMA journal_mode = OFF")
        into.execute("PRAGMA synchronous = OFF")
        into.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, citizen_id TEXT, record TEXT) WITHOUT ROWID")
        for records, keys, texts in stream(con, data):
            into.executemany("INSERT INTO records VALUES (?, ?, ?)", zip(keys, texts, records, strict=True))
        into.execute("CREATE INDEX by_citizen_id ON records (citizen_id)")
        into.commit()
        into.close()

    def _all(self, column: str, value: object) -> Sequence[Record]:
        found = self._con.execute(f"SELECT record FROM records WHERE {column} = ? ORDER BY id LIMIT 100", (value,))
        return [parse(text) for (text,) in found]

    def by_key(self, key: int) -> Sequence[Record]:
        return self._all("id", key)

    def by_text(self, text: str) -> Sequence[Record]:
        return self._all("citizen_id", text)

    def many(self, keys: Sequence[int]) -> Sequence[Sequence[Record]]:
        marks = ", ".join("?" * len(keys))
        return [
            [parse(text)]
            for (text,) in self._con.execute(f"SELECT record FROM records WHERE id IN ({marks})", list(keys))
        ]


class _RocksDb:
    def __init__(self, folder: Path) -> None:
        from rocksdict import AccessType, Options, Rdict  # noqa: PLC0415 - a peer that is not always there

        self._db = Rdict(str(folder / "rocks"), Options(raw_mode=True), access_type=AccessType.read_only())

    @staticmethod
    def build(con: duckdb.DuckDBPyConnection, data: Path, folder: Path) -> None:
        from rocksdict import DBCompressionType, Options, Rdict, SstFileWriter  # noqa: PLC0415

        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_compression_type(DBCompressionType.zstd())
        paths = [str(folder / f"{name}.sst") for name in "ks"]
        writer = SstFileWriter(options=options)
        writer.open(paths[0])
        for records, keys, _ in stream(con, data):
            for record, key in zip(records, keys, strict=True):
                writer[b"k" + key.to_bytes(8, "big")] = record.encode()
        writer.finish()
        writer = SstFileWriter(options=options)
        writer.open(paths[1])
        for text, key in by_text(con, data):
            writer[b"s" + text.encode() + key.to_bytes(8, "big")] = b""
        writer.finish()
        db = Rdict(str(folder / "rocks"), options)
        db.ingest_external_file(paths)
        db.close()
        for path in paths:
            Path(path).unlink()

    def by_key(self, key: int) -> Sequence[Record]:
        found = self._db.get(b"k" + key.to_bytes(8, "big"))
        return [] if found is None else [parse(found.decode())]

    def by_text(self, text: str) -> Sequence[Record]:
        sought = b"s" + text.encode()
        place, found = self._db.iter(), []
        place.seek(sought)
        while place.valid() and len(key := place.key()) == len(sought) + 8 and key.startswith(sought):
            found.append(parse(self._db[b"k" + key[-8:]].decode()))
            place.next()
        return found

    def many(self, keys: Sequence[int]) -> Sequence[Sequence[Record]]:
        return [[parse(text.decode())] for text in self._db.get([b"k" + key.to_bytes(8, "big") for key in keys])]


class _Lmdb:
    def __init__(self, folder: Path) -> None:
        import lmdb  # noqa: PLC0415 - a peer that is not always there

        self._env = lmdb.open(str(folder / "lmdb"), readonly=True, lock=False, max_dbs=2, readahead=False)
        self._records, self._texts = (self._env.open_db(name, create=False) for name in (b"records", b"texts"))

    @staticmethod
    def build(con: duckdb.DuckDBPyConnection, data: Path, folder: Path) -> None:
        import lmdb  # noqa: PLC0415

        rows = sum(f.rows for f in files(data))
        env = lmdb.open(str(folder / "lmdb"), map_size=1000 * rows + (1 << 26), max_dbs=2, sync=False, writemap=True)
        records = env.open_db(b"records")
        with env.begin(write=True) as into:
            for texts, keys, _ in stream(con, data):
                for text, key in zip(texts, keys, strict=True):
                    into.put(key.to_bytes(8, "big"), text.encode(), append=True, db=records)
        found = env.open_db(b"texts", dupsort=True, dupfixed=True)
        with env.begin(write=True) as into:
            for text, key in by_text(con, data):
                into.put(text.encode(), key.to_bytes(8, "big"), append=True, db=found)
        env.sync(True)
        env.close()

    def by_key(self, key: int) -> Sequence[Record]:
        with self._env.begin() as asked:
            found = asked.get(key.to_bytes(8, "big"), db=self._records)
        return [] if found is None else [parse(found.decode())]

    def by_text(self, text: str) -> Sequence[Record]:
        with self._env.begin() as asked, asked.cursor(self._texts) as place:
            keys = list(place.iternext_dup()) if place.set_key(text.encode()) else []
            return [parse(asked.get(key, db=self._records).decode()) for key in keys]

    def many(self, keys: Sequence[int]) -> Sequence[Sequence[Record]]:
        with self._env.begin() as asked:
            get = asked.get
            return [[parse(get(key.to_bytes(8, "big"), db=self._records).decode())] for key in keys]


KINDS: Mapping[str, type[_Ours | _Sqlite | _RocksDb | _Lmdb]] = {
    "ours": _Ours,
    "sqlite": _Sqlite,
    "rocksdb": _RocksDb,
    "lmdb": _Lmdb,
}


# --- what a child process measures ---


def status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def build(name: str, data: Path, folder: Path) -> dict[str, float]:
    folder.mkdir()
    bare = status_mb("VmHWM")
    begin = time.perf_counter()
    with sql.session(folder.parent / "scratch", memory_mb=384, threads=2) as con:
        KINDS[name].build(con, data, folder)
    for path in stored(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    seconds = time.perf_counter() - begin
    # A sparse file takes what it takes.
    size = sum(path.stat().st_blocks * 512 for path in stored(folder))
    return {"seconds": seconds, "bytes": size, "peak_mb": status_mb("VmHWM"), "bare_mb": bare}


def stored(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def forget(folder: Path) -> None:
    for path in stored(folder):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(ask: Callable[[Any], Any], asked: Sequence[Any], per: int = 1) -> tuple[float, float]:
    """Median and 99th percentile in microseconds."""
    took = []
    for value in asked:
        begin = time.perf_counter_ns()
        ask(value)
        took.append((time.perf_counter_ns() - begin) / 1000 / per)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def look(name: str, rows: int, folder: Path, asked: Mapping[str, list[Any]]) -> dict[str, Any]:
    bare = status_mb("RssAnon")
    forget(folder)
    begin = time.perf_counter()
    engine: _Engine = KINDS[name](folder)
    keys, texts, absent = asked["keys"], asked["texts"], asked["absent"]
    assert len(engine.by_text(texts[0])) >= 1
    found: dict[str, Any] = {"open_ms": (time.perf_counter() - begin) * 1000}
    found["cold"] = timed(engine.by_text, texts[1 : 1 + ASKED_COLD])
    for key, text in zip(keys[:200], texts[:200], strict=True):
        assert [r["id"] for r in engine.by_key(key)] == [key]
        assert key in [r["id"] for r in engine.by_text(text)]
    for path in stored(folder):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    for what, ask, values in (
        ("key", engine.by_key, keys),
        ("text", engine.by_text, texts),
        ("absent", engine.by_text, absent),
    ):
        timed(ask, values[: len(values) // 4])
        found[what] = timed(ask, values)
    groups = [keys[n : n + TOGETHER] for n in range(0, len(keys), TOGETHER)]
    near = [list(range(key, key + TOGETHER)) for key in keys[: len(groups)] if key + TOGETHER <= rows]
    for what, lists in (("many", groups), ("near", near)):
        assert len(engine.many(lists[0])) == TOGETHER
        found[what] = timed(engine.many, lists, TOGETHER)
    return {**found, "own_mb": status_mb("RssAnon") - bare, "rss_mb": status_mb("VmHWM")}


def child(task: Mapping[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--task", "-"],
        input=json.dumps(task),
        env=os.environ | {"PYTHONPATH": os.environ.get(PEERS_ENV, "")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{task['name']}: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def do(task: Mapping[str, Any]) -> dict[str, Any]:
    if task["what"] == "build":
        return build(task["name"], Path(task["data"]), Path(task["folder"]))
    return look(task["name"], task["rows"], Path(task["folder"]), task["asked"])


# --- the report ---


def questions(rows: int) -> dict[str, list[Any]]:
    drawn = random.Random(5)
    keys = drawn.sample(range(1, rows + 1), min(ASKED, rows))
    con = duckdb.connect()
    expression = COLUMNS["citizen_id"][1]
    texts = [
        row[0]
        for row in con.execute(f"SELECT {expression} FROM (SELECT CAST(unnest(?) AS BIGINT) AS i)", [keys]).fetchall()
    ]
    return {"keys": keys, "texts": texts, "absent": [text[:-1] + "X" for text in texts]}


def here(wanted: Sequence[str]) -> list[str]:
    """The engines that can be measured; the others are told of."""
    folders = [folder for folder in os.environ.get(PEERS_ENV, "").split(os.pathsep) if folder]
    found = []
    for name in wanted:
        module = MODULES.get(name)
        if module is None or find_spec(module) or any((Path(f) / module).is_dir() for f in folders):
            found.append(name)
        else:
            print(f"({name}: {module} not found here nor in {PEERS_ENV})")
    return found


def measure(rows: int, engines: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-") as name:
        data = Path(name) / "data"
        data.mkdir()
        make(data, rows)
        asked = questions(rows)
        print(f"{rows:,} records × {len(COLUMNS)} fields; µs are median / 99th percentile")
        print(
            f"{'':<9}{'rows/s':>10}{'peak MB':>9}{'B/row':>7}{'key':>13}{'text':>13}{'absent':>13}{'cold':>14}"
            f"{'open ms':>9}{'many':>7}{'near':>7}{'own MB':>8}"
        )
        for engine in engines:
            # One after the other, and gone before the next: at fifty million rows they would not fit side by side.
            with tempfile.TemporaryDirectory(dir=name) as place:
                folder = str(Path(place) / "index")
                built = child({"what": "build", "name": engine, "data": str(data), "folder": folder})
                looked = child({"what": "look", "name": engine, "rows": rows, "folder": folder, "asked": asked})
            found[engine] = {"rows_s": rows / built["seconds"], "row_bytes": built["bytes"] / rows} | looked
            found[engine]["peak_mb"] = built["peak_mb"]
            print(line(engine, found[engine]), flush=True)
    return found


def line(engine: str, found: Mapping[str, Any]) -> str:
    pairs = "".join(f"{f'{found[w][0]:.1f} / {found[w][1]:.0f}':>13}" for w in ("key", "text", "absent"))
    cold = f"{found['cold'][0]:.0f} / {found['cold'][1]:.0f}"
    return (
        f"{engine:<9}{found['rows_s']:>10,.0f}{found['peak_mb']:>9.0f}{found['row_bytes']:>7.0f}{pairs}{cold:>14}"
        f"{found['open_ms']:>9.1f}{found['many'][0]:>7.1f}{found['near'][0]:>7.1f}{found['own_mb']:>8.1f}"
    )


def report(found: Mapping[str, Mapping[str, Any]], rows: int) -> dict[str, Any]:
    made: dict[str, Any] = {"rows": rows}
    units = {"rows_s": "rows/s", "row_bytes": "B", "peak_mb": "MB", "own_mb": "MB", "open_ms": "ms"}
    for what in (
        "rows_s",
        "row_bytes",
        "peak_mb",
        "own_mb",
        "open_ms",
        "key",
        "text",
        "absent",
        "cold",
        "many",
        "near",
    ):
        values = {name: one[what][0] if isinstance(one[what], list) else one[what] for name, one in found.items()}
        own = values.pop("ours", None)
        ratio = None
        if own and values:
            ratio = own / max(values.values()) if what == "rows_s" else min(values.values()) / own
        made[f"lookup_{what}"] = {
            "ours": own and round(own, 2),
            "peers": {name: round(value, 2) for name, value in values.items()},
            "ratio": ratio and round(ratio, 2),
            "unit": units.get(what, "us"),
        }
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200,000 rows, under a minute")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=ENGINES, nargs="+", default=list(ENGINES), help="leave the others out")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(do(json.load(sys.stdin))))
        return
    rows = 200_000 if options.quick else options.rows
    print(json.dumps(report(measure(rows, here(options.only)), rows)))


if __name__ == "__main__":
    main()
