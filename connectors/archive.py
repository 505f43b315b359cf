"""Open zip archives and gzip files without trusting them: bounded in members, ratio and size, never put under a name.

Leaves what they hold to the kinds, which read a `Content` and do not see what it was packed in (a workbook is a zip
archive too). A checksum is known to hold only once a content was read to its end; every kind does so before a row of
it lands for good.
"""

from __future__ import annotations

import fnmatch
import io
import shutil
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from connectors.errors import (
    SourceDeniedError,
    SourceHostileError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
)
from connectors.places import opened as opened_file
from connectors.places import unreadable, unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

# Deflate cannot do better than 1,032:1; the most repetitive register exports we made stay below 60:1. The ratio is
# judged only past a size that no machine minds, so that a small file of blanks is not a bomb.
MOST_RATIO = 250
RATIO_FROM_BYTES = 64 * 1024 * 1024
# A province's whole register of 50 million rows of 300 bytes fits; a disk does not fill from one archive.
MOST_BYTES = 16 * 1024**3
MOST_MEMBERS = 10_000
ENCRYPTED_FLAG = 0x1
ZIP_MAGIC = b"PK"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_SUFFIX = ".gz"
# What Chinese Windows writes member names in when they do not say that they are UTF-8.
NAME_ENCODING = "gb18030"
# zlib reads the wrapper of RFC 1952, with its checksum, itself.
GZIP_WBITS = 31
BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file, unpacked as they are read. *open* may be called again, to find the line of an error."""

    name: str
    """As messages call it: ``a.csv``, ``a.csv.gz``, ``drop.zip#a.csv``."""
    open: Callable[[], BinaryIO]
    path: Path | None
    """Where the bytes lie as they are; None while they are packed."""
    spool: Path
    """A folder of ours for what must be unpacked as a whole."""

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The content as a file, for kinds that read here and there in it.

        Raises:
            LandingFailedError: the disk is full.
        """
        if self.path is not None:
            yield self.path
            return
        path = self.spool / "unpacked"
        try:
            self._unpack(path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _unpack(self, path: Path) -> None:
        with self.open() as source:
            try:
                self.spool.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    # Whatever reading raises is a ConnectorError, so an OSError is our own disk's.
                    shutil.copyfileobj(source, file, BLOCK_BYTES)
            except OSError as failure:
                raise unwritable(path, failure) from None


@contextmanager
def contents(path: Path, members: str | None, spool: Path, name_encoding: str = "") -> Iterator[Iterator[Content]]:
    """What the file at *path* holds: itself, or the members of the archive that match *members*, unpacked.

    A name that ends with ``.gz``, of the file or of a member, is unpacked too.

    Raises:
        ConnectorError: as `opened` and `members_of`; while a content is read, as `MemberFile` and `GzipFile`.
    """
    if members is None:
        yield iter([_unpacked(Content(path.name, partial(opened_file, path), path, spool), path)])
        return
    with opened(path, name_encoding or NAME_ENCODING) as archive:
        found = members_of(archive, members, path)
        yield (_unpacked(_member(archive, path, member, spool), path) for member in found)


def _member(archive: zipfile.ZipFile, path: Path, member: zipfile.ZipInfo, spool: Path) -> Content:
    def open_member() -> BinaryIO:
        return _buffered(MemberFile(path, member, lambda: cast("BinaryIO", archive.open(member))))

    return Content(f"{path.name}#{member.filename}", open_member, None, spool)


def _unpacked(content: Content, path: Path) -> Content:
    if not content.name.lower().endswith(GZIP_SUFFIX):
        return content
    return Content(content.name, lambda: _buffered(GzipFile(content, path)), None, content.spool)


def _buffered(raw: io.RawIOBase) -> BinaryIO:
    """Reads are as long as asked for, whatever the pieces are that unpacking brings; lines are found in memory."""
    return io.BufferedReader(raw, BLOCK_BYTES)


@contextmanager
def opened(path: Path, name_encoding: str = NAME_ENCODING) -> Iterator[zipfile.ZipFile]:
    """The archive at *path*; member names without the UTF-8 flag are read in *name_encoding* (Chinese Windows).

    Raises:
        SourceIncompleteError: it begins as a zip archive but has no end.
        SourceShapeError: it is no zip archive.
        SourceHostileError: it declares more than the bounds above.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(ZIP_MAGIC))
        archive = zipfile.ZipFile(path, metadata_encoding=name_encoding)
    except OSError as failure:
        raise unreadable(path, failure) from None
    except (zipfile.BadZipFile, UnicodeDecodeError):
        # The directory of an archive stands at its end, so a half-written one has none.
        if magic == ZIP_MAGIC[: len(magic)]:
            raise SourceIncompleteError(problem="truncated", where=path.name) from None
        raise SourceShapeError(problem="not_this_format", where=path.name, kind="zip") from None
    with archive:
        members = archive.infolist()
        check_size(path, sum(member.file_size for member in members))
        if len(members) > MOST_MEMBERS:
            raise SourceHostileError(problem="archive_bomb", where=path.name, limit=f"{MOST_MEMBERS} members")
        yield archive


def check_size(path: Path, unpacked: int) -> None:
    """Raise SourceHostileError when *unpacked* bytes from the archive at *path* are past the bounds."""
    if unpacked > MOST_BYTES:
        raise SourceHostileError(problem="archive_bomb", where=path.name, limit=f"{MOST_BYTES} B")
    if unpacked > RATIO_FROM_BYTES and unpacked > MOST_RATIO * path.stat().st_size:
        raise SourceHostileError(problem="archive_bomb", where=path.name, limit=f"{MOST_RATIO}:1")


def members_of(archive: zipfile.ZipFile, pattern: str, path: Path) -> list[zipfile.ZipInfo]:
    """Members whose name matches *pattern* (its last part alone when the pattern has no slash), by name."""
    found = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and fnmatch.fnmatchcase(member.filename if "/" in pattern else member.filename.rpartition("/")[2], pattern)
    ]
    if not found:
        raise SourceObjectMissingError(problem="no_member", where=path.name, pattern=pattern)
    names = [member.filename for member in found]
    for name in names:
        if names.count(name) > 1:
            # Readers disagree on which of the two counts; that is how one program is shown another content.
            raise SourceHostileError(problem="member_duplicate", where=path.name, member=name)
    for member in found:
        if member.flag_bits & ENCRYPTED_FLAG:
            raise SourceDeniedError(problem="encrypted", where=path.name)
    return sorted(found, key=lambda member: member.filename)


class MemberFile(io.RawIOBase):
    """One member's bytes, counted as they come: the sizes an archive declares may be lies."""

    def __init__(self, path: Path, member: zipfile.ZipInfo, open_member: Callable[[], BinaryIO]) -> None:
        super().__init__()
        self._path = path
        self._member = member
        self._open = open_member
        self._file: BinaryIO | None = None
        self._count = 0

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill *buffer* as far as one `read` does."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to *size* bytes.

        Raises:
            SourceIncompleteError: the member is cut or its checksum does not hold.
            SourceHostileError: it unpacks past the bounds.
        """
        try:
            if self._file is None:
                self._file = self._open()
            data = self._file.read(size)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, zlib.error):
            name = self._member.filename
            raise SourceIncompleteError(problem="archive_damaged", where=self._path.name, member=name) from None
        self._count += len(data)
        check_size(self._path, self._count)
        return data

    def close(self) -> None:
        """Close the member."""
        if self._file is not None:
            self._file.close()
        super().close()


class GzipFile(io.RawIOBase):
    """The unpacked bytes of a gzip file (RFC 1952), of one or several members; counted, and checked by their CRC."""

    def __init__(self, content: Content, path: Path) -> None:
        super().__init__()
        self._content = content
        self._path = path
        self._file: BinaryIO | None = None
        self._inflater = zlib.decompressobj(wbits=GZIP_WBITS)
        self._packed = b""
        self._count = 0
        self._ended = False

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill *buffer* as far as one `read` does."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to *size* bytes.

        Raises:
            SourceIncompleteError: the file ends in the middle, its checksum does not hold, or something else follows.
            SourceShapeError: it is no gzip file.
            SourceHostileError: it unpacks past the bounds.
        """
        if size < 0:
            parts = []
            while data := self.read(BLOCK_BYTES):
                parts.append(data)
            return b"".join(parts)
        try:
            data = b""
            while size and not data and not self._ended:
                data = self._inflate(size)
        except zlib.error:
            raise SourceIncompleteError(problem="gzip_damaged", where=self._content.name) from None
        self._count += len(data)
        check_size(self._path, self._count)
        return data

    def _inflate(self, size: int) -> bytes:
        if self._file is None:
            self._file = self._content.open()
            self._packed = self._file.read(BLOCK_BYTES)
            if not self._packed.startswith(GZIP_MAGIC[: len(self._packed)]):
                raise SourceShapeError(problem="not_this_format", where=self._content.name, kind="gzip")
        packed = self._packed or self._file.read(BLOCK_BYTES)
        if self._inflater.eof:
            # RFC 1952 section 2.2: members follow one another. Tapes fill the rest of their blocks with zeros.
            self._packed = packed.lstrip(b"\0")
            self._ended = not packed
            if self._packed:
                self._inflater = zlib.decompressobj(wbits=GZIP_WBITS)
            return b""
        data = self._inflater.decompress(packed, size)
        if not (packed or data or self._inflater.eof):
            raise SourceIncompleteError(problem="truncated", where=self._content.name)
        self._packed = self._inflater.unconsumed_tail or self._inflater.unused_data
        return data

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        super().close()
