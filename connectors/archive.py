"""Open zip archives without trusting them: bounded in members, ratio and size, never extracted to a path.

Leaves what the members hold to the kinds (zip-csv; a workbook is a zip archive too).
"""

from __future__ import annotations

import fnmatch
import io
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from connectors.errors import (
    SourceDeniedError,
    SourceHostileError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
)
from connectors.files import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Deflate cannot do better than 1,032:1; the most repetitive register exports we made stay below 60:1. The ratio is
# judged only past a size that no machine minds, so that a small file of blanks is not a bomb.
MOST_RATIO = 250
RATIO_FROM_BYTES = 64 * 1024 * 1024
# A province's whole register of 50 million rows of 300 bytes fits; a disk does not fill from one archive.
MOST_BYTES = 16 * 1024**3
MOST_MEMBERS = 10_000
ENCRYPTED_FLAG = 0x1
ZIP_MAGIC = b"PK"


@contextmanager
def opened(path: Path, name_encoding: str = "gb18030") -> Iterator[zipfile.ZipFile]:
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
