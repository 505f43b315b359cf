"""Find the files of an object in a place, refuse the unfinished, and read them one after the other as one object.

Leaves where the files lie to `connectors.places`, what they are packed in to `connectors.archive`, and what is inside
them to each kind (`FileConnector.tables`).
"""

from __future__ import annotations

import fnmatch
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from connectors import options as opt
from connectors.archive import Content, contents
from connectors.cursor import tracker
from connectors.errors import (
    ConnectorSettingsError,
    SourceIncompleteError,
    SourceObjectMissingError,
)
from connectors.headings import Matching, match
from connectors.landing import Landed, land
from connectors.places import Door, Found, opened, place_of, spooled, unreadable
from connectors.protocol import Batch
from connectors.retry import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from connectors.protocol import ReadRequest

# Reading files of this machine is used beyond this module's kinds.
__all__ = ["FileConnector", "Reading", "chosen", "opened", "unreadable"]

# Names under which other programs keep what they have not finished; "~$" is a workbook open in an office program.
UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".landing")
HIDDEN_PREFIXES = (".", "~$")


@dataclass(slots=True)
class Reading:
    """What one read gathers beside the rows: aliases met and headings left over, over all files of the object."""

    request: ReadRequest
    beside: Path
    """The folder of the landed file, for what must spill."""
    renamed: dict[tuple[str, str], None] = field(default_factory=dict)
    extra: dict[str, None] = field(default_factory=dict)
    found: set[int] | None = None
    """Positions of the columns that some file, table or record had; None while no headings were seen at all."""
    types: dict[str, str] = field(default_factory=dict)
    """The types the source declares, in its own words, by column."""

    def note(self, matching: Matching) -> None:
        """Remember what *matching* found."""
        self.renamed.update(dict.fromkeys(matching.renamed))
        self.extra.update(dict.fromkeys(matching.extra))
        found = {position for position, index in enumerate(matching.indexes) if index is not None}
        self.found = found if self.found is None else self.found | found

    def declare(self, matching: Matching, types: Sequence[str]) -> None:
        """Remember the types of the headings that *matching* was made of."""
        for column, index in zip(self.request.columns, matching.indexes, strict=True):
            if index is not None:
                self.types[column.name] = types[index]

    @property
    def absent(self) -> tuple[str, ...]:
        """The requested columns that the source has nowhere."""
        if self.found is None:
            return ()
        return tuple(column.name for position, column in enumerate(self.request.columns) if position not in self.found)

    def batch(self, path: Path, landed: Landed, cursor: str | None) -> Batch:
        """The batch of this read."""
        return Batch(
            path,
            landed.sha256,
            landed.rows,
            cursor,
            tuple(self.renamed),
            tuple(self.extra),
            self.absent,
            MappingProxyType(dict(self.types)),
        )

    def match(self, headings: Sequence[str], where: str, short: Sequence[str] = ()) -> Matching:
        """Match the headings of one file, sheet or table, and remember the outcome."""
        matching = match(self.request.columns, headings, where, short=short)
        self.note(matching)
        return matching


def chosen(door: Door, pattern: str, options: Mapping[str, str]) -> list[Found]:
    """The files of the place that match *pattern* (a glob over the path within it), by name.

    Options: ``take=last`` reads only the last by name (drops that each hold everything); ``done=NAME`` demands a
    marker file, where ``{name}`` and ``{stem}`` stand for each data file's own.

    Raises:
        SourceUnavailableError: the folder is not there.
        SourceObjectMissingError: nothing matches.
        SourceIncompleteError: only unfinished files match, or the marker is not there yet.
        ConnectorSettingsError: *pattern* leads out of the folder.
    """
    wanted = PurePosixPath(pattern)
    if not wanted.parts or wanted.is_absolute() or ".." in wanted.parts:
        raise ConnectorSettingsError(problem="path_escapes", where=door.where, object=pattern)
    # Not even a name written out in full picks up what its writer has not finished.
    files = [found for found in door.find(wanted) if not _unfinished(PurePosixPath(found.name).name)]
    if not files:
        names = door.beside(wanted)
        halves = [n for n in names if _unfinished(n) and fnmatch.fnmatch(_finished_name(n), wanted.name)]
        if halves:
            shown = "、".join(sorted(halves)[:3])
            raise SourceIncompleteError(problem="only_unfinished", where=door.where, found=shown, pattern=pattern)
        raise SourceObjectMissingError(problem="no_file", where=door.where, pattern=pattern)
    if opt.choice(options, "take", ("all", "last"), pattern) == "last":
        files = files[-1:]
    marker = options.get("done", "")
    for found in files if marker else ():
        path = PurePosixPath(found.name)
        name = marker.replace("{name}", path.name).replace("{stem}", path.stem)
        if not door.has(str(path.parent / name)):
            raise SourceIncompleteError(problem="done_marker_missing", where=path.name, marker=name)
    return files


def _unfinished(name: str) -> bool:
    return name.startswith(HIDDEN_PREFIXES) or name.lower().endswith(UNFINISHED_SUFFIXES)


def _finished_name(name: str) -> str:
    for suffix in UNFINISHED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.lstrip(".").removeprefix("~$")


class _Inside(NamedTuple):
    """What to read in each file: the glob of members where it is an archive, the kind's own part, and a folder."""

    members: str | None
    what: str
    spool: Path


class FileConnector(ABC):
    """Files of a place, read in name order as one object; the kinds say how one file is read.

    Settings: those of the place (`connectors.places`); any other setting is a default for the option of the same name
    (``encoding``, ``delimiter`` …). The object is a glob, to which a kind may add what to read inside a file. A glob
    that ends with ``.zip`` means archives, and a second one after ``#`` their members (`MEMBERS` of the kind if left
    out; ``name_encoding``, default gb18030, for names that do not say they are UTF-8). A file or member whose name
    ends with ``.gz`` is unpacked.
    """

    kind: ClassVar[str]
    MEMBERS: ClassVar[str] = "*"

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Callable[[str], str] | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.place = place_of(settings, secrets, waiting or Waiting(), self.kind)
        self._defaults = dict(settings)

    def options(self, own: Mapping[str, str]) -> dict[str, str]:
        """The request's options over the connector's settings."""
        return {**self._defaults, **own}

    def split(self, name: str) -> tuple[str, str]:
        """Split an object's name into the glob of its files (or members) and what to read inside each."""
        return name, ""

    def is_archive(self, pattern: str) -> bool:
        """Whether the files of this glob are archives."""
        return pattern.lower().endswith(".zip")

    @abstractmethod
    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The headings of one file."""

    @abstractmethod
    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of one file: the requested columns as text, in order. Reads *content* to its end."""

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The headings of the object's first file; see `connectors.protocol.Connector.probe`."""
        merged = self.options(options)
        pattern, members, inside = self._parts(object)
        with (
            tempfile.TemporaryDirectory(prefix="zhengtong-") as name,
            self.place.opened(spool := Path(name)) as door,
            door.local(chosen(door, pattern, merged)[0]) as path,
            contents(path, members, spool, merged.get("name_encoding", "")) as found,
        ):
            return self.headings(next(found), inside, merged)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land all files of the object; see `connectors.protocol.Connector.read`."""
        merged = self.options(request.options)
        parts = self._parts(request.object)
        follow = tracker(request)
        reading = Reading(request, into.parent)
        with spooled(into) as spool, self.place.opened(spool) as door:
            files = chosen(door, parts[0], merged)
            tables = self._all(door, files, _Inside(*parts[1:], spool), reading, merged)
            landed = land(request, tables, into, follow)
        return reading.batch(into, landed, follow.value)

    def _parts(self, name: str) -> tuple[str, str | None, str]:
        """The glob of the files, that of the members where they are archives, and what to read inside each."""
        files, _, rest = name.partition("#")
        if self.is_archive(files):
            members, inside = self.split(rest)
            return files, members or self.MEMBERS, inside
        pattern, inside = self.split(name)
        return pattern, None, inside

    def _all(
        self, door: Door, files: list[Found], within: _Inside, reading: Reading, options: Mapping[str, str]
    ) -> Iterator[pa.Table]:
        for file in files:
            with (
                door.local(file) as path,
                contents(path, within.members, within.spool, options.get("name_encoding", "")) as found,
            ):
                for content in found:
                    yield from self.tables(content, within.what, reading, options)
