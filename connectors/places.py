"""Where files lie: a folder, an SFTP server or an object store. What the files are is no matter of this module.

Leaves the protocols to `connectors.sftp` and `connectors.objects`, which of the files belong to an object to
`connectors.files`, and what is in them to the kinds.

Setting ``place``: ``folder`` (the default; setting ``folder``), ``sftp`` or ``s3`` (settings in those modules). Files
that lie elsewhere are fetched into a spool folder beside the landed file (``.NAME.spool``) and removed once they are
read. A file whose fetching breaks off stays there: the next read to the same name goes on with it at the same byte if
it is still of the same size and time, and this machine has not been started anew since.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from connectors import options as opt
from connectors.errors import (
    LandingFailedError,
    SourceDeniedError,
    SourceIncompleteError,
    SourceShapeError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from io import FileIO

    from connectors.retry import Waiting

PLACES = ("folder", "sftp", "s3")
BLOCK_BYTES = 1024 * 1024
# What of a broken-off fetch is compared with the source before it goes on: a tail that was not written is noticed.
OVERLAP_BYTES = 64 * 1024
# A drop folder holds thousands of files; a listing without end is a loop of links, or not the folder that was meant.
MOST_ENTRIES = 1_000_000
DEEPEST = 32


class Found(NamedTuple):
    """A file of a place: its path below the place's folder, its size, and a mark that changes when its content does."""

    name: str
    size_bytes: int
    mark: str


class Entry(NamedTuple):
    """What a folder holds: a bare name, and the file if it is none itself a folder."""

    name: str
    is_folder: bool
    size_bytes: int = 0
    mark: str = ""


class Door(Protocol):
    """A place while it is open. Every method raises `connectors.errors.ConnectorError` only."""

    @property
    def where(self) -> str:
        """The place, as messages call it."""

    def find(self, pattern: PurePosixPath) -> list[Found]:
        """The files whose path matches *pattern* (as `pathlib.Path.glob` has it), by name."""

    def beside(self, pattern: PurePosixPath) -> list[str]:
        """The bare names of all that lies in the last folder of *pattern*."""

    def has(self, name: str) -> bool:
        """Whether a file of this path is there."""

    def local(self, found: Found) -> AbstractContextManager[Path]:
        """The file as a local one of the same bare name, of one moment.

        Raises:
            SourceIncompleteError: it is no longer the file that was found, or becomes another in the block.
        """


class Place(Protocol):
    """Where a system's files lie; may be opened by many threads at once."""

    def opened(self, spool: Path) -> AbstractContextManager[Door]:
        """The place, open; what must be fetched goes to the folder *spool*, which is made when needed."""


def place_of(settings: Mapping[str, str], secrets: Callable[[str], str] | None, waiting: Waiting, kind: str) -> Place:
    """The place that *settings* name; nothing is opened yet.

    Raises:
        ConnectorSettingsError: a setting is missing or wrong.
    """
    name = opt.choice(settings, "place", PLACES, kind)
    if name == "folder":
        return Folder(Path(opt.required(settings, "folder", kind)))
    resolve = secrets or _no_secrets
    # Imported on use: who reads a folder should not load SSH and HTTP clients.
    if name == "sftp":
        from connectors.sftp import Sftp  # noqa: PLC0415

        return Sftp(settings, resolve, waiting, kind)
    from connectors.objects import Bucket  # noqa: PLC0415

    return Bucket(settings, resolve, waiting, kind)


def _no_secrets(reference: str) -> str:
    raise SourceDeniedError(problem="secret_missing", where="connectors", reference=reference)


# --- a folder of this machine


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


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine, or a share mounted on it. Its files are read where they lie."""

    folder: Path

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.folder)

    @contextmanager
    def opened(self, spool: Path) -> Iterator[Door]:
        """The folder, which must be there."""
        del spool
        if not self.folder.is_dir():
            raise SourceUnavailableError(problem="folder_missing", where=self.where)
        yield self

    def find(self, pattern: PurePosixPath) -> list[Found]:
        """The files that match *pattern*."""
        try:
            paths = [path for path in self.folder.glob(str(pattern)) if path.is_file()]
        except OSError as failure:
            raise unreadable(self.folder, failure) from None
        return sorted(Found(path.relative_to(self.folder).as_posix(), 0, "") for path in paths)

    def beside(self, pattern: PurePosixPath) -> list[str]:
        """The names in the last folder of *pattern*."""
        folder = self.folder.joinpath(*pattern.parts[:-1])
        return [path.name for path in folder.iterdir()] if folder.is_dir() else []

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self.folder / name).is_file()

    @contextmanager
    def local(self, found: Found) -> Iterator[Path]:
        """The file itself, watched."""
        path = self.folder / found.name
        with watched(path):
            yield path


# --- elsewhere


class Remote(ABC):
    """A place whose files are fetched; the protocols say how one lists, looks and reads.

    The methods of a protocol raise ConnectorError; a SourceUnavailableError among them is tried again, after
    `reconnect`, as often as *waiting* says, and without end as long as each try brings the fetch a block further.
    """

    def __init__(self, where: str, spool: Path, waiting: Waiting) -> None:
        self.where = where
        self._spool = spool
        self._waiting = waiting

    @abstractmethod
    def entries(self, folder: str) -> Iterator[Entry]:
        """What the folder of this path ("" for the place's own) holds; nothing where there is no such folder."""

    @abstractmethod
    def look(self, name: str) -> Found | None:
        """The file of this path as it is now, or None."""

    @abstractmethod
    def blocks(self, found: Found, offset: int) -> Iterator[bytes]:
        """The bytes of the file from *offset*, in blocks of any size."""

    @abstractmethod
    def reconnect(self) -> None:
        """Begin anew after a failure."""

    def verify(self, found: Found, path: Path) -> None:  # noqa: B027  # most protocols have no more to say
        """Compare what was fetched with what the place says of it.

        Raises:
            SourceIncompleteError: it is something else.
        """

    def find(self, pattern: PurePosixPath) -> list[Found]:
        """The files that match *pattern*."""
        return sorted(set(self._matches("", pattern.parts, 0)))

    def _matches(self, folder: str, parts: tuple[str, ...], depth: int) -> Iterator[Found]:
        part, rest = parts[0], parts[1:]
        if depth > DEEPEST:
            raise SourceShapeError(problem="too_many_files", where=f"{self.where}/{folder}", limit=DEEPEST)
        if part == "**":
            if rest:
                yield from self._matches(folder, rest, depth)
            for entry in self._bounded(folder):
                if entry.is_folder:
                    yield from self._matches(f"{folder}{entry.name}/", parts, depth + 1)
            return
        for entry in self._bounded(folder):
            if not fnmatch.fnmatchcase(entry.name, part):
                continue
            if rest and entry.is_folder:
                yield from self._matches(f"{folder}{entry.name}/", rest, depth + 1)
            elif not rest and not entry.is_folder:
                yield Found(folder + entry.name, entry.size_bytes, entry.mark)

    def _bounded(self, folder: str) -> Iterator[Entry]:
        for count, entry in enumerate(self.entries(folder)):
            if count == MOST_ENTRIES:
                raise SourceShapeError(problem="too_many_files", where=f"{self.where}/{folder}", limit=MOST_ENTRIES)
            yield entry

    def beside(self, pattern: PurePosixPath) -> list[str]:
        """The names in the last folder of *pattern*; none where the folder itself is a pattern."""
        folder = "".join(f"{part}/" for part in pattern.parts[:-1])
        return [entry.name for entry in self._bounded(folder)]

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return self.look(name) is not None

    @contextmanager
    def local(self, found: Found) -> Iterator[Path]:
        """The file, fetched; it is gone again after the block, unless its fetching broke off."""
        slot = self._slot(found)
        path = slot / PurePosixPath(found.name).name
        try:
            self._fetch(found, path)
            try:
                yield path
            except SourceShapeError:
                # A file that is still being sent is cut anywhere.
                self._check_same(found)
                raise
        except SourceUnavailableError:
            # What was fetched so far stays for the next read to go on with.
            if not any(part.stat().st_size for part in slot.iterdir()):
                shutil.rmtree(slot, ignore_errors=True)
            raise
        except BaseException:
            shutil.rmtree(slot, ignore_errors=True)
            raise
        shutil.rmtree(slot, ignore_errors=True)

    def _slot(self, found: Found) -> Path:
        """The folder of this very content; those of the same name with other contents are removed."""
        name = _digest(self.where, found.name)
        content = _digest(str(found.size_bytes), found.mark, _boot())
        slot = self._spool / f"{name}-{content}"
        try:
            slot.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise unwritable(slot, failure) from None
        for other in self._spool.glob(f"{name}-*"):
            if other != slot:
                shutil.rmtree(other, ignore_errors=True)
        return slot

    def _fetch(self, found: Found, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        attempt, reached = 1, 0
        while True:
            try:
                self._go_on(found, part)
                break
            except SourceUnavailableError:
                have = part.stat().st_size if part.exists() else 0
                # Progress pays for another round: a line that breaks every few minutes must still end some day.
                attempt = 1 if have >= reached + BLOCK_BYTES else attempt + 1
                reached = max(reached, have)
                if attempt > self._waiting.attempts:
                    raise
            self._waiting.sleep(self._waiting.backoff_s(attempt))
            with suppress(SourceUnavailableError):
                self.reconnect()
        self._check_same(found)
        self.verify(found, part)
        part.rename(path)

    def _go_on(self, found: Found, part: Path) -> None:
        """Fetch what is missing in *part*, after a look at whether the file is still the one that was found."""
        self._check_same(found)
        try:
            # Not buffered: every failure to write then shows where it happens.
            file = part.open("r+b" if part.exists() else "x+b", buffering=0)
        except OSError as failure:
            raise unwritable(part, failure) from None
        with file:
            have = min(file.seek(0, os.SEEK_END), found.size_bytes)
            offset = max(0, have - OVERLAP_BYTES)
            file.seek(offset)
            known = file.read(have - offset)
            file.seek(offset)
            for block in self.blocks(found, offset):
                if known[: len(block)] != block[: len(known)]:
                    # Not what was there the last time, whatever its size and time say: from the beginning, then.
                    file.truncate(0)
                    raise SourceIncompleteError(problem="changed_while_read", where=found.name)
                known = known[len(block) :]
                offset += len(block)
                if offset > found.size_bytes:
                    raise SourceIncompleteError(problem="changed_while_read", where=found.name)
                _write(file, block, part)
            if offset != found.size_bytes:
                raise SourceUnavailableError(problem="connection_lost", where=found.name)
            file.truncate(offset)

    def _check_same(self, found: Found) -> None:
        if self.look(found.name) != found:
            raise SourceIncompleteError(problem="changed_while_read", where=found.name) from None


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="surrogateescape")).hexdigest()[:16]


def _boot() -> str:
    """When this machine was started: what was not synced before that may be lost, whatever the file's length says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return ""


def _write(file: FileIO, block: bytes, path: Path) -> None:
    view = memoryview(block)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as failure:
        raise unwritable(path, failure) from None


def unwritable(path: Path, failure: OSError) -> LandingFailedError:
    """The error for a file of our own that could not be written."""
    if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
        return LandingFailedError(problem="disk_full", where=str(path))
    detail = os.strerror(failure.errno) if failure.errno else type(failure).__name__
    return LandingFailedError(problem="cannot_write", where=str(path), detail=detail)


@contextmanager
def spooled(into: Path) -> Iterator[Path]:
    """The spool folder of a read to *into*: gone after the block, unless a fetch broke off in it."""
    spool = into.parent / f".{into.name}.spool"
    try:
        yield spool
    except SourceUnavailableError:
        with suppress(OSError):
            spool.rmdir()
        raise
    except BaseException:
        shutil.rmtree(spool, ignore_errors=True)
        raise
    shutil.rmtree(spool, ignore_errors=True)
