"""Decode the messages of PostgreSQL's ``pgoutput`` plugin, protocol version 1 (PostgreSQL documentation, 55.9).

Bytes in, values out; knows nothing of connections. What the changes mean is `connectors.cdc`.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

from connectors.errors import SourceEncodingError, SourceShapeError


class Unchanged(enum.Enum):
    """The place of a value that lies out of line (TOAST) and was not changed: the log does not hold it."""

    TOAST = "u"


UNCHANGED: Final = Unchanged.TOAST
Value: TypeAlias = "str | Unchanged | None"
Row: TypeAlias = "tuple[Value, ...]"


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction: *lsn* is where its commit record begins."""

    lsn: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Its end: the commit record stands from *lsn* to *end*."""

    lsn: int
    end: int


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column; *key* where it belongs to the replica identity."""

    name: str
    key: bool
    type_oid: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it is from here on. *identity* is ``pg_class.relreplident``: d, n, f, or i."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row."""

    relation: int
    new: Row


@dataclass(frozen=True, slots=True)
class Update:
    """A changed row. *old* is its key of before where the key changed, the whole row where *whole*, else None."""

    relation: int
    old: Row | None
    whole: bool
    new: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """A row that went: its key (the other columns are None), or the whole row where *whole*."""

    relation: int
    old: Row
    whole: bool


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables emptied at once."""

    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """A message that changes no row: a type (Y), an origin (O), or a message of an application's own (M)."""

    tag: str


Message: TypeAlias = "Begin | Commit | Relation | Insert | Update | Delete | Truncate | Other"


def decode(data: bytes, where: str) -> Message:
    """The message in *data*, whole and with nothing after it; *where* names the source in errors.

    Raises:
        SourceShapeError: it is no message of protocol version 1.
        SourceEncodingError: a text in it is not UTF-8 (the database has no encoding: SQL_ASCII).
    """
    reader = _Reader(data)
    try:
        message = _message(reader)
        reader.end()
    except (_BadMessageError, struct.error):
        # What was wrong is of no use to the reader of the message, and bytes of rows must not be shown.
        raise SourceShapeError(problem="cdc_message", where=where) from None
    except UnicodeDecodeError:
        raise SourceEncodingError(problem="not_text", where=where) from None
    return message


class _BadMessageError(Exception):
    """The bytes end too soon or are not what stands here."""


class _Reader:
    """Reads big-endian numbers and texts off the front of *data*."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        value: int
        (value,) = struct.unpack_from(f">{form}", self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def take(self, length: int) -> bytes:
        if length < 0 or self._at + length > len(self._data):
            raise _BadMessageError
        self._at += length
        return self._data[self._at - length : self._at]

    def tag(self) -> str:
        # Bytes beyond ASCII are no tag of any message, and fall through as such.
        return chr(self.number("B"))

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise _BadMessageError
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def end(self) -> None:
        if self._at < len(self._data):
            raise _BadMessageError


def _message(reader: _Reader) -> Message:  # noqa: PLR0911 - one way out for each message
    tag = reader.tag()
    match tag:
        case "B":
            lsn, _, xid = reader.number("Q"), reader.number("q"), reader.number("I")
            return Begin(lsn, xid)
        case "C":
            _, lsn, end, _ = reader.number("B"), reader.number("Q"), reader.number("Q"), reader.number("q")
            return Commit(lsn, end)
        case "R":
            return _relation(reader)
        case "I":
            relation = reader.number("I")
            _expect(reader, "N")
            return Insert(relation, _row(reader))
        case "U":
            return _update(reader)
        case "D":
            relation, kind = reader.number("I"), _expect(reader, "KO")
            return Delete(relation, _row(reader), whole=kind == "O")
        case "T":
            count, _ = reader.number("I"), reader.number("B")
            return Truncate(struct.unpack(f">{count}I", reader.take(4 * count)))
        case _:
            return _other(reader, tag)


def _other(reader: _Reader, tag: str) -> Other:
    match tag:
        case "Y":
            reader.number("I")
            reader.text()
            reader.text()
        case "O":
            reader.number("Q")
            reader.text()
        case "M":
            reader.number("B")
            reader.number("Q")
            reader.text()
            reader.take(reader.number("I"))
        case _:
            raise _BadMessageError
    return Other(tag)


def _relation(reader: _Reader) -> Relation:
    oid, schema, name, identity = reader.number("I"), reader.text(), reader.text(), reader.tag()
    columns = []
    for _ in range(reader.number("H")):
        flags, column, type_oid, _ = reader.number("B"), reader.text(), reader.number("I"), reader.number("i")
        columns.append(RelationColumn(column, bool(flags & 1), type_oid))
    # An empty schema is how pg_catalog is written.
    return Relation(oid, schema or "pg_catalog", name, identity, tuple(columns))


def _update(reader: _Reader) -> Update:
    relation, kind = reader.number("I"), _expect(reader, "KON")
    old = None
    if kind != "N":
        old = _row(reader)
        _expect(reader, "N")
    return Update(relation, old, kind == "O", _row(reader))


def _expect(reader: _Reader, tags: str) -> str:
    tag = reader.tag()
    if tag not in tags:
        raise _BadMessageError
    return tag


def _row(reader: _Reader) -> Row:
    values: list[Value] = []
    for _ in range(reader.number("H")):
        match reader.tag():
            case "n":
                values.append(None)
            case "u":
                values.append(UNCHANGED)
            case "t":
                values.append(reader.take(reader.number("I")).decode())
            case _:
                # "b" (binary) comes only to who asks for it.
                raise _BadMessageError
    return tuple(values)
