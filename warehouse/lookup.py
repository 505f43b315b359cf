"""Find records by key in microseconds: one immutable file for each snapshot, and a pointer that moves at once.

What a snapshot holds is `warehouse.table`, how a file is searched `warehouse.shard`, how it is made
`warehouse.sharding`; who may ask is `catalog.decide`. Files are shards that can be copied: they describe themselves and
are never written again after they have their name.

A record in a file is the texts of its fields with a separator between them, nothing for NULL: it is read back in half
the time of JSON. A record that has an empty text or a separator in it is JSON, with as many separators behind it as
there are fields, which makes one text more than others have.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType, LongType, StringType

from warehouse import sharding, sql, swaps
from warehouse.errors import FieldNotIndexedError, IndexDamagedError, IndexMissingError
from warehouse.reading import read_files, stretches
from warehouse.shard import END, MAGIC, Shard, hash_of
from warehouse.wire import wanted, wire_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from pyiceberg.types import NestedField

    from warehouse.table import FileOfRows

_POINTER = "current.json"
_SUFFIX = ".shard"
_FORMAT = MAGIC.decode()
_BETWEEN = "\x1f"  # Between the fields of a record.
_BETWEEN_SQL, _END_SQL = sql.text(_BETWEEN), sql.text(END.decode())
_KEEP_FILES = 2  # The current one, and the one that readers may be about to open.
_ATTEMPTS = 8
# Values that leave the warehouse as other than texts.
_READ: dict[type, Callable[[str], int | bool]] = {LongType: int, BooleanType: "true".__eq__}
# What reading finds instead of what was written. The checksums are beside the first of them.
_DAMAGES = (ValueError, IndexError, KeyError, TypeError, struct.error, OSError)
_ROWS_TOGETHER = 250_000  # Sorted at one time, with their records: a file's, or those of small ones.


class Found(NamedTuple):
    """Records and the snapshot that they come from; the two belong together even while the index is being swapped."""

    snapshot_id: int
    rows: list[dict[str, Any]]


class FoundMany(NamedTuple):
    """For each value that was asked for, in that order, its records; all of one snapshot."""

    snapshot_id: int
    rows: list[list[dict[str, Any]]]


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
    mark = hashlib.sha256((_FORMAT + layout.to_text()).encode()).hexdigest()[:8]
    path = folder / f"{layout.snapshot_id}-{mark}{_SUFFIX}"
    with _one_builder(folder):
        # A file that has its name is whole: it got it by renaming after the sync.
        if not path.exists():
            part = path.with_suffix(".tmp")
            part.unlink(missing_ok=True)
            sharding.write(part, layout.to_text(), _source(con, layout, files))
            sql.sync_file(part)
            part.replace(path)
            sql.sync_folder(folder)
        try:
            pointed = _read_pointer(folder)
        except IndexDamagedError:
            pointed = None  # Nobody reads by it.
        if pointed is None or pointed["sequence"] <= layout.sequence:
            _point(folder, path, layout)
            swaps.mark(folder.parent)
            _retire(folder, path)
    return path


def _source(con: duckdb.DuckDBPyConnection, layout: Layout, files: Sequence[FileOfRows]) -> sharding.Source:
    """The records by key, read as they are written.

    Files mostly follow each other by key, as a table's sort order has them. Then only neighbours are ever sorted
    together, and what is to be held in memory does not grow with the table.
    """
    groups = stretches(layout.schema, files, layout.key[0], _ROWS_TOGETHER)
    batches = (batch for group in groups for batch in _records(con, layout, group))
    return sharding.Source(layout.known, batches, sum(f.rows for f in files))


def _records(con: duckdb.DuckDBPyConnection, layout: Layout, files: Sequence[FileOfRows]) -> pa.RecordBatchReader:
    """The rows of *files* by key: the record, and a column for each field by which it is found."""
    # Read under names of our own beside the fields', which may be called like anything.
    places = ", ".join(f"{sql.name(k)} AS key_{i}" for i, k in enumerate(layout.key))
    hashes = ", ".join(f"sought_{i}" for i in range(len(layout.known)))
    sought = "".join(f", {_sought(layout.schema.find_field(n))} AS sought_{i}" for i, n in enumerate(layout.known))
    order = ", ".join(f"key_{i}" for i in range(len(layout.key)))
    return con.execute(
        f"SELECT record, {hashes} FROM (SELECT {_record(layout.schema)} AS record{sought}, {places} "
        f"FROM {read_files(layout.schema, files, live=True)}) ORDER BY {order}"
    ).to_arrow_reader(sharding.ROWS_PER_BATCH)


def _record(schema: Schema) -> str:
    """The record as text; how, is said at the head of this module."""
    texts = [f"CAST({_wire(f)} AS VARCHAR)" for f in schema.fields]
    odd = " OR ".join(
        f"contains({c}, {_BETWEEN_SQL}) OR contains({c}, {_END_SQL}) OR {c} = ''"
        for c in (sql.name(f.name) for f in schema.fields if isinstance(f.field_type, StringType))
    )
    filled = ", ".join(f"coalesce({t}, '')" for t in texts)
    plain = f"concat_ws({_BETWEEN_SQL}, {filled})"
    json_ = f"CAST(to_json([{', '.join(texts)}]) AS VARCHAR) || repeat({_BETWEEN_SQL}, {len(texts)})"
    return f"CASE WHEN {odd or 'false'} THEN {json_} ELSE {plain} END || {_END_SQL}"


def _wire(field: NestedField) -> str:
    return wire_column(field).removesuffix(f" AS {sql.name(field.name)}")


def _sought(field: NestedField) -> str:
    whole = isinstance(field.field_type, LongType)
    return sql.name(field.name) if whole else f"CAST({_wire(field)} AS VARCHAR)"


def _point(folder: Path, path: Path, layout: Layout) -> None:
    pointer = folder / _POINTER
    part = pointer.with_suffix(".tmp")
    said = {"file": path.name, "snapshot_id": layout.snapshot_id, "sequence": layout.sequence, "format": _FORMAT}
    text = json.dumps(said)
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
    """What the pointer says, None where none points to a file of this format. Raises: IndexDamagedError."""
    pointer = folder / _POINTER
    try:
        plain = json.loads(pointer.read_bytes())
        said = {
            "file": str(plain["file"]),
            "snapshot_id": int(plain["snapshot_id"]),
            "sequence": int(plain["sequence"]),
        }
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise IndexDamagedError(path=pointer) from error
    return said if plain.get("format") == _FORMAT else None


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
        known = {f.name: f.field_type for f in fields if f.name in self.layout.known}
        try:
            self._sought = {name: (type_, file.sections[name]) for name, type_ in known.items()}
        except KeyError as error:
            raise IndexDamagedError(path=path) from error
        self._records = file.records
        self._names = [f.name for f in fields]
        self._read = [(i, _READ[type(f.field_type)]) for i, f in enumerate(fields) if type(f.field_type) in _READ]
        self._snapshot_id = self.layout.snapshot_id

    def look(self, field: str, value: str, limit: int) -> Found:
        type_, section = self._sought.get(field) or self._unknown(field)
        wish = wanted(type_, value)
        found: list[dict[str, Any]] = []
        if wish is None or limit < 1:
            return Found(self._snapshot_id, found)
        hashed, most = hash_of(wish), limit
        try:
            numbers = section.find(hashed, most)
            while numbers:
                for text in self._records.texts(numbers):
                    record = self._record(text)
                    # Another value may have the same hash.
                    if record[field] == wish:
                        found.append(record)
                if len(numbers) < most or len(found) == limit:
                    break
                # What took the room of a value that is sought was another one: the search goes on behind it.
                most = limit - len(found)
                numbers = section.find(hashed, most, numbers[-1] + 1)
        except _DAMAGES as error:
            raise IndexDamagedError(path=self.path) from error
        return Found(self._snapshot_id, found)

    def look_many(self, field: str, values: Sequence[str], limit: int) -> FoundMany:
        type_, section = self._sought.get(field) or self._unknown(field)
        wishes = [wanted(type_, value) for value in values]
        found: list[list[dict[str, Any]]] = [[] for _ in wishes]
        asked = [(i, wish) for i, wish in enumerate(wishes) if wish is not None] if limit > 0 else []
        try:
            places, more = section.find_many([hash_of(wish) for _, wish in asked], limit)
            texts = self._records.texts([number for number, _ in places])
            for (_, which), text in zip(places, texts, strict=True):
                i, wish = asked[which]
                record = self._record(text)
                if record[field] == wish:
                    found[i].append(record)
        except _DAMAGES as error:
            raise IndexDamagedError(path=self.path) from error
        # Some of these may be of another value, and only `look` goes on behind them.
        for i in (asked[which][0] for which in more):
            found[i] = self.look(field, values[i], limit).rows
        return FoundMany(self._snapshot_id, found)

    def _unknown(self, field: str) -> NoReturn:
        known = ", ".join(self.layout.known)
        raise FieldNotIndexedError(resource=self.layout.code, field=field, known=known)

    def _record(self, text: str) -> dict[str, Any]:
        texts: list[Any] = text.split(_BETWEEN)
        if len(texts) == len(self._names):
            if "" in texts:
                texts = [t or None for t in texts]
        elif len(texts) == len(self._names) + 1:
            texts = json.loads(texts[0])
        for place, read in self._read:
            if texts[place] is not None:
                texts[place] = read(texts[place])
        return dict(zip(self._names, texts, strict=True))


class Lookup:
    """Finds records of one resource by look-up field; follows the pointer by itself. Any number of threads may ask."""

    def __init__(self, code: str, folder: Path) -> None:
        self.code = code
        self._folder = folder
        self._pointer = folder / _POINTER
        self._lock = threading.Lock()
        # What is known of the pointer, in one reference, so that it needs no lock to read: the open file, the mark of
        # swaps under which it was found to be the current one, until when that is trusted, and the pointer's state.
        self._held: tuple[_Open, int, float, tuple[int, int]] | None = None
        self._swaps: memoryview | None = None

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

    def look_many(self, field: str, values: Sequence[str], limit: int = 100) -> FoundMany:
        """As `look` for each of *values*, at most *limit* records for each, in less time and of one snapshot.

        Memory is what all of their records take. Raises: as `find`.
        """
        return self._current().look_many(field, values, limit)

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        with self._lock:
            self._held, self._swaps = None, None

    def _current(self) -> _Open:
        held, watched = self._held, self._swaps
        if held is not None and watched is not None and held[1] == watched[0] and monotonic() < held[2]:
            return held[0]
        for _ in range(_ATTEMPTS):
            opened = self._follow()
            if opened is not None:
                return opened
        raise IndexMissingError(resource=self.code)

    def _follow(self) -> _Open | None:
        """The file that is pointed to, opened if it is not; None where a builder went on meanwhile.

        Raises:
            IndexMissingError, IndexDamagedError
        """
        with self._lock:
            if self._swaps is None:
                with suppress(OSError, ValueError):
                    self._swaps = swaps.watch(self._folder.parent)
            # Read before the pointer: a swap in between then makes the next question come here again.
            mark = self._swaps[0] if self._swaps is not None else 0
            try:
                now = self._pointer.stat()
            except FileNotFoundError as error:
                raise IndexMissingError(resource=self.code) from error
            # The pointer is replaced, never rewritten, so another file or another time means another pointer.
            state = (now.st_ino, now.st_mtime_ns)
            held = self._held
            opened = held[0] if held is not None and held[3] == state else self._open()
            if opened is not None:
                # Whoever still searches the file before this one holds it, and it is unmapped after that.
                self._held = (opened, mark, monotonic() + swaps.TRUSTED_S, state)
            return opened

    def _open(self) -> _Open | None:
        pointed = _read_pointer(self._folder)
        if pointed is None:
            # Gone, or to a file of another format, which is as good as none.
            return None
        try:
            opened = _Open(self._folder / pointed["file"])
        except FileNotFoundError:
            # The builder was two snapshots further before we opened the file.
            return None
        if opened.layout.snapshot_id != pointed["snapshot_id"]:
            raise IndexDamagedError(path=self._pointer)
        return opened
