"""Turn the changes of one table, or its rows, into Arrow tables of the requested columns as text.

Used by ``postgresql-cdc`` alone, which leaves to this module what each change lands as. Values land as the
``postgresql`` kind lands them: as a cast to text spells them, which is not always how the log does (``as_cast``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.errors import SourceShapeError
from connectors.pgoutput import (
    UNCHANGED,
    Begin,
    Commit,
    Delete,
    Insert,
    Relation,
    Truncate,
    Update,
    decode,
)
from connectors.protocol import Column
from connectors.slots import lsn_text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from connectors.files import Reading
    from connectors.pgoutput import Message, Value
    from connectors.postgresql_source import Snapshot, Table
    from connectors.slots import Position

ROWS_PER_BATCH = 20_000
# Rows of documents are held back no longer than this many characters, however few they are.
BATCH_CHARS = 64 * 1024 * 1024
FETCHED = 500
# A slot whose first changes are all in the warehouse already (a crash before `acknowledge`) is looked into further.
FURTHER = 8
INSERTED, UPDATED, DELETED, READ = "I", "U", "D", "R"
_BOOL, _BPCHAR, _INET = 16, 1042, 869


class TruncatedError(Exception):
    """The table was truncated among the changes; to be caught by whoever reads them."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The columns that we add to those of the table: the *operation* ("" for none) and the *order* of changes."""

    operation: str
    order: str

    def headings(self, names: Sequence[str]) -> list[str]:
        """The columns of the table, and behind them ours."""
        return [*names, self.order, *([self.operation] if self.operation else [])]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the requested columns and the key stand among the columns of a table, and what type those have."""

    indexes: tuple[int | None, ...]
    key: tuple[int, ...]
    types: tuple[int, ...]

    def key_of(self, row: Sequence[Value]) -> tuple[Value, ...]:
        """The key's values."""
        return tuple(row[index] for index in self.key)


def layout(reading: Reading, where: str, marks: Marks, names: Sequence[str], types: Sequence[int] = ()) -> Layout:
    """Match the requested columns with those of a table, *names*.

    Raises:
        SourceShapeError: a required column is missing.
    """
    matching = reading.match(marks.headings(names), where)
    wanted = zip(reading.request.columns, matching.indexes, strict=True)
    found = {column.name: index for column, index in wanted if index is not None and index < len(names)}
    key = tuple(found[name] for name in reading.request.key if name in found)
    return Layout(matching.indexes, key, tuple(types))


def as_cast(type_oid: int, value: Value) -> Value:
    """A value as its cast to text spells it, from the way its type's output does (PostgreSQL, pg_cast to text)."""
    if not isinstance(value, str):
        return value
    if type_oid == _BOOL:
        return {"t": "true", "f": "false"}.get(value, value)
    if type_oid == _BPCHAR:
        return value.rstrip(" ")
    if type_oid == _INET and "/" not in value:
        return f"{value}/{128 if ':' in value else 32}"
    return value


class TableRows:
    """The rows of a table as it stands in *snapshot*."""

    def __init__(self, snapshot: Snapshot, table: Table, reading: Reading, marks: Marks) -> None:
        self.snapshot = snapshot
        self.table = table
        self.reading = reading
        self.marks = marks
        self._names = [column.name for column in table.columns]
        self._layout = layout(reading, snapshot.where, marks, self._names)
        found = {name: position for position, name in enumerate(self._names)}
        self._key = self._layout.key or tuple(found[column.name] for column in table.key)
        # Children that inherit from a plain table are tables of their own in the log.
        self._from = f"{'ONLY ' if table.kind == 'r' else ''}{table.quoted} AS source"

    @property
    def key(self) -> tuple[Column, ...]:
        """The columns of the key, as they were asked for, masks and all."""
        asked = dict(zip(self._layout.indexes, self.reading.request.columns, strict=True))
        return tuple(asked.get(index) or Column(self._names[index]) for index in self._key)

    def read(self, condition: str, order: str) -> Iterator[pa.Table]:
        """All rows for which *condition* holds, marked as read, at *order*."""
        marks = (_literal(order), _literal(READ))
        selected = [self._expression(index, marks) for index in self._layout.indexes]
        yield from self._copied(selected, condition, self.reading.request.columns)

    def keys(self) -> Iterator[pa.Table]:
        """The key of every row."""
        yield from self._copied([self._text(index) for index in self._key], "", self.key)

    def again(self, keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str | None, ...]]:
        """The rows of these keys as they stand now, by key; ours among the columns are None."""
        shown = [*(self._text(index) for index in self._key)]
        shown += [self._expression(index, ("NULL", "NULL")) for index in self._layout.indexes]
        types = [self.table.columns[index].declared for index in self._key]
        asked = ", ".join(f"c{number}" for number in range(len(types)))
        same = " AND ".join(f"source.{self._name(index)} = asked.c{n}" for n, index in enumerate(self._key))
        query = f"SELECT {', '.join(shown)} FROM {self._from} JOIN unnest(\0) AS asked({asked}) ON {same}"
        # A per cent sign may stand in a column's name.
        query = query.replace("%", "%%").replace("\0", ", ".join(f"%s::text[]::{kind}[]" for kind in types))
        cursor = self.snapshot.connection.execute(query.encode(), [list(column) for column in zip(*keys, strict=True)])
        width = len(self._key)
        return {tuple(row[:width]): tuple(row[width:]) for row in cursor}

    def _copied(self, selected: Sequence[str], condition: str, wanted: Sequence[Column]) -> Iterator[pa.Table]:
        where = f" WHERE {condition}" if condition else ""
        query = f"COPY (SELECT {', '.join(selected)} FROM {self._from}{where}) TO STDOUT"
        with self.snapshot.connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
            rows = iter(copy.rows())
            while batch := list(islice(rows, ROWS_PER_BATCH)):
                columns = zip(*batch, strict=True)
                yield pa.table([pa.array(column, pa.string()) for column in columns], names=[c.name for c in wanted])

    def _expression(self, index: int | None, marks: tuple[str, str]) -> str:
        if index is None:
            return "NULL"
        return self._text(index) if index < len(self._names) else marks[index - len(self._names)]

    def _name(self, index: int) -> str:
        return '"' + self._names[index].replace('"', '""') + '"'

    def _text(self, index: int) -> str:
        return f"(source.{self._name(index)})::text"


@dataclass(slots=True)
class _Held:
    """Rows waiting to become a table. *partial* are those of them whose row must be read again, with their keys."""

    rows: list[list[str | None]] = field(default_factory=list)
    partial: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    chars: int = 0

    @property
    def full(self) -> bool:
        return len(self.rows) >= ROWS_PER_BATCH or self.chars >= BATCH_CHARS


class ChangeStream:
    """The changes of one table after *position*, up to *end*; `reached` is then the new position."""

    def __init__(self, rows: TableRows, position: Position, end: Position) -> None:
        self._rows = rows
        self._table = rows.table
        self._reading = rows.reading
        self._marks = rows.marks
        self._where = rows.snapshot.where
        self._position = position
        # What is not covered by the end is not covered by the position before it either: its horizon holds.
        self._end = end if end.xid else replace(end, xid=position.xid)
        self._columns = [column.name for column in rows.reading.request.columns]
        self._relations: dict[int, Relation] = {}
        self._layouts: dict[int, Layout] = {}
        self._held = _Held()
        self._begin: Begin | None = None
        self._ordinal = 0
        self._passing = False
        self._new = False
        self._last_end = position.lsn
        self.reached = position

    def tables(self, slot: str, publication: str, most: int) -> Iterator[pa.Table]:
        """Look at about *most* messages of the slot, to the end of a transaction, and give what they land as.

        Raises:
            TruncatedError: the table was truncated.
            SourceShapeError: a message is none; a required column is missing from here on; deletes lack the key.
        """
        while True:
            seen = yield from self._peeked(slot, publication, most)
            if seen < most:
                # The slot had no more to give: all that was committed before the end is among it.
                self.reached = self._end
                break
            if self._new:
                self.reached = replace(self._position, lsn=self._last_end)
                break
            most *= FURTHER
        if self._held.rows:
            yield self._table_of_held()

    def _peeked(self, slot: str, publication: str, most: int) -> Generator[pa.Table, None, int]:
        seen = 0
        self._relations.clear()
        self._layouts.clear()
        with self._rows.snapshot.connection.cursor(name="zhengtong_changes") as cursor:
            cursor.itersize = FETCHED
            cursor.execute(
                b"SELECT data FROM pg_logical_slot_peek_binary_changes(%s, %s::pg_lsn, %s, "
                b"'proto_version', '1', 'publication_names', %s)",
                [slot, lsn_text(self._end.lsn), most, _identifier_list(publication)],
                binary=True,
            )
            for (data,) in cursor:
                seen += 1
                self._take(decode(bytes(data), self._where))
                if self._held.full:
                    yield self._table_of_held()
        if self._begin is not None:
            raise SourceShapeError(problem="cdc_message", where=self._where)
        return seen

    def _take(self, message: Message) -> None:
        match message:
            case Begin():
                self._begin = message
                self._ordinal = 0
                # It is in the warehouse already: a crash came between its commit there and its acknowledgement.
                self._passing = message.lsn < self._position.lsn
            case Commit():
                self._begin = None
                if not self._passing:
                    self._new = True
                    self._last_end = max(self._last_end, message.end)
            case Relation():
                # Sent before the first change, and again when the table has changed.
                self._relations[message.oid] = message
                self._layouts.pop(message.oid, None)
            case _ if self._passing:
                pass
            case Insert() if found := self._layout(message.relation):
                self._emit(INSERTED, message.new, found)
            case Update() if found := self._layout(message.relation):
                self._update(message, found)
            case Delete() if found := self._layout(message.relation):
                self._emit(DELETED, message.old, found)
            case Truncate() if any(self._ours(oid) for oid in message.relations):
                raise TruncatedError
            case _:
                pass

    def _ours(self, oid: int) -> bool:
        relation = self._relations.get(oid)
        if relation is None:
            raise SourceShapeError(problem="cdc_message", where=self._where)
        return (relation.schema, relation.name) == (self._table.schema, self._table.name)

    def _layout(self, oid: int) -> Layout | None:
        if not self._ours(oid):
            return None
        if oid not in self._layouts:
            relation = self._relations[oid]
            names = [column.name for column in relation.columns]
            found = layout(
                self._reading, self._where, self._marks, names, [column.type_oid for column in relation.columns]
            )
            identity = [index for index, column in enumerate(relation.columns) if column.key]
            if not self._reading.request.key and relation.identity != "f":
                found = replace(found, key=tuple(identity))
            if not found.key or not set(found.key) <= set(identity):
                told = ", ".join(names[index] for index in identity) or "—"
                key = ", ".join(self._reading.request.key) or "—"
                raise SourceShapeError(problem="cdc_key", where=self._where, identity=told, key=key)
            self._layouts[oid] = found
        return self._layouts[oid]

    def _update(self, message: Update, found: Layout) -> None:
        new = message.new
        if message.old is not None:
            if len(message.old) != len(new):
                raise SourceShapeError(problem="cdc_message", where=self._where)
            # The old row is whole, or it is the key: what did not change is there.
            kept = range(len(new)) if message.whole else found.key
            pairs = zip(new, message.old, strict=True)
            new = tuple(o if n is UNCHANGED and i in kept else n for i, (n, o) in enumerate(pairs))
            if found.key_of(message.old) != found.key_of(new):
                self._emit(DELETED, message.old, found)
        self._emit(UPDATED, new, found)

    def _emit(self, operation: str, row: Sequence[Value], found: Layout) -> None:
        if len(row) != len(found.types) or self._begin is None:
            raise SourceShapeError(problem="cdc_message", where=self._where)
        self._ordinal += 1
        order = f"{lsn_text(self._begin.lsn)}.{self._ordinal:010d}"
        values = [as_cast(kind, value) for kind, value in zip(found.types, row, strict=True)]
        values += [order, operation]
        wanted = [None if index is None else values[index] for index in found.indexes]
        if UNCHANGED in wanted:
            key = tuple(value for value in found.key_of(values) if isinstance(value, str))
            if len(key) != len(found.key):
                raise SourceShapeError(problem="cdc_message", where=self._where)
            self._held.partial.append((len(self._held.rows), key))
            # Until it is read again: what is ours in it.
            wanted = [None if index is None or index < len(row) else values[index] for index in found.indexes]
        texts = [value if isinstance(value, str) else None for value in wanted]
        self._held.chars += sum(len(text) for text in texts if text is not None)
        self._held.rows.append(texts)

    def _table_of_held(self) -> pa.Table:
        held, self._held = self._held, _Held()
        if held.partial:
            again = self._rows.again(list({key for _, key in held.partial}))
            gone = set()
            for position, key in held.partial:
                now = again.get(key)
                if now is None:
                    # Deleted since, or under another key: both come later in the log.
                    gone.add(position)
                else:
                    ours = held.rows[position]
                    held.rows[position] = [a if a is not None else b for a, b in zip(now, ours, strict=True)]
            held.rows = [row for position, row in enumerate(held.rows) if position not in gone]
        columns = zip(*held.rows, strict=True) if held.rows else [()] * len(self._columns)
        return pa.table([pa.array(column, pa.string()) for column in columns], names=self._columns)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier_list(name: str) -> str:
    """A name in the list of identifiers that the plugin takes."""
    return '"' + name.replace('"', '""') + '"'
