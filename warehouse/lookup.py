"""Find records by key in microseconds: one immutable SQLite file for each snapshot, and a pointer that moves at once.

What a snapshot holds is `warehouse.table`; who may ask is `catalog.decide`. Files are shards that can be copied: they
describe themselves and are never written again after they have their name.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType

from warehouse import sql
from warehouse.errors import FieldNotIndexedError, IndexMissingError
from warehouse.merge import read_files
from warehouse.wire import wanted, wire_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

_POINTER = "current.json"
_ROWS_PER_FETCH = 20_000
_KEEP_FILES = 2  # The current one, and the one that readers may be about to open.
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Found:
    """Records and the snapshot that they come from; the two belong together even while the index is being swapped."""

    snapshot_id: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a look-up file holds."""

    code: str
    snapshot_id: int
    sequence: int
    schema: Schema
    key: tuple[str, ...]
    lookup: tuple[str, ...]

    def to_text(self) -> str:
        """JSON text, kept in the file itself."""
        return json.dumps(
            {
                "code": self.code,
                "snapshot_id": self.snapshot_id,
                "sequence": self.sequence,
                "schema": self.schema.model_dump_json(),
                "key": self.key,
                "lookup": self.lookup,
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Layout:
        """Inverse of `to_text`."""
        plain = json.loads(text)
        schema = Schema.model_validate_json(plain.pop("schema"))
        return cls(schema=schema, key=tuple(plain.pop("key")), lookup=tuple(plain.pop("lookup")), **plain)


def build(con: duckdb.DuckDBPyConnection, layout: Layout, files: Sequence[Path], folder: Path) -> Path:
    """Build the look-up file of a snapshot and point readers to it, unless they already read a later snapshot.

    One builder per resource at a time; others wait. Readers are never disturbed. A crash leaves a temporary file
    that the next build removes, and the pointer where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(layout.to_text().encode()).hexdigest()[:8]
    path = folder / f"{layout.snapshot_id}-{mark}.sqlite"
    with _one_builder(folder):
        # A file that has its name is whole: it got it by renaming after the sync.
        if not path.exists():
            part = path.with_suffix(".tmp")
            part.unlink(missing_ok=True)
            _fill(con, layout, files, part)
            sql.sync_file(part)
            part.replace(path)
            sql.sync_folder(folder)
        pointed = _read_pointer(folder)
        if pointed is None or int(pointed["sequence"]) <= layout.sequence:
            _point(folder, path, layout)
            _retire(folder, path)
    return path


def _fill(con: duckdb.DuckDBPyConnection, layout: Layout, files: Sequence[Path], path: Path) -> None:
    columns = [f.name for f in layout.schema.fields]
    key = sql.names(layout.key)
    with closing(sqlite3.connect(path, isolation_level=None)) as lite:
        # No journal and no sync: the file is nobody's before it is whole, synced and renamed.
        lite.executescript("PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;")
        lite.execute("CREATE TABLE layout (text TEXT NOT NULL)")
        lite.execute("INSERT INTO layout VALUES (?)", [layout.to_text()])
        lite.execute(f"CREATE TABLE rows ({sql.names(columns)}, PRIMARY KEY ({key})) WITHOUT ROWID")
        marks = ", ".join("?" * len(columns))
        # In the order of the key the tree is filled from left to right and no page is split.
        rows = con.execute(
            f"SELECT {wire_columns(layout.schema.fields)} FROM "
            f"(SELECT * FROM {read_files(layout.schema, files)} ORDER BY {key})"
        )
        while batch := rows.fetchmany(_ROWS_PER_FETCH):
            lite.executemany(f"INSERT INTO rows VALUES ({marks})", batch)
        for i, column in enumerate(c for c in layout.lookup if c != layout.key[0]):
            lite.execute(f"CREATE INDEX by_{i} ON rows ({sql.name(column)})")
        lite.execute("COMMIT")


def _point(folder: Path, path: Path, layout: Layout) -> None:
    pointer = folder / _POINTER
    part = pointer.with_suffix(".tmp")
    text = json.dumps({"file": path.name, "snapshot_id": layout.snapshot_id, "sequence": layout.sequence})
    part.write_text(text, "utf-8")
    sql.sync_file(part)
    # This is the swap: a reader sees the old pointer or the new one.
    part.replace(pointer)
    sql.sync_folder(folder)


def _retire(folder: Path, current: Path) -> None:
    files = sorted(folder.glob("*.sqlite"), key=lambda p: (p == current, p.stat().st_mtime_ns))
    # Whoever has one of these open reads on; the system keeps an open file after its name is gone.
    for path in files[:-_KEEP_FILES]:
        path.unlink(missing_ok=True)
    for path in folder.glob("*.tmp"):
        path.unlink(missing_ok=True)


def _read_pointer(folder: Path) -> dict[str, Any] | None:
    try:
        plain: dict[str, Any] = json.loads((folder / _POINTER).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return plain


@contextmanager
def _one_builder(folder: Path) -> Iterator[None]:
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@dataclass(slots=True)
class _Shard:
    """An open look-up file and its idle connections; a connection serves one thread at a time."""

    path: Path
    layout: Layout
    idle: deque[sqlite3.Connection] = field(default_factory=deque)
    retired: bool = False

    @classmethod
    def open(cls, path: Path) -> _Shard:
        con = _connect(path)
        (text,) = con.execute("SELECT text FROM layout").fetchone()
        return cls(path, Layout.from_text(text), deque([con]))

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        try:
            con = self.idle.pop()
        except IndexError:
            con = _connect(self.path)
        try:
            yield con
        finally:
            self.idle.append(con)
            if self.retired:
                self.retire()

    def retire(self) -> None:
        self.retired = True
        while self.idle:
            try:
                self.idle.pop().close()
            except IndexError:
                return


def _connect(path: Path) -> sqlite3.Connection:
    con = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    con.execute("PRAGMA query_only=1")
    return con


class Lookup:
    """Finds records of one resource by look-up field; follows the pointer by itself. Any number of threads may ask."""

    def __init__(self, code: str, folder: Path) -> None:
        self.code = code
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._shard: _Shard | None = None

    @property
    def snapshot_id(self) -> int:
        """The snapshot that is asked at this moment; `look` tells the one that an answer came from."""
        return self._current().layout.snapshot_id

    def find(self, field: str, value: str, limit: int = 100) -> list[dict[str, Any]]:
        """At most *limit* records whose *field* is *value*, ordered by key, as wire values.

        Raises:
            IndexMissingError: no index was built yet.
            FieldNotIndexedError: records are not looked up by this field.
        """
        return self.look(field, value, limit).rows

    def look(self, field: str, value: str, limit: int = 100) -> Found:
        """As `find`, with the snapshot that answered. Raises: as `find`."""
        for attempt in range(_ATTEMPTS):
            shard = self._current()
            try:
                return _look(shard, field, value, limit)
            except sqlite3.Error:
                # Swapped twice between reading the pointer and opening the file, or closed by a swap: read it again.
                if attempt == _ATTEMPTS - 1:
                    raise
        raise IndexMissingError(resource=self.code)

    def close(self) -> None:
        """Close the files; the next question opens them again."""
        with self._lock:
            if self._shard is not None:
                self._shard.retire()
            self._shard, self._seen = None, None

    def _current(self) -> _Shard:
        for attempt in range(_ATTEMPTS):
            try:
                state = (self._folder / _POINTER).stat()
            except FileNotFoundError as error:
                raise IndexMissingError(resource=self.code) from error
            # The pointer is replaced, never rewritten, so another file or another time means another pointer.
            seen = (state.st_ino, state.st_mtime_ns)
            with self._lock:
                if self._shard is not None and self._seen == seen:
                    return self._shard
                pointed = _read_pointer(self._folder)
                try:
                    shard = _Shard.open(self._folder / str(pointed["file"])) if pointed else None
                except sqlite3.Error:
                    # The builder was two snapshots further before we opened the file.
                    if attempt == _ATTEMPTS - 1:
                        raise
                    continue
                if shard is not None:
                    if self._shard is not None:
                        self._shard.retire()
                    self._shard, self._seen = shard, seen
                    return shard
        raise IndexMissingError(resource=self.code)


def _look(shard: _Shard, field: str, value: str, limit: int) -> Found:
    layout = shard.layout
    known = dict.fromkeys([*layout.key[:1], *layout.lookup])
    if field not in known:
        raise FieldNotIndexedError(resource=layout.code, field=field, known=", ".join(known))
    wish = wanted(layout.schema.find_field(field).field_type, value)
    if wish is None:
        return Found(layout.snapshot_id, [])
    columns = layout.schema.fields
    with shard.connection() as con:
        rows = con.execute(
            f"SELECT * FROM rows WHERE {sql.name(field)} = ? ORDER BY {sql.names(layout.key)} LIMIT ?", [wish, limit]
        ).fetchall()
    answers = [f.name for f in columns if isinstance(f.field_type, BooleanType)]
    found = [dict(zip((f.name for f in columns), row, strict=True)) for row in rows]
    for record in found:
        for answer in answers:
            if record[answer] is not None:
                record[answer] = bool(record[answer])
    return Found(layout.snapshot_id, found)
