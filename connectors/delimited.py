"""Read delimited text (RFC 4180 with any one-character delimiter) into Arrow at speed, strictly.

Leaves finding files to `connectors.csv_files` and `connectors.zip_csv`.

How the way was chosen: of 620,573 rows x 6 columns in GB18030, on two shared cores, medians of five (bench/ingest.py):

    DuckDB 1.5.5 COPY (read_csv(encoding='gb18030')), extension `encodings`     5.7 s
    Python codec in 1 MiB blocks, then Arrow's CSV reader, row numbers (this)    0.5 s

DuckDB's decoder also stops at characters beyond GBK and garbles one value of that file. Python's is strict. Arrow's
reader is lenient about quotes (`"ab"c` becomes `abc`), so `QuoteCheck` reads every block that holds a quote beside it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv

from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceShapeError,
)
from connectors.headings import normal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.files import Reading
    from connectors.headings import Matching
    from connectors.text import TextSource

# A record must fit into one block of Arrow's reader; no register has rows of megabytes, an unclosed quote does.
RECORD_BYTES = 4 * 1024 * 1024
LIKELY_ENCODINGS = ("utf-8", "gb18030", "utf-16")


@dataclass(frozen=True, slots=True)
class _Patterns:
    """The grammar of RFC 4180 section 2 for one delimiter, over UTF-8."""

    delimiter: bytes
    field: re.Pattern[bytes]
    """One field with its delimiter or line end; the last group tells which."""
    fields: re.Pattern[bytes]
    """As many whole fields as there are, in one run of the matcher."""
    misquoted: re.Pattern[bytes]
    """A closed quoted field that goes on."""

    @classmethod
    def of(cls, delimiter: str) -> _Patterns:
        mark = delimiter.encode()
        sep = re.escape(mark)
        body = rb'(?:"(?:[^"]++|"")*+"|[^"' + sep + rb"\r\n][^" + sep + rb"\r\n]*+|)"
        return cls(
            delimiter=mark,
            field=re.compile(rb"(" + body + rb")(" + sep + rb"|\r\n|\n|\r|\Z)"),
            # The first alternative adds nothing but speed, where every field is quoted.
            fields=re.compile(rb'(?:"[^"]*+"[' + sep + rb"\r\n]++|" + body + rb"[" + sep + rb"\r\n])*+"),
            misquoted=re.compile(rb'"(?:[^"]++|"")*+"[^"' + sep + rb"\r\n]"),
        )


def delimiter_of(text: str, where: str, usual: str = ",") -> str:
    """The option ``delimiter``: one ASCII character, or ``tab``."""
    mark = {"": usual, "tab": "\t", "\\t": "\t"}.get(text, text)
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n':
        raise ConnectorSettingsError(problem="setting_invalid", where=where, name="delimiter", expected=", ; | ^ tab …")
    return mark


class QuoteCheck:
    """Follows the text block by block and finds the first quote that RFC 4180 does not allow."""

    def __init__(self, patterns: _Patterns) -> None:
        self._patterns = patterns
        self._carry = b""
        self.offset = 0
        """Bytes of UTF-8 before the carry."""

    def fault(self, block: bytes) -> str | None:
        """The problem's code if *block* shows one; the text before `offset` is then sound."""
        data = self._carry + block
        if b'"' not in data:
            # Whole lines without quotes are sound; an unfinished line is carried, a quote may yet follow in it.
            end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        else:
            found = self._patterns.fields.match(data)
            end = found.end() if found else 0
            if self._patterns.misquoted.match(data, end):
                self.offset += end
                return "bad_quoting"
        self.offset += end
        self._carry = data[end:]
        return "record_too_long" if len(self._carry) > RECORD_BYTES else None

    def fault_at_end(self) -> str | None:
        """The problem's code if the text ends inside quotes."""
        whole = self._patterns.field.fullmatch(self._carry) if self._carry.startswith(b'"') else True
        return None if whole else "truncated"


class _Feed(io.RawIOBase):
    """The text after its header as a file for Arrow; keeps what went wrong, for Arrow may say it in its own words."""

    def __init__(self, blocks: Iterator[bytes], patterns: _Patterns) -> None:
        super().__init__()
        self._blocks = blocks
        self._held = b""
        self._check = QuoteCheck(patterns)
        self.last = b""
        """The last byte so far."""
        self.failure: ConnectorError | None = None
        self.fault: tuple[str, int] | None = None
        """A quoting problem: its code and its offset in UTF-8 bytes after the header."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Exactly *size* bytes until the end: Arrow's cuts, and so the landed bytes, depend on the content alone."""
        parts = [self._held]
        have = len(self._held)
        while have < size and (block := self._next()):
            parts.append(block)
            have += len(block)
        data = b"".join(parts)
        self._held = data[size:]
        return data[:size]

    def _next(self) -> bytes:
        if self.failure or self.fault:
            return b""
        try:
            block = next(self._blocks, b"")
        except ConnectorError as failure:
            self.failure = failure
            return b""
        code = self._check.fault(block) if block else self._check.fault_at_end()
        if code:
            self.fault = (code, self._check.offset)
            return b""
        self.last = block[-1:] or self.last
        return block


@dataclass(frozen=True, slots=True)
class Header:
    """The first record: its headings, the UTF-8 bytes it takes up (line end included), and whether its line ended."""

    headings: tuple[str, ...]
    size: int
    ended: bool


def read_header(source: TextSource, delimiter: str) -> Header:
    """The headings of *source*.

    Raises:
        SourceShapeError: the file is empty, or its first record does not end within `RECORD_BYTES`.
        SourceIncompleteError: the file ends inside its headings.
        SourceEncodingError: the text is not valid in the declared encoding.
    """
    patterns = _Patterns.of(delimiter)
    data = b""
    for block in source.blocks():
        data += block
        header = _header_in(data, patterns, at_end=False)
        if header:
            return header
        if len(data) > RECORD_BYTES:
            raise SourceShapeError(problem="record_too_long", where=f"{source.name}:1", limit_bytes=RECORD_BYTES)
    if not data:
        raise SourceShapeError(problem="empty_file", where=source.name)
    header = _header_in(data, patterns, at_end=True)
    if header is None:
        raise SourceIncompleteError(problem="truncated", where=f"{source.name}:1")
    return header


def _header_in(data: bytes, patterns: _Patterns, *, at_end: bool) -> Header | None:
    headings: list[str] = []
    position = 0
    while found := patterns.field.match(data, position):
        field, mark = found.groups()
        # A carriage return at the very end may be half of a line end.
        if not at_end and (not mark or found.end() == len(data)):
            return None
        headings.append(_unquoted(field).decode())
        position = found.end()
        if mark != patterns.delimiter:
            return Header(tuple(headings), position, ended=bool(mark))
    return None


def _unquoted(field: bytes) -> bytes:
    return field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field


def _skip(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for block in blocks:
        if size >= len(block):
            size -= len(block)
        else:
            yield block[size:]
            size = 0


def tables(source: TextSource, delimiter: str, reading: Reading, *, newline_required: bool) -> Iterator[pa.Table]:
    """The requested columns of *source*, as text, in order.

    A line without any character holds no record (except where there is only one column: there it is an empty value).

    Raises:
        SourceShapeError: headings, a row with too many or too few columns, or quoting; with file:line.
        SourceIncompleteError: the last record ends early, or, if that is *required*, without a line end.
        SourceEncodingError: see `connectors.text.TextSource.blocks`.
    """
    header = read_header(source, delimiter)
    try:
        matching = reading.match(header.headings, source.name)
    except SourceShapeError as failure:
        if not header.ended:
            raise SourceIncompleteError(problem="truncated", where=f"{source.name}:1") from None
        likely = _likely_encoding(source, delimiter, reading) if failure.problem == "header_missing" else None
        if likely is None:
            raise
        raise SourceEncodingError(
            problem="other_encoding", where=source.name, encoding=source.encoding, likely=likely
        ) from None
    names = [column.name for column in reading.request.columns]
    patterns = _Patterns.of(delimiter)
    blocks = _skip(source.blocks(), header.size)
    first = next(blocks, b"")
    feed = _Feed(chain((first,), blocks), patterns)
    for batch in _batches(source, header, feed, patterns, matching) if first else ():
        absent = pa.nulls(batch.num_rows, pa.string())
        arrays = [absent if index is None else batch.column(f"c{index}") for index in matching.indexes]
        yield pa.table(arrays, names=names)
    # Looked at last, so that a fault that says more is told instead. What was yielded is not landed then.
    if newline_required and not (feed.last in {b"\n", b"\r"} if feed.last else header.ended):
        raise SourceIncompleteError(problem="no_final_newline", where=source.name)


def _batches(
    source: TextSource, header: Header, feed: _Feed, patterns: _Patterns, matching: Matching
) -> Iterator[pa.RecordBatch]:
    names = [f"c{index}" for index in range(len(header.headings))]
    try:
        with pacsv.open_csv(
            feed,
            # Arrow wants the whole of a record in a block or in two neighbours. Threads of its own gain nothing here:
            # decoding runs beside its parsing as it is, and writing beside both (`connectors.landing`).
            read_options=pacsv.ReadOptions(column_names=names, block_size=RECORD_BYTES, use_threads=False),
            parse_options=pacsv.ParseOptions(
                delimiter=patterns.delimiter.decode(), newlines_in_values=True, ignore_empty_lines=len(names) > 1
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                # A column that nobody asked for is parsed, so that its quotes count, but not made.
                include_columns=[names[index] for index in matching.indexes if index is not None],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        ) as reader:
            for batch in reader:
                # What Arrow read up to a fault is not handed on as if the file had ended there.
                _raise_fault(source, header, feed, patterns)
                yield batch
    except pa.ArrowInvalid:
        # Arrow's own message quotes the row: never let it out. Look for the place ourselves.
        _raise_fault(source, header, feed, patterns)
        if _is_blank(source, header):
            return
        raise _ragged(source, header, patterns) from None
    _raise_fault(source, header, feed, patterns)


def _is_blank(source: TextSource, header: Header) -> bool:
    """True when nothing but line ends follows the header (Arrow calls that an empty file)."""
    return not any(block.strip(b"\r\n") for block in _skip(source.blocks(), header.size))


def _raise_fault(source: TextSource, header: Header, feed: _Feed, patterns: _Patterns) -> None:
    if feed.failure is not None:
        raise feed.failure
    if feed.fault is not None:
        code, offset = feed.fault
        where = f"{source.name}:{_line_at(source, header.size + offset)}"
        # A ragged row further up is the better explanation: the quote fault is often only its consequence.
        ragged = _first_ragged(source, header, patterns, before=header.size + offset)
        if ragged is not None:
            raise ragged
        if code == "truncated":
            raise SourceIncompleteError(problem="truncated", where=where)
        raise SourceShapeError(problem=code, where=where, limit_bytes=RECORD_BYTES)


def _line_at(source: TextSource, offset: int) -> int:
    """The physical line (1-based) of a byte of the UTF-8 text; CR LF, LF and CR each end one."""
    line = 1
    after_return = False
    for block in source.blocks():
        part = block[:offset]
        # Both halves of a CR LF that two blocks share have been counted.
        line += _line_ends(part) - (after_return and part.startswith(b"\n"))
        after_return = part.endswith(b"\r")
        offset -= len(part)
        if not offset:
            break
    return line


def _line_ends(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def _ragged(source: TextSource, header: Header, patterns: _Patterns) -> ConnectorError:
    found = _first_ragged(source, header, patterns, before=None)
    # Arrow refused it although every record has its columns: a record longer than its block.
    return found or SourceShapeError(problem="record_too_long", where=source.name, limit_bytes=RECORD_BYTES)


def _first_ragged(source: TextSource, header: Header, patterns: _Patterns, before: int | None) -> ConnectorError | None:
    """The first record (that begins before that byte) whose number of columns differs from the headings'."""
    expected = len(header.headings)
    for shape in _shapes(source, patterns):
        if before is not None and shape.offset >= before:
            return None
        if shape.columns == expected or (shape.blank and expected > 1):
            continue
        where = f"{source.name}:{shape.line}"
        if not shape.ended and shape.columns < expected:
            return SourceIncompleteError(problem="truncated", where=where)
        return SourceShapeError(problem="ragged_row", where=where, expected=expected, found=shape.columns)
    return None


class _Shape(NamedTuple):
    """Where a record begins (UTF-8 byte, physical line), and what it looks like; nothing of what it holds."""

    offset: int
    line: int
    columns: int
    blank: bool
    ended: bool


def _shapes(source: TextSource, patterns: _Patterns) -> Iterator[_Shape]:
    """Every record, headings included, field by field: slow, and only used once something is known to be wrong."""
    data = b""
    offset, line = 0, 1
    for block in chain(source.blocks(), (None,)):
        data += block or b""
        start = position = columns = 0
        while found := patterns.field.match(data, position):
            field, mark = found.groups()
            # Short of the end of the text, a field at the end of what we have may go on, and a CR may become CR LF.
            if (block is not None and found.end() == len(data)) or (start == len(data) and not columns):
                break
            columns += 1
            position = found.end()
            if mark == patterns.delimiter:
                continue
            yield _Shape(offset + start, line, columns, blank=columns == 1 and not field, ended=bool(mark))
            if not mark:
                return
            line += _line_ends(data[start:position])
            start, columns = position, 0
        offset += start
        data = data[start:]
        if len(data) > 2 * RECORD_BYTES:
            return


def _likely_encoding(source: TextSource, delimiter: str, reading: Reading) -> str | None:
    """The encoding under which the headings would be the ones we look for, if the declared one is wrong."""
    wanted = {normal(name) for column in reading.request.columns for name in (column.name, *column.aliases)}
    for encoding in LIKELY_ENCODINGS:
        try:
            header = read_header(replace(source, encoding=encoding), delimiter)
        except (ConnectorError, UnicodeError):
            continue
        if encoding != source.encoding and wanted & {normal(heading) for heading in header.headings}:
            return encoding
    return None


def headings(source: TextSource, delimiter: str) -> Sequence[str]:
    """The headings of *source* as it writes them."""
    return read_header(source, delimiter).headings
