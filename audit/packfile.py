"""The file of an evidence pack: a zip archive of one form, so that the same content is the same bytes.

Stored, not compressed; in the order of names; every date 1980-01-01. What is in the files is left to `audit.pack`,
which writes what it has read again and compares: bytes that readers of archives could take in two ways do not pass.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from typing import TYPE_CHECKING, Final

from .errors import InputInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PACK_BYTES: Final = 512 * 1024 * 1024
MAX_FILES: Final = 65_000  # An archive with more has another form (zip64).
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16
_UNIX: Final = 3
_NAME: Final = re.compile(r"[A-Za-z0-9]+[A-Za-z0-9._-]*(/[A-Za-z0-9]+[A-Za-z0-9._-]*)?", re.ASCII)


class PackUnreadableError(InputInvalidError):
    """Not a pack, or one that was cut off or made to harm."""

    en = "This is no evidence pack: {problem}."
    zh = "这不是证据包：{problem}。"


class PackTooLargeError(InputInvalidError):
    """Make several packs of fewer entries."""

    en = (
        "The pack would have {files} files and {size_bytes} bytes, at most {limit} and {limit_bytes} fit. Make several."
    )
    zh = "证据包将有 {files} 个文件、{size_bytes} 字节，上限为 {limit} 个、{limit_bytes} 字节。请分成多个。"


def write(files: Mapping[str, bytes]) -> bytes:
    """The archive of *files*, by name.

    Raises:
        PackTooLargeError: more, or larger, than a pack may be.
    """
    size = sum(map(len, files.values()))
    if len(files) > MAX_FILES or size > MAX_PACK_BYTES:
        raise PackTooLargeError(files=len(files), size_bytes=size, limit=MAX_FILES, limit_bytes=MAX_PACK_BYTES)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr, info.create_system = _MODE, _UNIX
            archive.writestr(info, files[name])
    return made.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    """The files of an archive. Nothing is unpacked to a disk, and no more is read than *data* has.

    Raises:
        PackUnreadableError: no archive, a compressed or encrypted one, a name twice, or one that leads elsewhere.
    """
    if len(data) > MAX_PACK_BYTES:
        raise PackUnreadableError(problem=f"it has more than {MAX_PACK_BYTES} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check(infos, len(data))
            return {info.filename: archive.read(info) for info in infos}
    except (
        *(zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, LookupError),
        *(struct.error, OverflowError),
    ) as error:
        raise PackUnreadableError(problem="the archive is damaged, or cut off") from error


def _check(infos: list[zipfile.ZipInfo], size: int) -> None:
    if len(infos) > MAX_FILES:
        raise PackUnreadableError(problem=f"it holds more than {MAX_FILES} files")
    seen = set()
    for info in infos:
        name = info.filename
        if not _NAME.fullmatch(name):
            raise PackUnreadableError(problem=f"a file has the name {name[:60]!a}, which leads elsewhere")
        if name in seen:
            raise PackUnreadableError(problem=f"two files have the name `{name}`")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise PackUnreadableError(problem=f"`{name}` is compressed or encrypted")
        seen.add(name)
    # Stored files are as long as they say. More than there is means that some lie upon each other.
    if sum(info.file_size + len(info.filename) for info in infos) > size:
        raise PackUnreadableError(problem="its files are longer than it is")
