"""The ``xml`` kind: XML exports with one element a record, streamed in bounded memory, with DTDs and entities refused.

Leaves matching of names to `connectors.records`.

Settings or options: those of `connectors.files`; ``record`` (required) = the record element's name without prefix;
``encoding`` overrides what the file declares. A record's headings are its child elements (without prefix) and its
attributes as ``@name``. An absent child or ``xsi:nil="true"`` is NULL, an empty one empty text; a child with elements
inside lands as its XML text. XML itself turns CR LF into LF.
"""

from __future__ import annotations

import codecs
import io
import re
from itertools import islice
from typing import TYPE_CHECKING, cast
from xml.etree.ElementTree import ParseError, TreeBuilder, tostring
from xml.parsers.expat import errors as expat

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, iterparse

from connectors import options as opt
from connectors.errors import SourceHostileError, SourceIncompleteError, SourceShapeError
from connectors.files import FileConnector, Reading
from connectors.records import RecordGatherer
from connectors.text import TextSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree.ElementTree import Element

    import pyarrow as pa

    from connectors.archive import Content

# Registers have at most some hundred fields a record; more, or more text, is a file built to fill memory.
MOST_ELEMENTS = 10_000
MOST_CHARACTERS = 16 * 1024 * 1024
RECORDS_PROBED = 100
DECLARATION_BYTES = 256
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_DECLARED = re.compile(rb"""^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ENDS_EARLY = {
    expat.codes[message]
    for message in (
        expat.XML_ERROR_NO_ELEMENTS,
        expat.XML_ERROR_UNCLOSED_TOKEN,
        expat.XML_ERROR_PARTIAL_CHAR,
        expat.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}


class XmlConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "xml"
    MEMBERS = "*.xml"

    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The names in the first records."""
        del inside
        records = islice(_records(content, options), RECORDS_PROBED)
        return tuple(dict.fromkeys(name for record in records for name in record))

    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of the file."""
        del inside
        gatherer = RecordGatherer(reading, content.name)
        for record in _records(content, options):
            gatherer.add(record)
            yield from gatherer.full()
        yield from gatherer.rest()


class _Utf8File(io.RawIOBase):
    """The file as UTF-8, whatever it declares: expat itself knows no Chinese encoding but UTF-8."""

    def __init__(self, source: TextSource) -> None:
        super().__init__()
        self._blocks = source.blocks()
        self._held = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        # Never more than asked for: the parser builds all of a piece before the records in it can be let go.
        if not self._held:
            self._held = memoryview(next(self._blocks, b""))
        data, self._held = self._held[:size], self._held[size:]
        return bytes(data)


class _BoundedBuilder(TreeBuilder):
    """Counts what one record gathers, so that a single endless record cannot fill memory."""

    def __init__(self, name: str, record: str) -> None:
        super().__init__()
        self._name = name
        self._record = record
        self._inside = 0
        self._elements = 0
        self._characters = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._inside += _local(tag) == self._record
        self._elements += 1
        self._check()
        return cast("Element", super().start(tag, attrs))  # type: ignore[redundant-cast]

    def end(self, tag: str, /) -> Element:
        self._inside -= _local(tag) == self._record
        if not self._inside:
            self._elements = self._characters = 0
        return cast("Element", super().end(tag))  # type: ignore[redundant-cast]

    def data(self, data: str, /) -> None:
        self._characters += len(data)
        self._check()
        super().data(data)

    def _check(self) -> None:
        if self._elements > MOST_ELEMENTS or self._characters > MOST_CHARACTERS:
            limit = MOST_ELEMENTS if self._elements > MOST_ELEMENTS else MOST_CHARACTERS
            raise SourceHostileError(problem="record_bomb", where=self._name, limit=limit)


def _records(content: Content, options: Mapping[str, str]) -> Iterator[dict[str, str | None]]:
    wanted = opt.required(options, "record", content.name)
    source = TextSource(content.name, content.open, _encoding(content, options))
    builder = _BoundedBuilder(content.name, wanted)
    # The parser is told UTF-8, which overrules the declaration: the text has been decoded already.
    parser = DefusedXMLParser(
        target=builder, encoding="utf-8", forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    open_elements: list[Element] = []
    inside = 0
    try:
        for event, element in iterparse(_Utf8File(source), events=("start", "end"), parser=parser):
            is_record = _local(element.tag) == wanted
            if event == "start":
                open_elements.append(element)
                inside += is_record
                continue
            open_elements.pop()
            inside -= is_record
            if is_record and not inside:
                yield _fields(element, content.name)
            if not inside and open_elements:
                # What is read is let go at once; the tree never grows past one record.
                open_elements[-1].remove(element)
    except ParseError as failure:
        where = f"{content.name}:{failure.position[0]}"
        if failure.code in _ENDS_EARLY:
            raise SourceIncompleteError(problem="truncated", where=where) from None
        raise SourceShapeError(problem="bad_xml", where=where) from None
    except DefusedXmlException:
        raise SourceHostileError(problem="xml_entities", where=content.name) from None


def _encoding(content: Content, options: Mapping[str, str]) -> str:
    """The encoding option, else the byte order mark's, else the declared one, else UTF-8 (XML 1.0, 4.3.3)."""
    if options.get("encoding"):
        return opt.encoding(options, content.name)
    with content.open() as file:
        head = file.read(DECLARATION_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    if declared is None or head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    return opt.encoding({"encoding": declared[1].decode()}, content.name)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _fields(element: Element, name: str) -> dict[str, str | None]:
    record: dict[str, str | None] = {f"@{_local(key)}": value for key, value in element.attrib.items()}
    for child in element:
        heading = _local(child.tag)
        if heading in record:
            raise SourceShapeError(problem="element_repeated", where=name, heading=heading)
        record[heading] = _value(child)
    return record


def _value(element: Element) -> str | None:
    if element.get(NIL) in {"true", "1"}:
        return None
    if len(element):
        return (element.text or "") + "".join(tostring(child, encoding="unicode") for child in element)
    return element.text or ""
