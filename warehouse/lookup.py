"""Find records by key in microseconds: one immutable file for each snapshot, and a pointer that moves at once.

What a snapshot holds is `warehouse.table`, how a file is searched `warehouse.shard`; who may ask is `catalog.decide`.
Files are shards that can be copied: they describe themselves and are never written again after they have their name.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType, DecimalType, LongType

from warehouse import shard, sql
from warehouse.errors import FieldNotIndexedError, IndexDamagedError, IndexMissingError
from warehouse.reading import read_files, stretches
from warehouse.shard import ROWS, Shard, Value
from warehouse.wire import wanted, wire_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb
    from pyiceberg.types import NestedField

    from warehouse.table import FileOfRows

_POINTER = "current.json"
_SUFFIX = ".shard"
_KEEP_FILES = 2  # The current one, and the one that readers may be about to open.
_ATTEMPTS = 8
_ROWS_TOGETHER = 250_000  # Sorted at one time, with their records: a file's, or those of small ones.


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

    @property
    def known(self) -> tuple[str, ...]:
        """The fields by which records are found, the first of the key before all."""
        return tuple(dict.fromkeys([*self.key[:1], *self.lookup]))

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


def build(con: duckdb.DuckDBPyConnection, layout: Layout, files: Sequence[FileOfRows], folder: Path) -> Path:
    """Build the look-up file of a snapshot and point readers to it, unless they already read a later snapshot.

    It holds the rows in force: not the closed versions of an scd2 table, and not what is deleted softly.

    One builder per resource at a time; others wait. Readers are never disturbed. A crash leaves a temporary file
    that the next build removes, and the pointer where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(layout.to_text().encode()).hexdigest()[:8]
    path = folder / f"{layout.snapshot_id}-{mark}{_SUFFIX}"
    with _one_builder(folder):
        # A file that has its name is whole: it got it by renaming after the sync.
        if not path.exists():
            part = path.with_suffix(".tmp")
            part.unlink(missing_ok=True)
            shard.write(part, layout.to_text(), _sources(con, layout, files))
            sql.sync_file(part)
            part.replace(path)
            sql.sync_folder(folder)
        pointed = _read_pointer(folder)
        if pointed is None or int(pointed["sequence"]) <= layout.sequence:
            _point(folder, path, layout)
            _retire(folder, path)
    return path


def _sources(con: duckdb.DuckDBPyConnection, layout: Layout, files: Sequence[FileOfRows]) -> Iterator[shard.Source]:
    """The sections of a file, each read when the one before it is written: only one is in memory at a time.

    Files mostly follow each other by key, as a table's sort order has them. Then only neighbours are ever sorted
    together, and what is to be held in memory does not grow with the table.
    """
    groups = stretches(layout.schema, files, layout.key[0], _ROWS_TOGETHER)
    yield shard.Source(ROWS, _blocks(_records(con, layout, group) for group in groups))
    if layout.known[1:]:
        _place(con, layout, groups)
    for i, name in enumerate(layout.known[1:]):
        query = f"SELECT sought_{i}, ordinal FROM places WHERE sought_{i} IS NOT NULL ORDER BY ALL"
        yield shard.Source(name, con.execute(query).to_arrow_reader(shard.ROWS_PER_BLOCK))


def _blocks(readers: Iterator[pa.RecordBatchReader]) -> pa.RecordBatchReader:
    first = next(readers)
    return pa.RecordBatchReader.from_batches(first.schema, chain(first, chain.from_iterable(readers)))


def _records(con: duckdb.DuckDBPyConnection, layout: Layout, files: Sequence[FileOfRows]) -> pa.RecordBatchReader:
    """The rows of *files* by key: the first field of the key, and the record."""
    texts = ", ".join(f"CAST({_wire(f)} AS VARCHAR)" for f in layout.schema.fields)
    places = ", ".join(f"{sql.name(k)} AS key_{i}" for i, k in enumerate(layout.key))
    order = ", ".join(f"key_{i}" for i in range(len(layout.key)))
    return con.execute(
        f"SELECT sought, record FROM (SELECT {_sought(layout, layout.key[0])} AS sought, "
        f"CAST(to_json([{texts}]) AS VARCHAR) AS record, {places} "
        f"FROM {read_files(layout.schema, files, live=True)}) ORDER BY {order}"
    ).to_arrow_reader(shard.ROWS_PER_BLOCK)


def _place(con: duckdb.DuckDBPyConnection, layout: Layout, groups: Sequence[Sequence[FileOfRows]]) -> None:
    """Fill ``places``: the ordinal of each record, and what it is found by besides the key."""
    sought = ", ".join(f"{_sought(layout, name)} AS sought_{i}" for i, name in enumerate(layout.known[1:]))
    number = f"row_number() OVER (ORDER BY {sql.names(layout.key)}) - 1"
    rows = 0
    for files in groups:
        query = f"SELECT {sought}, {rows} + {number} AS ordinal FROM {read_files(layout.schema, files, live=True)}"
        made = f"INSERT INTO places {query}" if rows else f"CREATE OR REPLACE TEMP TABLE places AS {query}"
        rows += int((con.execute(made).fetchone() or (0,))[0])


def _wire(field: NestedField) -> str:
    return wire_column(field).removesuffix(f" AS {sql.name(field.name)}")


def _sought(layout: Layout, name: str) -> str:
    """The wire value in a form that sorts as it is compared; decimals in wire form are texts, which would not."""
    field = layout.schema.find_field(name)
    return sql.name(field.name) if isinstance(field.field_type, DecimalType) else _wire(field)


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
    # Files of the format before this one are nobody's any more.
    for path in folder.glob("*.sqlite"):
        path.unlink(missing_ok=True)
    files = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda p: (p == current, p.stat().st_mtime_ns))
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


class _Open:
    """An open look-up file. What a search needs of the layout is taken out of it once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        file = Shard.open(path)
        self.layout = Layout.from_text(file.head)
        fields = self.layout.schema.fields
        self._rows, self._sections = file.sections[ROWS], file.sections
        self._names = [f.name for f in fields]
        self._types = {f.name: f.field_type for f in fields if f.name in self.layout.known}
        self._whole = [f.name for f in fields if isinstance(f.field_type, LongType)]
        self._answers = [f.name for f in fields if isinstance(f.field_type, BooleanType)]

    def look(self, field: str, value: str, limit: int) -> Found:
        type_ = self._types.get(field)
        if type_ is None:
            known = ", ".join(self.layout.known)
            raise FieldNotIndexedError(resource=self.layout.code, field=field, known=known)
        wish = wanted(type_, value)
        if wish is None:
            return Found(self.layout.snapshot_id, [])
        try:
            found = [self._record(text) for text in islice(self._texts(field, wish), limit)]
        except (pa.ArrowException, ValueError, IndexError) as error:
            raise IndexDamagedError(path=self.path) from error
        if any(record[field] != wish for record in found):
            # Whatever became of the file, nobody is given the record of another.
            raise IndexDamagedError(path=self.path)
        return Found(self.layout.snapshot_id, found)

    def _texts(self, field: str, wish: Value) -> Iterator[str]:
        if field == self.layout.key[0]:
            return (text for _, text in self._rows.find(wish))
        return (self._rows.second(ordinal) for _, ordinal in self._sections[field].find(wish))

    def _record(self, text: str) -> dict[str, Any]:
        record: dict[str, Any] = dict(zip(self._names, json.loads(text), strict=True))
        for name in self._whole:
            if record[name] is not None:
                record[name] = int(record[name])
        for name in self._answers:
            if record[name] is not None:
                record[name] = record[name] == "true"
        return record


class Lookup:
    """Finds records of one resource by look-up field; follows the pointer by itself. Any number of threads may ask."""

    def __init__(self, code: str, folder: Path) -> None:
        self.code = code
        self._folder = folder
        self._pointer = str(folder / _POINTER)
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._open: _Open | None = None

    @property
    def snapshot_id(self) -> int:
        """The snapshot that is asked at this moment; `look` tells the one that an answer came from."""
        return self._current().layout.snapshot_id

    def find(self, field: str, value: str, limit: int = 100) -> list[dict[str, Any]]:
        """At most *limit* records whose *field* is *value*, ordered by key, as wire values.

        Raises:
            IndexMissingError: no index was built yet.
            IndexDamagedError: the file is not what was written.
            FieldNotIndexedError: records are not looked up by this field.
        """
        return self.look(field, value, limit).rows

    def look(self, field: str, value: str, limit: int = 100) -> Found:
        """As `find`, with the snapshot that answered. Raises: as `find`."""
        return self._current().look(field, value, limit)

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        with self._lock:
            self._open, self._seen = None, None

    def _current(self) -> _Open:
        for _ in range(_ATTEMPTS):
            try:
                state = os.stat(self._pointer)  # noqa: PTH116 - asked for every question, and a third of the time
            except FileNotFoundError as error:
                raise IndexMissingError(resource=self.code) from error
            # The pointer is replaced, never rewritten, so another file or another time means another pointer.
            seen = (state.st_ino, state.st_mtime_ns)
            with self._lock:
                if self._open is not None and self._seen == seen:
                    return self._open
                pointed = _read_pointer(self._folder)
                if pointed is None:
                    continue
                try:
                    opened = _Open(self._folder / str(pointed["file"]))
                except FileNotFoundError:
                    # The builder was two snapshots further before we opened the file.
                    continue
                # Whoever still searches the file before this one holds it, and it is unmapped after that.
                self._open, self._seen = opened, seen
                return opened
        raise IndexMissingError(resource=self.code)
