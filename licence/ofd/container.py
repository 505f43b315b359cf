"""The ZIP container of an OFD: written in one fixed form, read with nothing left over and nothing unlooked at.

What the files in it mean is left to `licence.ofd.read`.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONTAINER_BYTES: Final = 64 << 20
MAX_ENTRIES: Final = 4096
MAX_ENTRY_BYTES: Final = 32 << 20
MAX_TOTAL_BYTES: Final = 128 << 20
MAX_NAME_BYTES: Final = 512

_LOCAL, _CENTRAL, _END, _DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08"
_LOCAL_HEAD, _CENTRAL_HEAD, _END_HEAD = (
    struct.Struct("<4s5H3L2H"),
    struct.Struct("<4s6H3L5H2L"),
    struct.Struct("<4s4H2LH"),
)
_STORED, _DEFLATED = 0, 8
# Encrypted in one of three ways, or a patch of other data.
_REFUSED_FLAGS = 0x2061
_DESCRIPTOR_FLAG = 0x08
_UNIX, _MAC = 3, 19
_LINK, _TYPE_MASK = 0xA000, 0xF000
_ZIP64_EXTRA, _UNICODE_PATH_EXTRA = 0x0001, 0x7075
# 1980-01-01, the first date the format can say.
_DATE = 0x21
_VERSION = 20


@dataclass(frozen=True, slots=True)
class Container:
    """The files of a container by name, in their order.

    *canonical*: the bytes are those that `pack` makes of these files, so that no byte of the ZIP itself can be altered.
    """

    files: Mapping[str, bytes]
    canonical: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int


def pack(files: Mapping[str, bytes]) -> bytes:
    """The container of *files*, in their order, stored without compression: the same files give the same bytes.

    Compressed data can often be altered without altering what they expand to; stored data cannot.
    """
    body, directory, place = [], [], 0
    for name, data in files.items():
        raw, checksum, size = name.encode("ascii"), zlib.crc32(data), len(data)
        common = (_VERSION, 0, _STORED, 0, _DATE, checksum, size, size, len(raw), 0)
        body += [_LOCAL_HEAD.pack(_LOCAL, *common), raw, data]
        directory += [_CENTRAL_HEAD.pack(_CENTRAL, _VERSION, *common, 0, 0, 0, 0, place), raw]
        place += _LOCAL_HEAD.size + len(raw) + size
    listing = b"".join(directory)
    end = _END_HEAD.pack(_END, 0, 0, len(files), len(files), len(listing), place, 0)
    return b"".join(body) + listing + end


def unpack(data: bytes) -> Container:
    """Read the container *data*; directories in it are no files.

    Raises:
        FormatError: it is no ZIP, holds anything but its entries, or an entry that two readers could read differently.
    """
    if len(data) > MAX_CONTAINER_BYTES:
        raise FormatError("too_large", what="OFD", limit=MAX_CONTAINER_BYTES)
    entries, start = _directory(data)
    _names_differ(entries)
    if sum(e.size for e in entries) > MAX_TOTAL_BYTES or any(e.size > MAX_ENTRY_BYTES for e in entries):
        raise FormatError("ofd_expands_too_far", limit=MAX_TOTAL_BYTES)
    files: dict[str, bytes] = {}
    place = 0
    contents: dict[int, bytes] = {}
    # Entries lie one behind the other from the first byte to the directory, hence neither gaps nor overlaps.
    for entry in sorted(entries, key=lambda e: e.offset):
        if entry.offset != place:
            raise FormatError("ofd_zip_gap", place=place)
        contents[entry.offset], place = _content(data, entry, start)
    if place != start:
        raise FormatError("ofd_zip_gap", place=place)
    for entry in entries:
        if not entry.name.endswith("/"):
            files[entry.name] = contents[entry.offset]
        elif entry.size:
            raise FormatError("ofd_zip_entry", detail="directory with data")
    canonical = all(name.isascii() for name in files) and pack(files) == data
    return Container(files, canonical)


def _directory(data: bytes) -> tuple[list[_Entry], int]:
    """The entries of the central directory, and where it begins."""
    if len(data) < _END_HEAD.size:
        raise FormatError("ofd_not_zip")
    at_end = len(data) - _END_HEAD.size
    magic, disk, first_disk, here, count, length, start, comment = _END_HEAD.unpack_from(data, at_end)
    if magic != _END or comment:
        raise FormatError("ofd_not_zip")
    if disk or first_disk or here != count or start + length != at_end:
        raise FormatError("ofd_zip_gap", place=at_end)
    if not 0 < count <= MAX_ENTRIES:
        raise FormatError("ofd_too_many_entries", limit=MAX_ENTRIES)
    entries, place = [], start
    for _ in range(count):
        if place + _CENTRAL_HEAD.size > at_end:
            raise FormatError("ofd_zip_gap", place=place)
        head = _CENTRAL_HEAD.unpack_from(data, place)
        (magic, made, _, flags, method, _, _, checksum, packed, size, name_size, extra, note, disk, _, mode, offset) = (
            head
        )
        place += _CENTRAL_HEAD.size
        if magic != _CENTRAL or place + name_size + extra + note > at_end:
            raise FormatError("ofd_zip_gap", place=place)
        if disk or note:
            raise FormatError("ofd_zip_entry", detail="comment or second disk")
        if made >> 8 in {_UNIX, _MAC} and (mode >> 16) & _TYPE_MASK == _LINK:
            raise FormatError("ofd_zip_entry", detail="symbolic link")
        _check_extra(data[place + name_size : place + name_size + extra])
        name = _name(data[place : place + name_size])
        entries.append(_Entry(name, flags, method, checksum, packed, size, offset))
        place += name_size + extra
    if place != at_end:
        raise FormatError("ofd_zip_gap", place=place)
    return entries, start


def _content(data: bytes, entry: _Entry, limit: int) -> tuple[bytes, int]:
    """What *entry* holds, and where the next one begins. Nothing of it may reach *limit*."""
    place = entry.offset
    if place + _LOCAL_HEAD.size > limit:
        raise FormatError("ofd_zip_gap", place=place)
    magic, _, flags, method, _, _, checksum, packed, size, name_size, extra = _LOCAL_HEAD.unpack_from(data, place)
    place += _LOCAL_HEAD.size
    inside = place + name_size + extra + entry.packed
    if magic != _LOCAL or inside > limit or _name(data[place : place + name_size]) != entry.name:
        raise FormatError("ofd_zip_gap", place=place)
    _check_extra(data[place + name_size : place + name_size + extra])
    place += name_size + extra
    numbers = (entry.checksum, entry.packed, entry.size)
    later = bool(flags & _DESCRIPTOR_FLAG)
    allowed = {numbers, (0, 0, 0)} if later else {numbers}
    if flags != entry.flags or method != entry.method or (checksum, packed, size) not in allowed:
        raise FormatError("ofd_zip_entry", detail="two headers differ")
    if flags & _REFUSED_FLAGS:
        raise FormatError("ofd_zip_entry", detail="encrypted or patched")
    content = _expand(data[place:inside], entry)
    if len(content) != entry.size or zlib.crc32(content) != entry.checksum:
        raise FormatError("ofd_zip_entry", detail="size or checksum")
    return content, _behind_descriptor(data, inside, numbers) if later else inside


def _expand(raw: bytes, entry: _Entry) -> bytes:
    if entry.method == _STORED:
        return raw
    if entry.method != _DEFLATED:
        raise FormatError("ofd_zip_entry", detail="compression method")
    expander = zlib.decompressobj(-15)
    try:
        # One byte more than declared shows that the declared size is a lie, and costs no more than it.
        content = expander.decompress(raw, entry.size + 1)
    except zlib.error as error:
        raise FormatError("ofd_zip_entry", detail="compressed data") from error
    if not expander.eof or expander.unused_data:
        raise FormatError("ofd_zip_entry", detail="size or checksum")
    return content


def _behind_descriptor(data: bytes, place: int, numbers: tuple[int, int, int]) -> int:
    plain = struct.pack("<3L", *numbers)
    for descriptor in (_DESCRIPTOR + plain, plain):
        # One that reaches into the directory ends behind its beginning, where nothing may begin or end.
        if data.startswith(descriptor, place):
            return place + len(descriptor)
    raise FormatError("ofd_zip_entry", detail="data descriptor")


def _check_extra(extra: bytes) -> None:
    """Refuse extra fields that would give an entry another name or size."""
    place = 0
    while place < len(extra):
        if place + 4 > len(extra):
            raise FormatError("ofd_zip_entry", detail="extra field")
        number, size = struct.unpack_from("<2H", extra, place)
        place += 4 + size
        if place > len(extra) or number in {_ZIP64_EXTRA, _UNICODE_PATH_EXTRA}:
            raise FormatError("ofd_zip_entry", detail="extra field")


def _name(raw: bytes) -> str:
    if len(raw) > MAX_NAME_BYTES:
        raise FormatError("ofd_bad_path")
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("ofd_bad_path") from error
    check_path(name.removesuffix("/"))
    return name


def check_path(path: str) -> None:
    """Fail unless *path* is a plain path within the container.

    Raises:
        FormatError: it is absolute, climbs, names a drive, or holds what file systems read differently.
    """
    # What is empty names no file, and what ends in a dot is `.`, `..` or, to some, the name without it.
    if any(not part or part != part.strip() or part.endswith(".") for part in path.split("/")) or any(
        c in '\\:*?"<>|' or not c.isprintable() for c in path
    ):
        raise FormatError("ofd_bad_path")


def _names_differ(entries: list[_Entry]) -> None:
    """Names that some file system holds to be the same count as the same; a file is no directory as well."""
    folded = [unicodedata.normalize("NFKC", e.name).casefold() for e in entries]
    names = set(folded)
    if len(names) != len(folded):
        raise FormatError("ofd_duplicate_name")
    for name in names:
        # A directory's name ends in a slash: the file of that name is the last thing above it.
        parts = name.split("/")
        if any("/".join(parts[:depth]) in names for depth in range(1, len(parts))):
            raise FormatError("ofd_duplicate_name")
