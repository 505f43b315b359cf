"""The ``json`` kind: files that are one JSON document, an array of objects or an object with such an array in it.

Leaves JSON itself to `connectors.json_text`, and matching of names to `connectors.records`. A document may be of any
size: what is in memory is one block of the file and one record.

Settings or options: those of `connectors.files`, ``encoding`` (utf-8), ``rows`` = the dotted path of the array
(``data.items``; by default the document itself is the array). Nested values land as compact JSON; null and absent as
NULL.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING

from connectors import json_text
from connectors import options as opt
from connectors.errors import ConnectorError, SourceIncompleteError, SourceShapeError
from connectors.files import FileConnector, Reading
from connectors.records import RecordGatherer
from connectors.text import TextSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from connectors.archive import Content

# A record of more is a document whose rows lie elsewhere than was said.
RECORD_BYTES = 16 * 1024 * 1024
RECORDS_PROBED = 100
_SPACE = re.compile(rb"[ \t\n\r]*+")
# A string, a bracket, or a run of anything else (numbers, words, commas, colons, white space): enough to find where a
# value ends. What is inside is looked at by the parser proper, if it is wanted at all.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|[^"{}\[\]]++', re.DOTALL)
# A record as most are: without arrays or objects in it; and the same with what stands around it.
_FLAT_TEXT = rb'\{(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+\}'
_FLAT = re.compile(_FLAT_TEXT, re.DOTALL)
_FLAT_RECORD = re.compile(rb"([ \t\n\r]*+)(" + _FLAT_TEXT + rb")[ \t\n\r]*+,", re.DOTALL)
_SCALAR = re.compile(rb"[^\s,:{}\[\]\"]++")


class JsonConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "json"
    MEMBERS = "*.json"

    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The names in the first records."""
        del inside
        records = islice(_records(content, options), RECORDS_PROBED)
        return tuple(dict.fromkeys(name for record in records for name in record))

    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of the document."""
        del inside
        gatherer = RecordGatherer(reading, content.name)
        for record in _records(content, options):
            gatherer.add(record)
            yield from gatherer.full()
        yield from gatherer.rest()


def _records(content: Content, options: Mapping[str, str]) -> Iterator[dict[str, str | None]]:
    source = TextSource(content.name, content.open, opt.encoding(options, content.name))
    path = options.get("rows", "")
    document = _Document(source)
    yield from document.rows(path.split(".") if path else [], path)
    document.end()


class _Document:
    """The text of a document and the place in it; lets go of what lies behind."""

    def __init__(self, source: TextSource) -> None:
        self._name = source.name
        self._blocks = source.blocks()
        self._data = b""
        self._at = 0
        self._line = 1
        self._ended = False

    def rows(self, path: list[str], whole: str) -> Iterator[dict[str, str | None]]:
        """The records of the array at *path*; then goes on to the end of the value that the path began in."""
        first = self._peek()
        if not first:
            raise self._broken()
        if not path:
            if first != b"[":
                raise SourceShapeError(problem="rows_not_found", where=self._name, path=whole or "(root)")
            yield from self._array()
            return
        if first != b"{":
            raise SourceShapeError(problem="rows_not_found", where=self._name, path=whole)
        found = False
        for name in self._members():
            if name != path[0]:
                self._value(keep=False)
                continue
            if found:
                raise SourceShapeError(problem="json_name_duplicate", where=self._where())
            found = True
            yield from self.rows(path[1:], whole)
        if not found:
            raise SourceShapeError(problem="rows_not_found", where=self._name, path=whole)

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self._peek():
            raise self._broken()

    def _array(self) -> Iterator[dict[str, str | None]]:
        self._take(b"[")
        if self._peek() == b"]":
            self._take(b"]")
            return
        while True:
            yield from self._flat_records()
            self._peek()
            line = self._line
            yield self._record(self._value(keep=True), line)
            if self._peek() == b"]":
                self._take(b"]")
                return
            self._take(b",")

    def _flat_records(self) -> Iterator[dict[str, str | None]]:
        """The records as most are, as far as they lie in memory with the comma after them: most of a file, quickly."""
        while (found := _FLAT_RECORD.match(self._data, self._at)) is not None:
            line = self._line + found[1].count(b"\n")
            self._line += found[0].count(b"\n")
            self._at = found.end()
            yield self._record(found[2], line)

    def _record(self, text: bytes, line: int) -> dict[str, str | None]:
        value = self._parsed(text, line)
        if not isinstance(value, dict):
            raise SourceShapeError(problem="not_an_object", where=f"{self._name}:{line}")
        return json_text.record(value)

    def _members(self) -> Iterator[str]:
        """The names of an object's members; who asks for the next has taken the value of the last."""
        self._take(b"{")
        if self._peek() == b"}":
            self._take(b"}")
            return
        while True:
            if self._peek() != b'"':
                raise self._broken()
            name = self._parsed(self._value(keep=True), self._line)
            self._take(b":")
            yield str(name)
            if self._peek() == b"}":
                self._take(b"}")
                return
            self._take(b",")

    def _parsed(self, text: bytes, line: int) -> object:
        where = f"{self._name}:{line}"
        try:
            return json_text.parse(text)
        except json_text.JsonDuplicateError:
            raise SourceShapeError(problem="json_name_duplicate", where=where) from None
        except (json.JSONDecodeError, RecursionError) as failure:
            column = failure.colno if isinstance(failure, json.JSONDecodeError) else 1
            raise SourceShapeError(problem="bad_json", where=where, column=column) from None

    def _value(self, *, keep: bool) -> bytes:
        """Step over the next value; its text if it is to be kept.

        What is stepped over is looked at for its strings and brackets alone.
        """
        first = self._peek()
        if not first:
            raise self._broken()
        if first not in b"{[":
            return self._step(self._string_bytes() if first == b'"' else self._scalar_bytes())
        flat = _FLAT.match(self._data, self._at) if keep else None
        if flat is not None:
            return self._step(flat.end() - self._at)
        depth = size = 0
        while True:
            found = _TOKEN.match(self._data, self._at + size)
            if found is None:
                # The end of what we have, or a string that goes on after it.
                self._want_more()
                continue
            token = found[0]
            size += len(token)
            depth += (token in b"{[") - (token in b"}]")
            if not depth:
                return self._step(size)
            if not keep and size > len(self._data) // 2:
                self._step(size)
                size = 0

    def _string_bytes(self) -> int:
        while (found := _TOKEN.match(self._data, self._at)) is None:
            self._want_more()
        return len(found[0])

    def _scalar_bytes(self) -> int:
        while True:
            found = _SCALAR.match(self._data, self._at)
            if found is None:
                raise self._broken()
            if found.end() < len(self._data) or self._ended:
                return len(found[0])
            self._more()

    def _step(self, size: int) -> bytes:
        end = self._at + size
        text = self._data[self._at : end]
        self._line += text.count(b"\n")
        self._at = end
        return text

    def _want_more(self) -> None:
        """Read on, for a string or a bracket is still open."""
        if not self._more():
            raise SourceIncompleteError(problem="truncated", where=self._where())

    def _more(self) -> bool:
        if len(self._data) - self._at > RECORD_BYTES:
            raise SourceShapeError(problem="record_too_long", where=self._where(), limit_bytes=RECORD_BYTES)
        block = next(self._blocks, b"")
        self._data = self._data[self._at :] + block
        self._at = 0
        self._ended = not block
        return bool(block)

    def _peek(self) -> bytes:
        """The next byte that is no white space; empty at the end of the document."""
        while True:
            space = _SPACE.match(self._data, self._at)
            self._step(space.end() - self._at if space else 0)
            if self._at < len(self._data) or not self._more():
                return self._data[self._at : self._at + 1]

    def _take(self, mark: bytes) -> None:
        if self._peek() != mark:
            raise self._broken()
        self._at += 1

    def _where(self) -> str:
        return f"{self._name}:{self._line}"

    def _broken(self) -> ConnectorError:
        if self._ended and self._at >= len(self._data):
            return SourceIncompleteError(problem="truncated", where=self._where())
        return SourceShapeError(
            problem="bad_json", where=self._where(), column=self._at - self._data.rfind(b"\n", 0, self._at)
        )
