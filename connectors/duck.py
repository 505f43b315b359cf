"""DuckDB as the connectors use it: bounded sessions, extensions from their wheels, parts written as Parquet.

Leaves what is asked of DuckDB to each kind.
"""

from __future__ import annotations

import fcntl
import glob
import importlib.util
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from connectors.errors import ConnectorSettingsError, LandingFailedError
from connectors.parts import ROWS_PER_PART, ZSTD_LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

# Two parts of some dozen columns being sorted at once; beyond it DuckDB spills beside the landing.
MEMORY_MB = 300
# What a part may hold so that two fit into the memory at once, sorted and encoded: of all columns, and of one, whose
# values Parquet's writer holds side by side in buffers that double. Tried with columns of 300 bytes to 300 kB.
PART_BYTES = 48_000_000
COLUMN_BYTES = 24_000_000
# Code lists have fewer values, and get a dictionary. To try one for names and numbers costs a quarter of a landing, and
# what comes of it is larger than the deltas that they are written as without.
DICTIONARY_VALUES = 1024
# More would only compete with the tasks beside us, and open more connections than a department allows.
MOST_THREADS = 4
# DuckDB hands on the operating system's words, not its number.
_FULL_WORDS = ("no space left on device", "disk quota exceeded", "file too large", "max_temp_directory_size")
# What our own disk says, as DuckDB puts it; a source's own errors have other words before them.
_WRITE_WORDS = ("cannot open file", "could not write file", "could not create directory", "failed to create directory")


class TooWideError(LandingFailedError):
    """The memory did not do for a part; parts of fewer rows may fit."""


def rows_that_fit(widths: Sequence[float]) -> int:
    """How many rows a part may have whose columns take *widths* bytes on the average."""
    whole, widest = max(1.0, sum(widths)), max([1.0, *widths])
    return max(1, min(ROWS_PER_PART, int(PART_BYTES / whole), int(COLUMN_BYTES / widest)))


def threads() -> int:
    """How many threads, and connections to a source, one read uses."""
    return max(1, min(os.cpu_count() or 1, MOST_THREADS))


def name(identifier: str) -> str:
    """*identifier* quoted for DuckDB."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """*value* as a literal; standard strings have no escapes but the doubled quote."""
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def session(into: Path, extension: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB for one read to *into*, spilling into a hidden folder beside it; *extension* is loaded.

    Its connections share the memory limit and the threads: take one by ``con.cursor()`` for each thread of ours.

    Raises:
        LandingFailedError: the folder beside *into* cannot be made.
        ConnectorSettingsError: the extension is not installed.
    """
    with _spill_folder(into) as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{MEMORY_MB}MB",
            "threads": threads(),
            "temp_directory": str(folder),
            # Order is part of the promise that the same content lands as the same bytes.
            "preserve_insertion_order": True,
            # Nothing is ever fetched at run time; a missing extension is an error, not a download.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # A signature check would hash forty megabytes for every read, small ones too. What is loaded comes by its
            # path from a wheel that the lock names with its digest, as every other compiled module here does.
            "allow_unsigned_extensions": True,
        }
        with duckdb.connect(config=config) as con:
            if extension:
                load(con, extension)
            yield con


def load(con: duckdb.DuckDBPyConnection, extension: str) -> None:
    """Load *extension* (``postgres_scanner``, ``mysql_scanner``) from its wheel, which the lock holds to our DuckDB.

    Raises:
        ConnectorSettingsError: it is not installed, or was built for another DuckDB.
    """
    package = f"duckdb_extension_{extension}"
    spec = importlib.util.find_spec(package)
    found: list[Path] = []
    if spec and spec.origin:
        found = sorted(Path(spec.origin).parent.glob(f"extensions/*/{extension}.duckdb_extension"))
    try:
        con.execute(f"LOAD {text(str(found[0]))}")
    except (IndexError, duckdb.Error):
        wheel = package.replace("_", "-")
        raise ConnectorSettingsError(problem="extension_missing", where="connectors", package=wheel) from None


def write_part(
    con: duckdb.DuckDBPyConnection, query: str, path: Path, field_ids: Mapping[str, int], *, order: Sequence[str] = ()
) -> int:
    """Write the rows of *query* to *path* in *order* (columns of the query); how many there were.

    A writer for `connectors.parts`: neither synced nor renamed here.
    """
    ids = ", ".join(f"{name(column)}: {number}" for column, number in field_ids.items())
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {ZSTD_LEVEL}, PARQUET_VERSION V2"
    options += f", DICTIONARY_SIZE_LIMIT {DICTIONARY_VALUES}"
    if ids:
        options += f", FIELD_IDS {{{ids}}}"
    if order:
        query = f"SELECT * FROM ({query}) ORDER BY {', '.join(name(column) for column in order)}"
    row = con.execute(f"COPY ({query}) TO {text(str(path))} ({options})").fetchone()
    return int(row[0]) if row else 0


def slices(con: duckdb.DuckDBPyConnection, query: str, rows_each: int) -> Iterator[pa.Table]:
    """The rows of *query* as they come, *rows_each* at a time; nothing else may run on *con* meanwhile."""
    import pyarrow as pa  # noqa: PLC0415  # only reads that cannot be cut by the source pay for Arrow

    reader = con.execute(query).to_arrow_reader(rows_each)
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        rest = batch
        while rows + rest.num_rows >= rows_each:
            taken = rest.slice(0, rows_each - rows)
            yield pa.Table.from_batches([*held, taken], schema=reader.schema)
            rest, held, rows = rest.slice(taken.num_rows), [], 0
        if rest.num_rows:
            held.append(rest)
            rows += rest.num_rows
    if rows:
        yield pa.Table.from_batches(held, schema=reader.schema)


def landing_failure(failure: duckdb.Error, into: Path) -> LandingFailedError | None:
    """What *failure* is if our own side failed to write or ran out of memory; None if the source is to blame.

    DuckDB's messages may quote values: none is passed on.
    """
    words = str(failure).lower()
    if any(word in words for word in _FULL_WORDS):
        return LandingFailedError(problem="disk_full", where=str(into))
    if isinstance(failure, duckdb.OutOfMemoryException):
        return TooWideError(problem="rows_too_wide", where=str(into), limit_mb=MEMORY_MB)
    if isinstance(failure, duckdb.IOException) and any(word in words for word in _WRITE_WORDS):
        return LandingFailedError(problem="cannot_write", where=str(into), detail=type(failure).__name__)
    return None


@contextmanager
def _spill_folder(into: Path) -> Iterator[Path]:
    """A hidden folder beside *into*, held by an flock while we live; those that killed reads left behind go."""
    prefix, suffix = f".{into.name}.", ".spill"
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        for stale in into.parent.glob(f"{glob.escape(prefix)}*{suffix}"):
            with suppress(OSError):
                handle = os.open(stale, os.O_RDONLY)
                try:
                    # BlockingIOError (an OSError): its reader lives, let it be.
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(stale, ignore_errors=True)
                finally:
                    os.close(handle)
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=into.parent))
        handle = os.open(folder, os.O_RDONLY)
    except OSError as failure:
        detail = os.strerror(failure.errno) if failure.errno else type(failure).__name__
        raise LandingFailedError(problem="cannot_write", where=str(into), detail=detail) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)
