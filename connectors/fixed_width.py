"""The ``fixed-width`` kind: text files whose fields stand at fixed byte offsets, as mainframes and banks write them.

Leaves finding files to `connectors.files`; decodes each field itself, since offsets count bytes, not characters.

Settings or options: those of `connectors.files`; ``layout`` = ``name:start:width,…`` with *start* from 0, both in
**bytes** of the declared ``encoding`` (default gb18030; it must keep line feeds as one byte, so not UTF-16);
``header_rows`` (0) lines to skip; ``padding=keep`` to keep the spaces that fill a field on its right, otherwise they
are taken as the format's, not the value's. Fields may leave gaps. Every line must be as long as the last field's end.
"""

from __future__ import annotations

from functools import partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from connectors import options as opt
from connectors.errors import (
    ConnectorSettingsError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.files import FileConnector, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.archive import Content

ROWS_PER_BATCH = 20_000
# A longer line than any layout could mean; bounds what one read may take.
LINE_BYTES = 1024 * 1024


class Slot(NamedTuple):
    """One field: its name, first byte (from 0) and width in bytes."""

    name: str
    start: int
    width: int


def layout_of(text: str, where: str) -> tuple[Slot, ...]:
    """Parse the option ``layout``."""
    slots = []
    for part in text.split(","):
        name, _, numbers = part.strip().rpartition(":")
        name, _, start = name.rpartition(":")
        if not (name and start.isascii() and start.isdigit() and numbers.isascii() and numbers.isdigit()):
            raise _bad_layout(where)
        slots.append(Slot(name.strip(), int(start), int(numbers)))
    ordered = sorted(slots, key=lambda slot: slot.start)
    for slot, following in pairwise(ordered):
        if slot.start + slot.width > following.start:
            raise _bad_layout(where)
    if any(slot.width < 1 for slot in slots):
        raise _bad_layout(where)
    return tuple(slots)


def _bad_layout(where: str) -> ConnectorSettingsError:
    expected = "name:start:width,… in bytes, without overlaps"
    return ConnectorSettingsError(problem="setting_invalid", where=where, name="layout", expected=expected)


class FixedWidthConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "fixed-width"

    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The names in the layout: the file itself has none."""
        del inside
        return tuple(slot.name for slot in layout_of(opt.required(options, "layout", content.name), content.name))

    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of the file."""
        del inside
        slots = layout_of(opt.required(options, "layout", content.name), content.name)
        matching = reading.match([slot.name for slot in slots], content.name)
        lines = _lines(content, slots, options)
        columns = [column.name for column in reading.request.columns]
        decode = partial(
            _decoded,
            name=content.name,
            encoding=opt.encoding({"encoding": "gb18030", **options}, content.name),
            keep=opt.choice(options, "padding", ("strip", "keep"), content.name) == "keep",
        )
        while batch := list(islice(lines, ROWS_PER_BATCH)):
            arrays = [
                pa.nulls(len(batch), pa.string())
                if index is None
                else pa.array(decode(batch, slots[index]), pa.string())
                for index in matching.indexes
            ]
            yield pa.table(arrays, names=columns)


class _Line(NamedTuple):
    number: int
    offset: int
    data: bytes


def _lines(content: Content, slots: tuple[Slot, ...], options: Mapping[str, str]) -> Iterator[_Line]:
    expected = max(slot.start + slot.width for slot in slots)
    skip = opt.integer(options, "header_rows", 0, content.name)
    offset = 0
    with content.open() as file:
        number = 0
        try:
            while raw := file.readline(LINE_BYTES):
                number += 1
                data = raw.removesuffix(b"\n").removesuffix(b"\r")
                if number > skip and data:
                    where = f"{content.name}:{number}"
                    if len(data) < expected and not raw.endswith(b"\n"):
                        raise SourceIncompleteError(problem="truncated", where=where)
                    if len(data) != expected:
                        raise SourceShapeError(problem="record_length", where=where, found=len(data), expected=expected)
                    yield _Line(number, offset, data)
                offset += len(raw)
        except OSError as failure:
            raise SourceUnavailableError(
                problem="file_unreadable", where=content.name, detail=failure.strerror or "I/O"
            ) from None


def _decoded(batch: list[_Line], slot: Slot, *, name: str, encoding: str, keep: bool) -> list[str]:
    start, end = slot.start, slot.start + slot.width
    values = []
    for line in batch:
        part = line.data[start:end]
        try:
            values.append((part if keep else part.rstrip(b" ")).decode(encoding))
        except UnicodeDecodeError as failure:
            # A field that begins or ends inside a character shows a wrong layout or a wrong encoding.
            raise SourceEncodingError(
                problem="bad_bytes",
                where=f"{name}:{line.number}",
                offset=line.offset + start + failure.start,
                encoding=encoding,
            ) from None
    return values
