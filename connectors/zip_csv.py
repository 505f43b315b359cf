"""The ``zip-csv`` kind: delimited text files inside zip archives in a folder.

Leaves the bounds against zip bombs to `connectors.archive` and the grammar to `connectors.delimited`.

The object is ``drop*.zip#member.csv``: a glob of archives, then a glob of members (``*.csv`` if left out). Options as
for ``csv``, and ``name_encoding`` (gb18030) for member names that do not say they are UTF-8.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from connectors import archive, delimited
from connectors import options as opt
from connectors.errors import SourceIncompleteError
from connectors.files import FileConnector, Reading
from connectors.text import TextSource

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa


class ZipCsvConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "zip-csv"

    def split(self, name: str) -> tuple[str, str]:
        """The glob of archives and the glob of members."""
        archives, _, members = name.partition("#")
        return archives, members or "*.csv"

    def headings(self, path: Path, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The first record of the first member."""
        with archive.opened(path, options.get("name_encoding") or "gb18030") as opened:
            for source, delimiter in self._sources(opened, path, inside, options):
                return tuple(delimited.headings(source, delimiter))
        return ()

    def tables(self, path: Path, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of all matching members, by member name."""
        wanted = opt.choice(options, "final_newline", ("required", "optional"), path.name)
        with archive.opened(path, options.get("name_encoding") or "gb18030") as opened:
            for source, delimiter in self._sources(opened, path, inside, options):
                yield from delimited.tables(source, delimiter, reading)
                if wanted == "required" and not delimited.final_newline(source):
                    raise SourceIncompleteError(problem="no_final_newline", where=source.name)

    def _sources(
        self, opened: zipfile.ZipFile, path: Path, inside: str, options: Mapping[str, str]
    ) -> Iterator[tuple[TextSource, str]]:
        delimiter = delimited.delimiter_of(options.get("delimiter", ""), path.name)
        encoding = opt.encoding(options, path.name)
        for member in archive.members_of(opened, inside, path):
            name = f"{path.name}#{member.filename}"
            yield TextSource(name, partial(_open_member, opened, path, member), encoding), delimiter


def _open_member(opened: zipfile.ZipFile, path: Path, member: zipfile.ZipInfo) -> BinaryIO:
    return cast("BinaryIO", archive.MemberFile(path, member, lambda: cast("BinaryIO", opened.open(member))))
