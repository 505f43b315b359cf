"""The ``dbf`` kind: tables of dBASE III, IV and 5, of Clipper and of FoxPro, as old systems and map makers keep them.

Leaves finding and unpacking files to `connectors.files`; memo files beside the table are not read.

Settings or options: those of `connectors.files`; ``encoding`` (by default what the table's language byte says, or
gb18030 where it says nothing). Records marked as deleted are skipped and not counted.

Text (C, V) loses the spaces that fill its field. Numbers (N, F) land as written, integers (I) as digits, currency
(Y) with its four decimals, doubles (B) as the shortest text that reads back the same, dates (D) as 2024-05-01, times
(T) as 2024-05-01T08:30:00, truth values (L) as ``true``/``false``. A blank number, date, time or truth value is
NULL, and so is what FoxPro marks as such; blank text is empty text. A number or date that is none lands as it stands.
"""

from __future__ import annotations

import datetime as dt
import os
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import pyarrow as pa

from connectors import options as opt
from connectors.errors import SourceEncodingError, SourceIncompleteError, SourceShapeError, SourceUnavailableError
from connectors.files import FileConnector, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from connectors.archive import Content

BATCH_BYTES = 4 * 1024 * 1024
HEADER_BYTES = 32
FIELD_BYTES = 32
FIELDS_END = 0x0D
DELETED = ord("*")
LIVE = ord(" ")
# Version bytes: dBASE III, IV and 5 with and without memo, SQL tables, FoxBASE, FoxPro 2 and Visual FoxPro. dBASE 7
# (4 in the low bits) has other descriptors.
VERSIONS = frozenset({0x02, 0x03, 0x30, 0x31, 0x32, 0x43, 0x63, 0x7B, 0x83, 0x8B, 0x8E, 0xCB, 0xE5, 0xF5, 0xFB})
VISUAL_FOXPRO = frozenset({0x30, 0x31, 0x32})
MEMO_TYPES = frozenset("MGPWQ")
SYSTEM_FIELD = 0x01
NULLABLE = 0x02
# Of the first day that Python knows, 0001-01-01.
JULIAN_DAY_ONE = 1_721_426
FIRST_DAY = dt.datetime(1, 1, 1)  # noqa: DTZ001  # the format knows no zones
# Language bytes of the double-byte code pages, by Python's names. 0x57 ("as Windows has it") says nothing.
CODE_PAGES = {
    **dict.fromkeys((0x00, 0x4D, 0x57, 0x7A), "gb18030"),
    **dict.fromkeys((0x13, 0x7B), "cp932"),
    **dict.fromkeys((0x4E, 0x79), "cp949"),
    **dict.fromkeys((0x4F, 0x78), "cp950"),
}


class Field(NamedTuple):
    """One field: its heading, type letter, first byte in the record, width in bytes, decimals, and two flag bits."""

    name: str
    kind: str
    start: int
    width: int
    decimals: int
    null_bit: int | None
    length_bit: int | None

    @property
    def declared(self) -> str:
        """The type as the format's own tools show it."""
        if self.kind in "NF":
            return f"{self.kind}({self.width},{self.decimals})"
        return f"{self.kind}({self.width})" if self.kind in "CV" else self.kind


class Table(NamedTuple):
    """The header."""

    fields: tuple[Field, ...]
    records: int
    record_bytes: int
    header_bytes: int
    encoding: str
    doubtful: bool
    """The table names a code page of western Europe, as tables full of Chinese often do: ASCII is all it is taken at
    its word for."""
    flags: tuple[int, int]
    """Where FoxPro's bits for NULL stand: first byte and width."""
    visual: bool


class DbfConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "dbf"
    MEMBERS = "*.[dD][bB][fF]"

    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The names of the fields."""
        del inside
        with content.open() as file:
            return tuple(field.name for field in _table(file, content.name, options).fields)

    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The records of the table that are not deleted."""
        del inside
        names = [column.name for column in reading.request.columns]
        with content.open() as file:
            table = _table(file, content.name, options)
            matching = reading.match([field.name for field in table.fields], content.name)
            reading.declare(matching, [field.declared for field in table.fields])
            readers = [
                None if index is None else _Column(table, table.fields[index], content.name)
                for index in matching.indexes
            ]
            for first, records in _records(file, table, content.name):
                arrays = [
                    pa.nulls(len(records), pa.string())
                    if reader is None
                    else pa.array(reader.values(records, first), pa.string())
                    for reader in readers
                ]
                yield pa.table(arrays, names=names)
            # To the end, so that the checksum of what it is packed in is known to hold.
            while _read(file, BATCH_BYTES, content.name):
                pass


def _read(file: BinaryIO, size: int, name: str) -> bytes:
    try:
        return file.read(size)
    except OSError as failure:
        detail = os.strerror(failure.errno) if failure.errno else type(failure).__name__
        raise SourceUnavailableError(problem="file_unreadable", where=name, detail=detail) from None


def _table(file: BinaryIO, name: str, options: Mapping[str, str]) -> Table:
    """Read the header; *file* then stands at the first record."""
    head = _read(file, HEADER_BYTES, name)
    if head and head[0] not in VERSIONS:
        raise SourceShapeError(problem="not_this_format", where=name, kind="dBASE III/IV/5, FoxPro")
    if len(head) < HEADER_BYTES:
        raise SourceIncompleteError(problem="truncated", where=name)
    records, header_bytes, record_bytes = struct.unpack_from("<IHH", head, 4)
    rest = _read(file, max(0, header_bytes - HEADER_BYTES), name)
    if len(rest) < header_bytes - HEADER_BYTES:
        raise SourceIncompleteError(problem="truncated", where=name)
    language = CODE_PAGES.get(head[29])
    encoding = opt.encoding({"encoding": options.get("encoding") or language or "gb18030"}, name)
    described = list(_described(rest))
    fields, flags, end = _laid_out(described, encoding, name)
    if not fields or end != record_bytes:
        raise SourceShapeError(problem="not_this_format", where=name, kind="dBASE III/IV/5, FoxPro")
    return Table(
        fields,
        records,
        record_bytes,
        header_bytes,
        encoding,
        doubtful=language is None and not options.get("encoding"),
        flags=flags,
        visual=head[0] in VISUAL_FOXPRO,
    )


def _described(rest: bytes) -> Iterator[bytes]:
    for at in range(0, len(rest) - FIELD_BYTES + 1, FIELD_BYTES):
        if rest[at] in {FIELDS_END, 0}:
            return
        yield rest[at : at + FIELD_BYTES]


def _laid_out(described: list[bytes], encoding: str, name: str) -> tuple[tuple[Field, ...], tuple[int, int], int]:
    """The fields, where FoxPro's flags stand, and the length that records must then have."""
    fields = []
    flags = (0, 0)
    at = 1  # after the mark of deletion
    bits = 0
    for one in described:
        kind, width, decimals, marks = chr(one[11]), one[16], one[17], one[18]
        if kind == "C":
            # Clipper and FoxPro keep the upper half of a long text's width where numbers have their decimals.
            width, decimals = width + 256 * decimals, 0
        length_bit = null_bit = None
        if kind in "VQ":
            length_bit, bits = bits, bits + 1
        if marks & NULLABLE and not (kind == "0" and marks & SYSTEM_FIELD):
            null_bit, bits = bits, bits + 1
        if kind == "0":
            flags = (at, width)
        else:
            try:
                heading = one[:11].partition(b"\0")[0].decode(encoding).strip()
            except UnicodeDecodeError:
                raise SourceEncodingError(problem="bad_bytes", where=name, offset=0, encoding=encoding) from None
            fields.append(Field(heading, kind, at, width, decimals, null_bit, length_bit))
        at += width
    return tuple(fields), flags, at


def _records(file: BinaryIO, table: Table, name: str) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
    """The live records, each with its number (from 1, as dBASE counts them); and the number of the first of a batch."""
    size = table.record_bytes
    batch = max(1, BATCH_BYTES // size)
    for first in range(0, table.records, batch):
        wanted = min(batch, table.records - first)
        data = _read(file, wanted * size, name)
        whole = len(data) // size
        live = []
        for at in range(whole):
            mark = data[at * size]
            if mark == LIVE:
                live.append((first + at + 1, data[at * size : (at + 1) * size]))
            elif mark != DELETED:
                raise SourceShapeError(problem="record_mark", where=f"{name}:{first + at + 1}")
        if whole < wanted:
            # The header is written last when a table is copied properly, first when it is not.
            raise SourceIncompleteError(problem="rows_missing", where=name, total=table.records, found=first + whole)
        yield first, live


class _Column:
    """How one field of the records becomes text."""

    def __init__(self, table: Table, field: Field, name: str) -> None:
        self._table = table
        self._field = field
        self._name = name
        if field.kind in MEMO_TYPES or (field.kind == "B" and not (table.visual and field.width == 8)):  # noqa: PLR2004
            raise SourceShapeError(problem="memo_column", where=name, column=field.name)
        made: dict[str, Callable[[bytes], str | None]] = {
            "C": self._text,
            "V": self._text,
            "N": self._number,
            "F": self._number,
            "L": self._truth,
            "D": self._date,
            "T": self._time,
            "I": self._integer,
            "Y": self._currency,
            "B": self._double,
        }
        found = made.get(field.kind)
        if found is None:
            raise SourceShapeError(problem="field_type", where=name, column=field.name, type=field.kind)
        self._value = found

    def values(self, records: list[tuple[int, bytes]], first: int) -> list[str | None]:
        """The texts of this field."""
        start, end = self._field.start, self._field.start + self._field.width
        value = self._value
        try:
            if self._field.null_bit is None and self._field.length_bit is None:
                return [value(record[start:end]) for _, record in records]
            return [self._flagged(record) for _, record in records]
        except UnicodeDecodeError:
            raise self._undecodable(records) from None
        except (ValueError, OverflowError, struct.error):
            # A time outside the calendar, or a field narrower than its type.
            where = f"{self._name}:{first + 1}"
            field = self._field
            raise SourceShapeError(problem="field_type", where=where, column=field.name, type=field.kind) from None

    def _flagged(self, record: bytes) -> str | None:
        start, width = self._table.flags
        flags = int.from_bytes(record[start : start + width], "little")
        field = self._field
        if field.null_bit is not None and flags >> field.null_bit & 1:
            return None
        data = record[field.start : field.start + field.width]
        if field.length_bit is None:
            return self._value(data)
        # A text of varying length that does not fill its field has its length in the last byte, and keeps its spaces.
        return self._decoded(data[: data[-1]] if flags >> field.length_bit & 1 else data)

    def _undecodable(self, records: list[tuple[int, bytes]]) -> SourceEncodingError:
        field = self._field
        for number, record in records:
            try:
                self._value(record[field.start : field.start + field.width])
            except UnicodeDecodeError as failure:
                table = self._table
                offset = table.header_bytes + (number - 1) * table.record_bytes + field.start + failure.start
                where = f"{self._name}:{number}"
                if table.doubtful:
                    return SourceEncodingError(problem="code_page_doubtful", where=where, offset=offset)
                return SourceEncodingError(problem="bad_bytes", where=where, offset=offset, encoding=table.encoding)
        return SourceEncodingError(problem="not_text", where=self._name)

    def _decoded(self, data: bytes) -> str:
        return data.decode("ascii" if self._table.doubtful else self._table.encoding)

    def _text(self, data: bytes) -> str:
        return self._decoded(data.rstrip(b" \0"))

    def _number(self, data: bytes) -> str | None:
        return self._decoded(data.strip(b" \0")) or None

    def _truth(self, data: bytes) -> str | None:
        if data in b"TtYy":
            return "true"
        if data in b"FfNn":
            return "false"
        return None if data in b"? \0" else self._decoded(data)

    def _date(self, data: bytes) -> str | None:
        text = self._decoded(data.strip(b" \0"))
        if not text or text == "0" * len(text):
            return None
        return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text  # noqa: PLR2004

    def _time(self, data: bytes) -> str | None:
        day, milliseconds = struct.unpack("<iI", data)
        if not day:
            return None
        # FoxPro's own arithmetic leaves a time a millisecond short of its second now and then; so it is written.
        moment = FIRST_DAY + dt.timedelta(days=day - JULIAN_DAY_ONE, milliseconds=milliseconds)
        return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds")

    def _integer(self, data: bytes) -> str:
        return str(struct.unpack("<i", data)[0])

    def _currency(self, data: bytes) -> str:
        (units,) = struct.unpack("<q", data)
        whole, part = divmod(abs(units), 10_000)
        return f"{'-' if units < 0 else ''}{whole}.{part:04}"

    def _double(self, data: bytes) -> str:
        return repr(struct.unpack("<d", data)[0])
