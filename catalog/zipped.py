"""Opens zip archives that strangers made, within bounds; a bomb is refused before it unpacks.

What the parts of an archive mean is left to the readers of workbooks and of CSV files.
"""

from __future__ import annotations

import io
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from zlib import error as ZlibError  # noqa: N812 - a class, named so in zlib

from catalog.errors import ListUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A workbook has some thirty parts. Python makes an object for each entry of an archive before anyone may count them,
# and a quarter of a gigabyte holds millions of entries: hence their marks are counted first.
MAX_PARTS: Final = 4_000
_ENTRY_MARK: Final = b"PK\x01\x02"
CHUNK_BYTES: Final = 1 << 20


@contextmanager
def opened(data: bytes, name: str, max_mib: int) -> Iterator[zipfile.ZipFile]:
    """The archive in *data*, whose parts unpack to no more than *max_mib* together.

    Reading a part gives no more than its declared size and checks its sum: a lying size is damage.

    Raises:
        ListUnreadableError: encrypted, damaged (also while a part is read), no archive, or beyond the bounds.
    """
    if data.count(_ENTRY_MARK) > MAX_PARTS:
        raise ListUnreadableError(path=name, why="too_many_parts", detail=f"{MAX_PARTS:,}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(part.flag_bits & 1 for part in archive.infolist()):
                raise ListUnreadableError(path=name, why="encrypted")
            if sum(part.file_size for part in archive.infolist()) > max_mib << 20:
                raise ListUnreadableError(path=name, why="too_big", detail=str(max_mib))
            yield archive
    except (zipfile.BadZipFile, EOFError, ZlibError, NotImplementedError, OSError, UnicodeDecodeError) as error:
        raise ListUnreadableError(path=name, why="truncated", detail=str(error)) from error


def named(part: zipfile.ZipInfo) -> str:
    """The name of a part; Windows writes Chinese ones in its own encoding without saying so."""
    if part.flag_bits & 0x800:
        return part.filename
    try:
        data = part.filename.encode("cp437")
    except UnicodeEncodeError:
        return part.filename
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return part.filename
