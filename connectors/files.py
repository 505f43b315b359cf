"""Find the files of an object in a folder, refuse the unfinished, and notice one that changes while it is read.

Leaves what is inside the files to each kind (`FileConnector.tables`).
"""

from __future__ import annotations

import errno
import fnmatch
import os
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from connectors import options as opt
from connectors.cursor import tracker
from connectors.errors import (
    ConnectorSettingsError,
    SourceDeniedError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.headings import Matching, match
from connectors.landing import land
from connectors.protocol import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    import pyarrow as pa

    from connectors.protocol import ReadRequest

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

    def note(self, matching: Matching) -> None:
        """Remember what *matching* found."""
        self.renamed.update(dict.fromkeys(matching.renamed))
        self.extra.update(dict.fromkeys(matching.extra))

    def match(self, headings: Sequence[str], where: str, short: Sequence[str] = ()) -> Matching:
        """Match the headings of one file, sheet or table, and remember the outcome."""
        matching = match(self.request.columns, headings, where, short=short)
        self.note(matching)
        return matching


def opened(path: Path) -> BinaryIO:
    """Open *path* for reading, its failure named by what the caller does next."""
    try:
        return path.open("rb")
    except OSError as failure:
        raise unreadable(path, failure) from None


def unreadable(path: Path, failure: OSError) -> SourceDeniedError | SourceUnavailableError:
    """The error for a file that the operating system would not give us."""
    if failure.errno in {errno.EACCES, errno.EPERM}:
        return SourceDeniedError(problem="file_denied", where=path.name)
    detail = os.strerror(failure.errno) if failure.errno else type(failure).__name__
    return SourceUnavailableError(problem="file_unreadable", where=path.name, detail=detail)


@contextmanager
def watched(path: Path) -> Iterator[None]:
    """Raise SourceIncompleteError when *path* is not the same file, of the same size and time, after the block.

    Also turns an error of shape into "incomplete" when the file changed: a row cut by a writer is not ragged.
    """
    before = _mark(path)
    try:
        yield
    except SourceShapeError:
        if _mark(path) != before:
            raise SourceIncompleteError(problem="changed_while_read", where=path.name) from None
        raise
    if _mark(path) != before:
        raise SourceIncompleteError(problem="changed_while_read", where=path.name)


def _mark(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError as failure:
        raise unreadable(path, failure) from None
    return status.st_ino, status.st_size, status.st_mtime_ns


def files_of(folder: Path, pattern: str, options: Mapping[str, str]) -> list[Path]:
    """The files in *folder* that match *pattern* (a glob over the path within it), by name.

    Options: ``take=last`` reads only the last by name (drops that each hold everything); ``done=NAME`` demands a
    marker file, where ``{name}`` and ``{stem}`` stand for each data file's own.

    Raises:
        SourceUnavailableError: the folder is not there.
        SourceObjectMissingError: nothing matches.
        SourceIncompleteError: only unfinished files match, or the marker is not there yet.
        ConnectorSettingsError: *pattern* leads out of the folder.
    """
    parts = PurePosixPath(pattern).parts
    if not parts or pattern.startswith("/") or ".." in parts:
        raise ConnectorSettingsError(problem="path_escapes", where=str(folder), object=pattern)
    if not folder.is_dir():
        raise SourceUnavailableError(problem="folder_missing", where=str(folder))
    try:
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
    except OSError as failure:
        raise unreadable(folder, failure) from None
    # A name written out in full is taken at its word; a glob never picks up hidden or unfinished files.
    files = [path for path in found if not _unfinished(path.name)]
    if not files:
        beside = folder.joinpath(*parts[:-1])
        names = [p.name for p in beside.iterdir()] if beside.is_dir() else []
        halves = [n for n in names if _unfinished(n) and fnmatch.fnmatch(_finished_name(n), parts[-1])]
        if halves:
            shown = "、".join(sorted(halves)[:3])
            raise SourceIncompleteError(problem="only_unfinished", where=str(folder), found=shown, pattern=pattern)
        raise SourceObjectMissingError(problem="no_file", where=str(folder), pattern=pattern)
    if opt.choice(options, "take", ("all", "last"), pattern) == "last":
        files = files[-1:]
    marker = options.get("done", "")
    for path in files if marker else ():
        name = marker.replace("{name}", path.name).replace("{stem}", path.stem)
        if not (path.parent / name).is_file():
            raise SourceIncompleteError(problem="done_marker_missing", where=path.name, marker=name)
    return files


def _unfinished(name: str) -> bool:
    return name.startswith(HIDDEN_PREFIXES) or name.lower().endswith(UNFINISHED_SUFFIXES)


def _finished_name(name: str) -> str:
    for suffix in UNFINISHED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.lstrip(".").removeprefix("~$")


class FileConnector(ABC):
    """A folder of files read in name order as one object; the kinds say how one file is read.

    Settings: ``folder``; any other setting is a default for the option of the same name (``encoding``, ``delimiter``
    …).
    """

    kind: ClassVar[str]

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.folder = Path(opt.required(settings, "folder", self.kind))
        self._defaults = dict(settings)

    def options(self, own: Mapping[str, str]) -> dict[str, str]:
        """The request's options over the connector's settings."""
        return {**self._defaults, **own}

    def split(self, name: str) -> tuple[str, str]:
        """Split an object's name into the glob of its files and what to read inside each."""
        return name, ""

    @abstractmethod
    def headings(self, path: Path, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The headings of one file."""

    @abstractmethod
    def tables(self, path: Path, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of one file: the requested columns as text, in order."""

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The headings of the object's first file; see `connectors.protocol.Connector.probe`."""
        merged = self.options(options)
        pattern, inside = self.split(object)
        return self.headings(files_of(self.folder, pattern, merged)[0], inside, merged)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land all files of the object; see `connectors.protocol.Connector.read`."""
        merged = self.options(request.options)
        pattern, inside = self.split(request.object)
        follow = tracker(request)
        reading = Reading(request, into.parent)
        files = files_of(self.folder, pattern, merged)
        landed = land(request, self._all(files, inside, reading, merged), into, follow)
        return Batch(into, landed.sha256, landed.rows, follow.value, tuple(reading.renamed), tuple(reading.extra))

    def _all(self, files: list[Path], inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        for path in files:
            with watched(path):
                yield from self.tables(path, inside, reading, options)
