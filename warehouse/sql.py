"""DuckDB as this package uses it: quoting, bounded sessions, files that appear whole or not at all.

What is asked of DuckDB is composed in the rooms that ask.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from warehouse.errors import StorageFullError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# The first level and the second version of the format: quicker to write than the defaults, and a third smaller. Code
# lists get a dictionary; to try one for every name and number costs a quarter of the writing, and comes out larger.
ZSTD = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION V2, ROW_GROUP_SIZE 122880, "
    "DICTIONARY_SIZE_LIMIT 1024"
)
_READ_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# DuckDB hands on the operating system's words, not its number.
_FULL_WORDS = ("no space left on device", "disk quota exceeded", "file too large", "database or disk is full")


def name(identifier: str) -> str:
    """*identifier* quoted for SQL (DuckDB and SQLite alike)."""
    return '"' + identifier.replace('"', '""') + '"'


def names(identifiers: Sequence[str], prefix: str = "") -> str:
    """Several identifiers, comma-separated, each after *prefix* (``t.``)."""
    return ", ".join(prefix + name(i) for i in identifiers)


def text(value: str) -> str:
    """*value* as a SQL string literal; standard strings have no escapes but the doubled quote."""
    return "'" + value.replace("'", "''") + "'"


def scalar(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> int:
    """The one number that *query* answers."""
    row = con.execute(query, list(parameters)).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


@contextmanager
def session(scratch: Path, *, memory_mb: int, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that spills into a folder of its own under *scratch* beyond *memory_mb*.

    The folder goes with the session; a killed process leaves it behind, and nothing ever reads it again.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="spill-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": spill,
            "preserve_insertion_order": True,
            # Nothing is ever fetched at run time; a missing extension is an error, not a download.
            "autoinstall_known_extensions": False,
        }
        con = duckdb.connect(config=config)
        # It would draw into whatever a command prints; an option of the session, not of the database.
        con.execute("SET enable_progress_bar = false")
        try:
            yield con
        finally:
            con.close()


@contextmanager
def full_storage(resource: str, folder: Path) -> Iterator[None]:
    """Turn every way of running out of space into `StorageFullError`, of losing the store `StorageUnavailableError`."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise StorageFullError(resource=resource, folder=folder) from error
        if is_away(error):
            raise StorageUnavailableError(place="S3", detail=type(error).__name__) from error
        raise


def is_away(error: BaseException) -> bool:
    """Whether *error* means that an object store did not answer, said by DuckDB or by pyarrow."""
    if isinstance(error, duckdb.HTTPException):
        return True
    words = str(error)
    return isinstance(error, OSError) and "AWS Error" in words and "HTTP status 404" not in words


def is_full(error: BaseException) -> bool:
    """Whether *error*, or one that caused it, means that storage is full."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        # DuckDB's spill folder is capped by the room left on its disk.
        if isinstance(seen, duckdb.OutOfMemoryException) and "max_temp_directory_size" in str(seen):
            return True
        if isinstance(seen, OSError | duckdb.Error) or type(seen).__module__.startswith(("sqlalchemy", "sqlite3")):
            words = str(seen).lower()
            if any(w in words for w in _FULL_WORDS):
                return True
        seen = seen.__cause__ or seen.__context__
    return False


def write_parquet(
    con: duckdb.DuckDBPyConnection, query: str, path: Path, *, options: str = "", parameters: Sequence[object] = ()
) -> None:
    """Write the rows of *query* to *path*: under a temporary name first, synced, then renamed.

    A crash leaves the old file or the new one, never half of one. The same query over the same rows
    in the same order gives the same bytes.
    """
    # Two processes may be at the same batch: each has a name of its own until the rename.
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    extra = f", {options}" if options else ""
    try:
        con.execute(f"COPY ({query}) TO {text(str(part))} ({ZSTD}{extra})", list(parameters))
        sync_file(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make the content of *path* survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


sync_folder = sync_file  # On POSIX a folder is synced like a file, and then its names survive too.


def file_digest(path: Path) -> str:
    """``sha256:`` + hex SHA-256 of the file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_READ_BYTES):
            digest.update(chunk)
    return "sha256:" + digest.hexdigest()


def same_digest(one: str, other: str) -> bool:
    """Whether two SHA-256 digests are equal, with or without their ``sha256:``."""
    return bool(one) and re.sub(r"^sha256:", "", one.lower()) == re.sub(r"^sha256:", "", other.lower())
