"""The ``ndjson`` kind: files of one JSON object a line.

Leaves JSON itself to `connectors.json_text`, and matching of names to `connectors.records`.

Settings or options: those of `connectors.files`, ``encoding`` (utf-8). Blank lines hold no record. Nested values land
as compact JSON; null and absent as NULL.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

from connectors import json_text
from connectors import options as opt
from connectors.errors import SourceIncompleteError, SourceShapeError
from connectors.files import FileConnector, Reading
from connectors.records import RecordGatherer
from connectors.text import TextSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from connectors.archive import Content
    from connectors.errors import ConnectorError

# A line of more is a file without line ends, not a record.
LINE_BYTES = 16 * 1024 * 1024
RECORDS_PROBED = 100


class NdjsonConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "ndjson"
    MEMBERS = "*.ndjson"

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


def _records(content: Content, options: Mapping[str, str]) -> Iterator[dict[str, str | None]]:
    source = TextSource(content.name, content.open, opt.encoding(options, content.name))
    for number, line, ended in _lines(source):
        if line.isspace() or not line:
            continue
        where = f"{content.name}:{number}"
        try:
            value = json_text.parse(line)
        except json_text.JsonDuplicateError:
            raise SourceShapeError(problem="json_name_duplicate", where=where) from None
        except (json.JSONDecodeError, RecursionError) as failure:
            raise _unparsed(where, failure, ended=ended) from None
        if not isinstance(value, dict):
            raise SourceShapeError(problem="not_an_object", where=where)
        yield json_text.record(value)


def _unparsed(where: str, failure: Exception, *, ended: bool) -> ConnectorError:
    if not ended:
        return SourceIncompleteError(problem="truncated", where=where)
    column = failure.colno if isinstance(failure, json.JSONDecodeError) else 1
    return SourceShapeError(problem="bad_json", where=where, column=column)


def _lines(source: TextSource) -> Iterator[tuple[int, bytes, bool]]:
    """Physical lines with their number, and whether a line end followed."""
    held = b""
    number = 0
    for block in source.blocks():
        *lines, held = (held + block).split(b"\n")
        for line in lines:
            number += 1
            yield number, line, True
        if len(held) > LINE_BYTES:
            where = f"{source.name}:{number + 1}"
            raise SourceShapeError(problem="record_too_long", where=where, limit_bytes=LINE_BYTES)
    if held:
        yield number + 1, held, False
