"""Land a read as a folder of Parquet parts with a manifest, so that a killed read goes on where it stopped.

Leaves what a part holds to the connector that writes it, and what becomes of the parts to `warehouse`.

What stands at a read's *into* is then a folder: ``manifest.json`` and the parts it names. A part is written under a
temporary name, synced and renamed, and only then named by a new manifest, which replaces the old one in the same way.
A kill at any moment therefore leaves a manifest that names whole parts only, and at most one file that it does not
name, which the next read removes: no part is lost and none is there twice.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from connectors.errors import LandingFailedError
from connectors.protocol import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from connectors.protocol import Column, ReadRequest

FORMAT = 1
MANIFEST = "manifest.json"
# Two of DuckDB's row groups: large enough to write at full speed, small enough to sort in memory and to lose to a kill.
ROWS_PER_PART = 250_000
# Level 1 of zstd is as quick as snappy and a third smaller; parts live for one load, or are adopted as data files.
ZSTD_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Landed:
    """The digest (hex) of the parts and the number of their rows."""

    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a landing: its name in the folder, hex SHA-256 of its bytes, and its size."""

    file: str
    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says. *asked* tells which question the parts answer; *state* is the connector's own."""

    asked: str
    done: bool
    parts: tuple[Part, ...]
    state: dict[str, Any]

    @property
    def rows(self) -> int:
        """The rows of all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def sha256(self) -> str:
        """What `Batch.sha256` is for a folder: the digest of the canonical JSON of its parts."""
        said = [{"file": part.file, "rows": part.rows, "sha256": part.sha256} for part in self.parts]
        return hashlib.sha256(_canonical(said)).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of *folder*; None where there is none that this version understands (a file, another format)."""
    try:
        said = json.loads((folder / MANIFEST).read_bytes())
        if said["format"] != FORMAT:
            return None
        parts = tuple(Part(p["file"], p["sha256"], p["rows"], p["bytes"]) for p in said["parts"])
        return Manifest(said["asked"], said["done"] is True, parts, said["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def asked(request: ReadRequest) -> str:
    """The digest of everything that decides which rows a read lands, and as what."""
    columns = [asdict(column) for column in request.columns]
    said = [request.resource, request.object, columns, request.cursor, request.cursor_column, request.window]
    return hashlib.sha256(_canonical([*said, sorted(request.options.items()), list(request.key)])).hexdigest()


class Parts:
    """A landing of *request* in the making, or one that was cut off and goes on; use as a context manager.

    Nothing at *into* is touched before the first part is whole, so a read that fails early leaves what stood there.
    Then an earlier landing of the same request that was not finished is gone on with (`resumed`, `rows`, `state`),
    and anything else that stood there is replaced.

    Leaving without `finish`: a landing that is *resumable* keeps its parts for the next try, any other is removed. A
    connector whose parts depend on a state of the source that cannot be found again says ``resumable = False``.

    One landing to a folder at a time, held by an flock on it; within it, `temporary` may be called and its files
    written by many threads, `take` and `finish` by one.
    """

    def __init__(self, request: ReadRequest, into: Path) -> None:
        self._into = into
        self._asked = asked(request)
        self._report = request.progress
        self._lock: int | None = None
        self._numbers = count()
        self._first = threading.Lock()
        self._parts: list[Part] = []
        self._begun = False
        self._finished = False
        self.about: int | None = None
        """About how many rows there will be, for whoever watches."""
        self.state: dict[str, Any] = {}
        """The connector's own notes (JSON), written with each part: where to go on. Kept small."""
        self.resumable = True
        self.resumed = False
        """Whether parts of an earlier try stand already."""

    def __enter__(self) -> Self:
        with self._failures():
            if (self._into / MANIFEST).is_file():
                self._hold()
                found = read_manifest(self._into)
                if found and not found.done and found.asked == self._asked and self._whole(found):
                    self._parts, self.state, self._begun = list(found.parts), found.state, True
                    self.resumed = bool(found.parts)
                    self._sweep()
        return self

    @property
    def rows(self) -> int:
        """The rows landed so far, in earlier tries too."""
        return sum(part.rows for part in self._parts)

    @property
    def count(self) -> int:
        """The parts landed so far, in earlier tries too."""
        return len(self._parts)

    def restart(self) -> None:
        """Give up what an earlier try landed; the next part is the first."""
        self._parts, self.state, self._begun, self.resumed = [], {}, False, False

    def temporary(self) -> Path:
        """A new path in the folder at which to write a part, to be handed to `take`."""
        with self._first, self._failures():
            self._begin()
        return self._into / f".part-{os.getpid()}-{next(self._numbers)}.landing"

    def add(self, write: Callable[[Path], int]) -> int:
        """Add the part that *write* writes at the path it is given; it answers the number of rows. So do we.

        Raises:
            LandingFailedError: the disk is full or the folder cannot be written.
        """
        path = self.temporary()
        try:
            with self._failures():
                rows = write(path)
            self.take(path, rows)
        finally:
            path.unlink(missing_ok=True)
        return rows

    def take(self, path: Path, rows: int) -> None:
        """Make the part written at *path* (see `temporary`) the next one, and durable, with `state` as it is now.

        Raises:
            LandingFailedError: the disk is full or the folder cannot be written.
        """
        if rows > ROWS_PER_PART:
            raise ValueError(f"a part holds at most {ROWS_PER_PART} rows, not {rows}")
        name = f"part-{len(self._parts):05d}.parquet"
        with self._failures():
            digest, size = _synced(path)
            # A crash after this rename leaves a file that the manifest does not name: it is removed and read again.
            path.rename(self._into / name)
            self._parts.append(Part(name, digest, rows, size))
            self._write_manifest(done=False)
        if self._report:
            self._report(Progress(self.rows, self.about))

    def finish(self) -> Landed:
        """Say that all parts are there. A read without rows has one part without rows, which tells its columns.

        Raises:
            LandingFailedError: the disk is full or the folder cannot be written.
        """
        if not self._parts:
            raise ValueError("a landing has at least one part")
        with self._failures():
            self._write_manifest(done=True)
            _sync(self._into.parent)
        self._finished = True
        return Landed(Manifest(self._asked, True, tuple(self._parts), {}).sha256, self.rows)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            if self._begun and not self._finished:
                keep = bool(self._parts) and self.resumable
                if not keep:
                    # The manifest first: without it the rest is nothing, whatever interrupts us.
                    (self._into / MANIFEST).unlink(missing_ok=True)
                    self._parts = []
                self._sweep()
                if not keep:
                    self._into.rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _begin(self) -> None:
        """Make the folder ours alone: no other landing in it, and no part of an earlier one."""
        if self._begun:
            return
        if not self._into.is_dir():
            self._into.unlink(missing_ok=True)
            self._into.mkdir(parents=True, exist_ok=True)
        self._hold()
        # The old manifest goes before the files it names, so that it never names what is not there.
        self._write_manifest(done=False)
        self._sweep()
        self._begun = True

    def _hold(self) -> None:
        if self._lock is None:
            handle = os.open(self._into, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                raise
            self._lock = handle

    def _whole(self, found: Manifest) -> bool:
        """Whether the parts that *found* names are there; their bytes are proven when the batch is checked."""
        with suppress(OSError):
            return all((self._into / part.file).stat().st_size == part.bytes for part in found.parts)
        return False

    def _sweep(self) -> None:
        """Remove what a killed landing left behind: every file that is no part."""
        known = {MANIFEST, *(part.file for part in self._parts)}
        for path in self._into.iterdir():
            if path.name not in known:
                path.unlink(missing_ok=True)

    def _write_manifest(self, *, done: bool) -> None:
        parts = [asdict(part) for part in self._parts]
        said: dict[str, object] = {"format": FORMAT, "asked": self._asked, "done": done}
        said |= {"parts": parts, "rows": self.rows}
        # Notes about parts to come are not true yet: with the first part they are.
        said["state"] = self.state if self._parts else {}
        path = self._into / f".{MANIFEST}.landing"
        path.write_bytes(json.dumps(said, ensure_ascii=False, indent=1).encode())
        _sync(path)
        path.replace(self._into / MANIFEST)
        # Without this a rename could be lost with the power, and the part with it.
        _sync(self._into)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn the operating system's refusals into ours; a source's own errors pass."""
        try:
            yield
        except BlockingIOError:
            where = str(self._into)
            raise LandingFailedError(problem="cannot_write", where=where, detail="another read lands here") from None
        except OSError as failure:
            raise failed(failure, self._into) from None


def failed(failure: OSError, where: Path) -> LandingFailedError:
    """What *failure* to write at *where* is to the caller."""
    if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
        return LandingFailedError(problem="disk_full", where=str(where))
    detail = os.strerror(failure.errno) if failure.errno else type(failure).__name__
    return LandingFailedError(problem="cannot_write", where=str(where), detail=detail)


def write_table(table: pa.Table, columns: Sequence[Column], path: Path) -> int:
    """Write an Arrow *table* of the requested *columns*, in order, as a part; a writer for `Parts.add`.

    A column bears its field id where it has its declared type, told by the Arrow type.
    """
    import pyarrow as pa  # noqa: PLC0415  # DuckDB writes the parts of most kinds; only Arrow's pay for Arrow
    import pyarrow.parquet as pq  # noqa: PLC0415

    fields = [
        pa.field(
            column.name,
            field.type,
            metadata={"PARQUET:field_id": str(column.field_id)} if _has_type(column, str(field.type)) else None,
        )
        for column, field in zip(columns, table.schema, strict=True)
    ]
    named = pa.Table.from_arrays(table.columns, schema=pa.schema(fields))
    pq.write_table(named, path, compression="zstd", compression_level=ZSTD_LEVEL, store_schema=False)
    return int(named.num_rows)


def _has_type(column: Column, arrow: str) -> bool:
    known = {
        "": "string",
        "VARCHAR": "string",
        "BIGINT": "int64",
        "BOOLEAN": "bool",
        "DATE": "date32[day]",
        "TIMESTAMP": "timestamp[us]",
    }
    decimal = "decimal128" + column.type.removeprefix("DECIMAL").replace(" ", "").replace(",", ", ")
    return column.field_id > 0 and arrow == known.get(column.type, decimal)


def _canonical(said: object) -> bytes:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _synced(path: Path) -> tuple[str, int]:
    """Make the file's content survive a power cut; its digest and size."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
