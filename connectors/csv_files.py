"""The ``csv`` kind: delimited text files in a folder.

Leaves the grammar to `connectors.delimited` and the encoding to `connectors.text`.

Settings or options: ``folder``; ``encoding`` (utf-8), ``delimiter`` (comma; ``tab``), ``final_newline`` (required:
a last line without its line end is incomplete, even when it has all its columns; ``optional`` for systems that never
write one), and those of `connectors.files.files_of`. The object is a glob.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from connectors import delimited
from connectors import options as opt
from connectors.errors import SourceIncompleteError
from connectors.files import FileConnector, Reading, opened
from connectors.text import TextSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa


class CsvConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "csv"

    def headings(self, path: Path, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The first record of the file."""
        del inside
        source, delimiter = self._source(path, options)
        return tuple(delimited.headings(source, delimiter))

    def tables(self, path: Path, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of the file."""
        del inside
        source, delimiter = self._source(path, options)
        wanted = opt.choice(options, "final_newline", ("required", "optional"), path.name)
        yield from delimited.tables(source, delimiter, reading)
        # Looked at last, so that a fault that says more is told instead. What was yielded is not landed then.
        if wanted == "required" and not delimited.final_newline(source):
            raise SourceIncompleteError(problem="no_final_newline", where=path.name)

    def _source(self, path: Path, options: Mapping[str, str]) -> tuple[TextSource, str]:
        delimiter = delimited.delimiter_of(options.get("delimiter", ""), path.name)
        return TextSource(path.name, partial(opened, path), opt.encoding(options, path.name)), delimiter
