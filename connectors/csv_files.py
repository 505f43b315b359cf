"""The ``csv`` and ``tsv`` kinds: delimited text files.

Leaves the grammar to `connectors.delimited` and the encoding to `connectors.text`.

Settings or options: those of `connectors.files`; ``encoding`` (utf-8), ``delimiter`` (comma; ``tab``, which is what
``tsv`` takes by itself), ``final_newline`` (required: a last line without its line end is incomplete, even when it has
all its columns; ``optional`` for systems that never write one).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from connectors import delimited
from connectors import options as opt
from connectors.files import FileConnector, Reading
from connectors.text import TextSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from connectors.archive import Content


class CsvConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "csv"
    MEMBERS = "*.csv"
    DELIMITER: ClassVar[str] = ","

    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The first record of the file."""
        del inside
        source, delimiter = self._source(content, options)
        return tuple(delimited.headings(source, delimiter))

    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of the file."""
        del inside
        source, delimiter = self._source(content, options)
        wanted = opt.choice(options, "final_newline", ("required", "optional"), content.name)
        yield from delimited.tables(source, delimiter, reading, newline_required=wanted == "required")

    def _source(self, content: Content, options: Mapping[str, str]) -> tuple[TextSource, str]:
        delimiter = delimited.delimiter_of(options.get("delimiter", ""), content.name, self.DELIMITER)
        return TextSource(content.name, content.open, opt.encoding(options, content.name)), delimiter


class TsvConnector(CsvConnector):
    """The same with tabs."""

    kind = "tsv"
    MEMBERS = "*.tsv"
    DELIMITER = "\t"
