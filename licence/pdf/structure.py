"""The structure of a PDF file (ISO 32000-1 §7.5): revisions, cross-reference sections, objects; every size is bounded.

What signatures cover and which updates may follow them is left to `licence.pdf.read` and `licence.pdf.updates`.
"""

from __future__ import annotations

import itertools
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

from licence.errors import FormatError
from licence.pdf import objects
from licence.pdf.objects import Name, Object, Ref, Stream, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_FILE_BYTES = 32 * 1024 * 1024
# A document that was signed and time-stamped again each year for decades.
MAX_REVISIONS = 64
MAX_TRAILER_BYTES = 64 * 1024
MAX_OBJECTS = 200_000
# What all compressed structures of one file may unfold to; those of a licence are some KiB.
MAX_UNPACKED_BYTES = 16 * 1024 * 1024
# Syntax that is parsed, streams aside, in one file: bounds time and memory where objects overlap.
MAX_SYNTAX_BYTES = 8 * 1024 * 1024
_HEADER = re.compile(rb"%PDF-(?:1\.[0-7]|2\.0)[\r\n]")
_END = re.compile(rb"startxref[\r\n ]+(\d{1,10})[\r\n ]+%%EOF(?:\r\n|\r|\n)?\Z")
_CLOSING = re.compile(rb"startxref[\r\n ]+(\d{1,10})[\r\n ]+%%EOF(?:\r\n|\r|\n)?")
# startxref, its number, %%EOF and some white space.
_END_BYTES = 64
_TABLE = re.compile(rb"xref[ \t]*(?:\r\n|\r|\n)")
_SUBSECTION = re.compile(rb"(\d{1,10}) (\d{1,7})[ \t]*(?:\r\n|\r|\n)")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)")
_ENTRY_BYTES = 20
_TRAILER = re.compile(rb"[\0\t\n\f\r ]*trailer")
_OBJECT = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj")
_MAX_FIELD_BYTES = 8
_UP = 2
_FIRST_PNG_PREDICTOR = 10
# Three fields of at most eight bytes.
_MAX_COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an object stands: at *offset*, or (*container* is not 0) as number *offset* in an object stream.

    A *free* entry is an object that was deleted.
    """

    offset: int
    generation: int = 0
    container: int = 0
    free: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One cross-reference section with its trailer; *offset* is where it starts, *end* where its trailer ends.

    *own* is the number of the object a cross-reference stream is, or 0 for a table.
    """

    offset: int
    end: int
    entries: Mapping[int, Entry]
    trailer: Mapping[str, Object]
    own: int


@dataclass(slots=True)
class PdfFile:
    """A parsed file: its bytes and its cross-reference sections, newest first. Objects are read when asked for.

    *since* hides newer sections: the file as it was before them.
    """

    data: bytes
    sections: Sequence[Section]
    _cache: dict[tuple[int, int, int], Object] = field(default_factory=dict)
    _containers: dict[tuple[int, int], Sequence[tuple[int, int]]] = field(default_factory=dict)
    _unpacked: dict[tuple[int, int], bytes] = field(default_factory=dict)
    _unpacked_bytes: int = 0
    _syntax_bytes: int = 0
    # Objects looked at while updates were compared, by `licence.pdf.updates`.
    compared: int = 0

    def entry(self, number: int, since: int = 0) -> Entry | None:
        """The entry that counts for object *number* in the file as of section *since*."""
        for section in itertools.islice(self.sections, since, None):
            found = section.entries.get(number)
            if found is not None:
                return None if found.free else found
        return None

    def get(self, value: Object, since: int = 0) -> Object:
        """*value*, or what it refers to; null for an object that is not there (§7.3.10).

        Raises:
            FormatError: the object is damaged, or a reference leads to another reference.
        """
        if not isinstance(value, Ref):
            return value
        entry = self.entry(value.number, since)
        # §7.5.7: what stands in an object stream is of generation 0.
        if entry is None or entry.generation != value.generation:
            return None
        # The place of what it stands in, too: an update may have put another in its stead.
        holder = self.holder(value, since)
        within = self.entry(holder.number, since) if holder else None
        key = (value.number, entry.offset, within.offset if within else 0)
        if key not in self._cache:
            self._cache[key] = (
                self._compressed(entry, value.number, since)
                if entry.container
                else self.at(entry.offset, value.number, value.generation, since)[0]
            )
        found = self._cache[key]
        if isinstance(found, Ref):
            refuse("reference")
        return found

    def holder(self, ref: Ref, since: int = 0) -> Ref | None:
        """The object stream that object *ref* stands in, None where it stands by itself or is not there."""
        entry = self.entry(ref.number, since)
        return Ref(entry.container, 0) if entry is not None and entry.container else None

    def at(self, offset: int, number: int, generation: int, since: int = 0) -> tuple[Object, int]:
        """The object that stands at *offset*, and where it ends.

        Raises:
            FormatError: it is not object *number*, or damaged.
        """
        found, end = objects.parse_indirect(
            self.data,
            offset,
            number,
            generation,
            length_of=_FileLengths(self, since),
            limit_bytes=MAX_SYNTAX_BYTES - self._syntax_bytes,
        )
        self._syntax_bytes += end - offset - (len(found.data) if isinstance(found, Stream) else 0)
        return found, end

    def dictionary(self, value: Object, since: int = 0) -> Mapping[str, Object]:
        """*value*, resolved, as a dictionary.

        Raises:
            FormatError: it is none.
        """
        found = self.get(value, since)
        if not isinstance(found, dict):
            refuse("dictionary")
        return found

    def array(self, value: Object, since: int = 0) -> Sequence[Object]:
        """*value*, resolved, as an array; null is the empty one.

        Raises:
            FormatError: it is something else.
        """
        found = self.get(value, since)
        if found is None:
            return []
        if not isinstance(found, list):
            refuse("array")
        return found

    def catalog(self, since: int = 0) -> Mapping[str, Object]:
        """The document catalogue as of section *since*.

        Raises:
            FormatError: there is none.
        """
        return self.dictionary(self.sections[since].trailer.get("Root"), since)

    def unpack(self, stream: Stream) -> bytes:
        """The decoded bytes of a cross-reference or object stream.

        Raises:
            FormatError: another filter than Flate, damaged, or the file unfolds to too much.
        """
        data = _unpack(stream, MAX_UNPACKED_BYTES - self._unpacked_bytes)
        self._unpacked_bytes += len(data)
        return data

    def _compressed(self, entry: Entry, number: int, since: int) -> Object:
        holder = self.entry(entry.container, since)
        # §7.5.7: an object stream stands by itself and is of generation 0.
        if holder is None or holder.container or holder.generation:
            refuse("object stream")
        key = (entry.container, holder.offset)
        if key not in self._containers:
            stream, _ = self.at(holder.offset, entry.container, 0, since)
            if not isinstance(stream, Stream) or stream.entries.get("Type") != "ObjStm":
                refuse("object stream")
            self._unpacked[key] = self.unpack(stream)
            self._containers[key] = _index(stream, self._unpacked[key])
        index = self._containers[key]
        if entry.offset >= len(index) or index[entry.offset][0] != number:
            refuse("object stream")
        start = index[entry.offset][1]
        found, end = objects.parse(self._unpacked[key], start, MAX_SYNTAX_BYTES - self._syntax_bytes)
        self._syntax_bytes += end - start
        return found


class _FileLengths(objects.LengthOf):
    """Resolves the length of a stream where it is an object of its own, which may itself be no stream."""

    def __init__(self, file: PdfFile, since: int) -> None:
        self._file = file
        self._since = since

    def __call__(self, value: Object) -> int:
        """The length in bytes (see the base class)."""
        if isinstance(value, Ref):
            entry = self._file.entry(value.number, self._since)
            if entry is None or entry.container:
                refuse("stream")
            value, _ = objects.parse_indirect(
                self._file.data,
                entry.offset,
                value.number,
                value.generation,
                length_of=objects.LengthOf(),
                limit_bytes=objects.MAX_NUMBER_LENGTH,
            )
        return super().__call__(value)


def read(data: bytes) -> PdfFile:
    """Parse the structure of a file: from its end, section by section, to its first.

    Raises:
        FormatError: too large, encrypted, bytes after the end mark, or damaged.
    """
    if len(data) > MAX_FILE_BYTES:
        raise FormatError("too_large", what=objects.WHAT, limit=MAX_FILE_BYTES)
    if _HEADER.match(data) is None:
        raise FormatError("pdf_not_pdf")
    closing = _END.search(data, max(0, len(data) - _END_BYTES))
    if closing is None:
        raise FormatError("pdf_no_end")
    file = PdfFile(data, sections := [])
    offset: Object = int(closing[1])
    seen: set[int] = set()
    count = 0
    while offset is not None:
        if not isinstance(offset, int) or offset in seen or not 0 <= offset < len(data):
            refuse("cross-reference")
        seen.add(offset)
        section = _section(file, offset)
        sections.append(section)
        count += len(section.entries)
        if "Encrypt" in section.trailer:
            raise FormatError("pdf_encrypted")
        if len(sections) > MAX_REVISIONS or count > MAX_OBJECTS:
            refuse("cross-reference")
        offset = section.trailer.get("Prev")
    return file


def closing_of(file: PdfFile, section: Section) -> int:
    """Where the revision *section* belongs to ends: after its own ``startxref``, number and ``%%EOF``.

    Raises:
        FormatError: something else follows the trailer, or the number is another section's.
    """
    match = _CLOSING.match(file.data, objects.skip_space(file.data, section.end))
    if match is None or int(match[1]) != section.offset:
        refuse("cross-reference")
    return match.end()


def _section(file: PdfFile, offset: int) -> Section:
    head = _TABLE.match(file.data, offset)
    if head is None:
        return _stream_section(file, offset)
    entries, at = _table(file.data, head.end())
    trailer, end = objects.parse(file.data, at, MAX_TRAILER_BYTES)
    if not isinstance(trailer, dict):
        refuse("trailer")
    hybrid = trailer.get("XRefStm")
    if hybrid is not None:
        if not isinstance(hybrid, int) or not 0 <= hybrid < len(file.data):
            refuse("cross-reference")
        hidden = _stream_section(file, hybrid).entries
        # §7.5.8.4: what the table says free may stand in the stream.
        entries = {**hidden, **{n: e for n, e in entries.items() if not e.free or n not in hidden}}
    return Section(offset, end, entries, trailer, own=0)


def _table(data: bytes, at: int) -> tuple[dict[int, Entry], int]:
    entries: dict[int, Entry] = {}
    while (head := _SUBSECTION.match(data, at)) is not None:
        first, count, at = int(head[1]), int(head[2]), head.end()
        if count > MAX_OBJECTS or len(entries) + count > MAX_OBJECTS:
            refuse("cross-reference")
        for number in range(first, first + count):
            entry = _ENTRY.match(data, at)
            if entry is None or number in entries:
                refuse("cross-reference")
            entries[number] = Entry(int(entry[1]), int(entry[2]), free=entry[3] == b"f")
            at += _ENTRY_BYTES
    trailer = _TRAILER.match(data, at)
    if trailer is None:
        refuse("trailer")
    return entries, trailer.end()


def _stream_section(file: PdfFile, offset: int) -> Section:
    head = _OBJECT.match(file.data, offset)
    if head is None:
        refuse("cross-reference")
    own, generation = int(head[1]), int(head[2])
    stream, end = objects.parse_indirect(
        file.data, offset, own, generation, length_of=objects.LengthOf(), limit_bytes=MAX_TRAILER_BYTES
    )
    if not isinstance(stream, Stream) or stream.entries.get("Type") != "XRef":
        refuse("cross-reference")
    widths, size = stream.entries.get("W"), stream.entries.get("Size")
    index = stream.entries.get("Index", [0, size])
    if not _integers(widths, 3, _MAX_FIELD_BYTES) or not _integers(index, None, 2**32):
        refuse("cross-reference")
    entries = dict(_stream_entries(file.unpack(stream), widths, index))
    return Section(offset, end, entries, stream.entries, own)


def _stream_entries(data: bytes, widths: Sequence[int], index: Sequence[int]) -> Iterator[tuple[int, Entry]]:
    row = sum(widths)
    numbers = list(itertools.islice(_numbers(index), MAX_OBJECTS + 1))
    if not row or len(numbers) > MAX_OBJECTS or len(numbers) * row != len(data) or len(set(numbers)) != len(numbers):
        refuse("cross-reference")
    for i, number in enumerate(numbers):
        fields, at = [], i * row
        for width in widths:
            fields.append(int.from_bytes(data[at : at + width], "big"))
            at += width
        kind = fields[0] if widths[0] else 1
        if kind == 0:
            yield number, Entry(0, free=True)
        elif kind == 1:
            yield number, Entry(fields[1], fields[2])
        elif kind == 2 and fields[1]:  # noqa: PLR2004 - §7.5.8.3: the type of a compressed object
            yield number, Entry(fields[2], container=fields[1])
        else:
            refuse("cross-reference")


def _numbers(index: Sequence[int]) -> Iterator[int]:
    for first, count in zip(index[::2], index[1::2], strict=False):
        yield from range(first, first + min(count, MAX_OBJECTS + 1))


def _integers(value: object, count: int | None, most: int) -> TypeGuard[list[int]]:
    if not isinstance(value, list) or not value or len(value) > MAX_OBJECTS or (count and len(value) != count):
        return False
    return (count is not None or len(value) % 2 == 0) and all(type(v) is int and 0 <= v <= most for v in value)


def _index(stream: Stream, data: bytes) -> list[tuple[int, int]]:
    """Number and place of each object of an object stream."""
    count, first = stream.entries.get("N"), stream.entries.get("First")
    if not _integers([count, first], 2, len(data)) or not isinstance(first, int) or not isinstance(count, int):
        refuse("object stream")
    words = data[:first].split()
    if len(words) != 2 * count or not all(w.isdigit() and len(w) <= 10 for w in words):  # noqa: PLR2004 - digits of 2³²
        refuse("object stream")
    pairs = [(int(n), first + int(o)) for n, o in zip(words[::2], words[1::2], strict=True)]
    if any(at >= len(data) for _, at in pairs):
        refuse("object stream")
    return pairs


def _unpack(stream: Stream, limit: int) -> bytes:
    if len(stream.data) > limit:
        raise FormatError("too_large", what=objects.WHAT, limit=MAX_UNPACKED_BYTES)
    chosen = stream.entries.get("Filter")
    if isinstance(chosen, list) and len(chosen) == 1:
        chosen = chosen[0]
    parameters = stream.entries.get("DecodeParms")
    if isinstance(parameters, list) and len(parameters) == 1:
        parameters = parameters[0]
    if chosen is None:
        return bytes(stream.data)
    if chosen != Name("FlateDecode") or not isinstance(parameters, dict | None):
        refuse("filter")
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(stream.data, limit + 1)
    except zlib.error:
        refuse("filter")
    if len(data) > limit:
        raise FormatError("too_large", what=objects.WHAT, limit=MAX_UNPACKED_BYTES)
    if not inflater.eof:
        refuse("filter")
    given = parameters or {}
    predictor, columns = given.get("Predictor", 1), given.get("Columns", 1)
    if predictor == 1:
        return data
    if not isinstance(predictor, int) or predictor < _FIRST_PNG_PREDICTOR or not isinstance(columns, int):
        refuse("filter")
    return _without_predictor(data, columns)


def _without_predictor(data: bytes, columns: int) -> bytes:
    """Undo the PNG predictors that cross-reference streams use: none and up."""
    if not 0 < columns <= _MAX_COLUMNS or len(data) % (columns + 1):
        refuse("filter")
    rows = bytearray()
    above = bytes(columns)
    for at in range(0, len(data), columns + 1):
        row = data[at + 1 : at + 1 + columns]
        if data[at] == _UP:
            row = bytes((a + b) & 0xFF for a, b in zip(above, row, strict=True))
        elif data[at]:
            refuse("filter")
        rows += row
        above = row
    return bytes(rows)
