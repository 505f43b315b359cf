"""Segments: the append-only files in which bodies lie.

Where a body lies is left to `audit.bodyindex`; locks, group commit and retention to `audit.store`, which calls the
writing functions under its lock.

A segment is a header, frames, and a trailer once it is sealed; numbers are big-endian:

- header: magic, number of the segment (64 bits), SHA-256 of both;
- frame: magic, length of what follows the head (32), number of bodies (32), time in microseconds since 1970 (64),
  SHA-256 over these three and the table; the table, a row a body: digest, distance from the row to its place (32),
  length of the salt (16), length of the body (32); then the places: a state byte, the salt, the canonical body;
- trailer: magic, number of bodies (64), the earliest and the latest time (64 each), SHA-256 over the three.

A frame is one write and one sync, and the next is written only after it, so only the last can be torn. A bad frame
with a good one after it is therefore no crash but damage. A frame's digest leaves the places out: a body is held by
its own digest, and erasing one, place by place, leaves the frame good.
"""

from __future__ import annotations

import os
import re
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from .errors import BodyDamagedError, LogDamagedError, storage_error
from .files import sync_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# No byte pair of these appears in UTF-8 text, and salts are random: no body of ours can look like a frame.
_SEGMENT_MAGIC = b"\xffZTB\xfe\x00\xff\x01"
_FRAME_MAGIC = b"\xffZTP\xfe\x00\xff\x01"
_TRAILER_MAGIC = b"\xffZTS\xfe\x00\xff\x01"
_HEADER = struct.Struct(">8sQ32s")
_HEAD = struct.Struct(">8sIIq32s")
_TRAILER = struct.Struct(">8sQqq32s")
ROW = struct.Struct(">32sIHI")
HEADER_BYTES = _HEADER.size
DIGEST_BYTES = 32

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024  # No answer of the hub comes near; it bounds what is searched behind a torn frame.
MAX_SALT_BYTES = 2**16 - 1
# A frame is closed when the next body would pass the maximum, so only a single large body passes it.
_READ_LIMIT_BYTES = MAX_BODY_BYTES + MAX_FRAME_BYTES
_SEARCH_BYTES = 1024 * 1024
# What is read at once in search of heads and tables: the next frame or two at first, then many small ones.
_FIRST_READ_BYTES = 2048
_READ_BYTES = 256 * 1024

LIVE, ERASED = 0xA5, 0x00
_LIVE = bytes([LIVE])
_NAME = re.compile(r"([0-9]{8,})\.bodies")

Item = tuple[bytes, bytes, bytes]
"""(digest as 32 bytes, salt, canonical body)."""


class Frame(NamedTuple):
    """One frame, which begins at *offset* and takes *size_bytes*; *table* holds a row for each of *bodies*."""

    offset: int
    size_bytes: int
    bodies: int
    at_us: int
    head: bytes
    table: bytes

    @property
    def first_row(self) -> int:
        """Where in the segment the first row is."""
        return self.offset + _HEAD.size


@dataclass(frozen=True, slots=True)
class Trailer:
    """What a sealed segment says of itself: *count* bodies, erased ones too, put between the two times."""

    count: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where one body is: *offset* is that of its state byte; *state*, *salt* and *body* are as read."""

    digest: bytes
    offset: int
    state: int
    salt: bytes
    body: bytes

    @property
    def sound(self) -> bool:
        """Whether salt and body give the digest."""
        return self.state == LIVE and sha256(self.salt + self.body).digest() == self.digest

    @property
    def blank(self) -> bool:
        """Whether nothing is left of salt and body."""
        return self.state == ERASED and not any(self.salt) and not any(self.body)


def segment_name(number: int) -> str:
    """The name of segment *number*'s file."""
    return f"{number:08d}.bodies"


def segment_numbers(folder: Path) -> list[int]:
    """The segments of *folder* in order; the last one is written to, the others are sealed.

    Raises:
        StorageFailedError: the folder cannot be read. One that is not there has none.
    """
    try:
        return sorted(int(found[1]) for path in folder.iterdir() if (found := _NAME.fullmatch(path.name)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage_error(error, str(folder)) from error


def create_segment(folder: Path, number: int) -> None:
    """Put an empty segment in place, durable on return; a crash leaves none, or an empty one.

    Raises:
        OSError: it may be there or not.
    """
    path = folder / segment_name(number)
    lead = _SEGMENT_MAGIC + number.to_bytes(8, "big")
    temporary = path.with_name(f".{path.name}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, lead + sha256(lead).digest(), 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    sync_folder(folder)


@contextmanager
def opened(folder: Path, number: int, *, writable: bool = False) -> Iterator[int]:
    """A descriptor of segment *number*, closed at the end.

    Raises:
        FileNotFoundError: it was dropped.
        StorageFailedError: it cannot be opened.
    """
    path = f"{folder}/{segment_name(number)}"
    try:
        fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        yield fd
    finally:
        os.close(fd)


def check_header(fd: int, where: str, number: int) -> None:
    """See that the file is the segment that its name says.

    Raises:
        LogDamagedError: it is not.
    """
    lead = _SEGMENT_MAGIC + number.to_bytes(8, "big")
    if os.pread(fd, HEADER_BYTES, 0) != lead + sha256(lead).digest():
        raise LogDamagedError(where=where, problem="its header is not one")


def encode_frame(items: Sequence[Item], at_us: int) -> bytes:
    """The frame of these bodies, in this order. The caller bounds their number and sizes."""
    # The hot path, about a microsecond a body: everything about a body is said by one pack and three appends.
    pack, row_bytes = ROW.pack, ROW.size
    rows: list[bytes] = []
    parts: list[bytes] = [b"", b""]
    row_at, place_at = 0, len(items) * row_bytes
    for digest, salt, body in items:
        salt_bytes, body_bytes = len(salt), len(body)
        rows.append(pack(digest, place_at - row_at, salt_bytes, body_bytes))
        parts += (_LIVE, salt, body)
        row_at += row_bytes
        place_at += 1 + salt_bytes + body_bytes
    parts[1] = table = b"".join(rows)
    lead = struct.pack(">IIq", place_at, len(items), at_us)
    parts[0] = _FRAME_MAGIC + lead + sha256(lead + table).digest()
    return b"".join(parts)


def encode_trailer(trailer: Trailer) -> bytes:
    """The end of a sealed segment."""
    lead = struct.pack(">Qqq", trailer.count, trailer.first_us, trailer.last_us)
    return _TRAILER_MAGIC + lead + sha256(lead).digest()


def frame_at(fd: int, offset: int, size_bytes: int) -> Frame | None:
    """The whole frame that begins at *offset* of a file of *size_bytes*, its table unaltered; or None."""
    return next(frames_from(fd, offset, size_bytes), None)


def frames_from(fd: int, offset: int, size_bytes: int) -> Iterator[Frame]:
    """The whole frames from *offset* on, up to where there is none, of a file of *size_bytes*."""
    head_bytes, row_bytes, unpack = _HEAD.size, ROW.size, _HEAD.unpack_from
    at = read_bytes = 0
    data = b""
    while True:
        if at + head_bytes + row_bytes > len(data):
            read_bytes = min(_READ_BYTES, 2 * read_bytes or _FIRST_READ_BYTES)
            data, at = os.pread(fd, read_bytes, offset), 0
            if len(data) < head_bytes:
                return
        magic, length, count, at_us, digest = unpack(data, at)
        begin, table_bytes = offset + head_bytes, count * row_bytes
        if magic != _FRAME_MAGIC or length > min(size_bytes - begin, _READ_LIMIT_BYTES) or table_bytes > length:
            return
        head = data[at : at + head_bytes]
        table = data[at + head_bytes : at + head_bytes + table_bytes]
        if len(table) < table_bytes:
            table = os.pread(fd, table_bytes, begin)
        if sha256(head[8:24] + table).digest() != digest:
            return
        yield Frame(offset, head_bytes + length, count, at_us, head, table)
        offset += head_bytes + length
        at += head_bytes + length


def trailer_at(fd: int, offset: int) -> Trailer | None:
    """The trailer that begins at *offset*, or None."""
    data = os.pread(fd, _TRAILER.size + 1, offset)
    if len(data) != _TRAILER.size or data[:8] != _TRAILER_MAGIC:
        return None
    _, count, first_us, last_us, digest = _TRAILER.unpack(data)
    return Trailer(count, first_us, last_us) if sha256(data[8:32]).digest() == digest else None


def trailer_of(fd: int) -> Trailer | None:
    """The trailer of a segment, or None if it is not sealed."""
    return trailer_at(fd, max(0, os.fstat(fd).st_size - _TRAILER.size))


def frames(fd: int, where: str, number: int) -> Iterator[Frame]:
    """The frames of a sealed segment.

    Raises:
        LogDamagedError: one of them, the header or the trailer is not what was written.
    """
    check_header(fd, where, number)
    offset = HEADER_BYTES
    for frame in frames_from(fd, offset, os.fstat(fd).st_size):
        yield frame
        offset += frame.size_bytes
    if trailer_at(fd, offset) is None:
        raise LogDamagedError(where=where, problem=f"byte {offset}: neither a frame nor the end")


def must_be_torn(fd: int, where: str, offset: int) -> None:
    """See that what is at *offset*, where no good frame is, may be a write that died or is under way.

    Raises:
        LogDamagedError: a good frame or the trailer follows, so that it is neither.
    """
    start, size_bytes = offset + 1, os.fstat(fd).st_size
    while start < size_bytes:
        chunk = os.pread(fd, _SEARCH_BYTES, start)
        for magic, good in ((_FRAME_MAGIC, _good_frame), (_TRAILER_MAGIC, _good_trailer)):
            at = chunk.find(magic)
            while at >= 0:
                # A write under way may have been finished, and another after it, since the caller looked.
                if good(fd, start + at, size_bytes) and not _good_frame(fd, offset, os.fstat(fd).st_size):
                    raise LogDamagedError(where=where, problem=f"byte {offset} is altered, later ones are not")
                at = chunk.find(magic, at + 1)
        # Overlap by a magic's length less one, so one that straddles two chunks is found.
        start += max(1, len(chunk) - len(_FRAME_MAGIC) + 1)


def cut_torn(fd: int, where: str, offset: int) -> None:
    """Cut off what a writer that died left at *offset*: it was never acknowledged, for its sync had not returned.

    Raises:
        LogDamagedError: it is no torn write. Nothing was cut.
        StorageFailedError: it cannot be cut; a crash here leaves it for the next writer.
    """
    must_be_torn(fd, where, offset)
    try:
        os.ftruncate(fd, offset)
        os.fdatasync(fd)
    except OSError as error:
        raise storage_error(error, where) from error


def _good_frame(fd: int, offset: int, size_bytes: int) -> bool:
    return frame_at(fd, offset, size_bytes) is not None


def _good_trailer(fd: int, offset: int, _size_bytes: int) -> bool:
    return trailer_at(fd, offset) is not None


def append_durably(fd: int, where: str, offset: int, data: bytes) -> None:
    """Write *data* at *offset*, the end of the segment, and sync.

    A crash within the write leaves a torn frame, which `cut_torn` removes. After an error the file is cut back, so
    that what was reported as failed is not found later; if even that fails, it may be, and no entry names it.

    Raises:
        StorageFullError, StorageFailedError: not kept.
    """
    try:
        write_all(fd, data, offset)
        os.fdatasync(fd)
    except OSError as error:
        try:
            os.ftruncate(fd, offset)
        except OSError as second:
            raise storage_error(second, where) from error
        raise storage_error(error, where) from error


def read_place(fd: int, row_offset: int, digest: bytes) -> Place | None:
    """The body whose row is at *row_offset*; None when the row there is of another digest, or leads out of the file."""
    data = os.pread(fd, ROW.size, row_offset)
    if len(data) < ROW.size:
        return None
    found, distance, salt_bytes, body_bytes = ROW.unpack(data)
    if found != digest or body_bytes > MAX_BODY_BYTES:
        return None
    begin, length = row_offset + distance, 1 + salt_bytes + body_bytes
    kept = os.pread(fd, length, begin)
    if len(kept) < length:
        return None
    return Place(digest, begin, kept[0], kept[1 : 1 + salt_bytes], kept[1 + salt_bytes :])


def erase_row(fd: int, where: str, row_offset: int, digest: bytes) -> bool:
    """Overwrite state, salt and body of *digest*, whose row is at *row_offset*, with zeros, synced on return.

    A crash leaves any part of them. False when nothing was left of them. Where salt and body do not give the digest,
    the frame's own digest must vouch for the row: an altered length would have us overwrite a neighbour.

    Raises:
        BodyDamagedError: neither holds; nothing was overwritten.
        StorageFailedError: some of it may still be there.
    """
    place = read_place(fd, row_offset, digest)
    if place is None:
        raise BodyDamagedError(where=where, problem="its place holds something else")
    if place.blank:
        return False
    if not place.sound and not any(
        frame.first_row <= row_offset < frame.first_row + len(frame.table)
        for frame in frames_from(fd, HEADER_BYTES, os.fstat(fd).st_size)
    ):
        raise BodyDamagedError(where=where, problem="its row is altered, so it cannot be overwritten safely")
    try:
        write_all(fd, bytes(1 + len(place.salt) + len(place.body)), place.offset)
        os.fdatasync(fd)
    except OSError as error:
        raise storage_error(error, where) from error
    return True


def live_bodies(fd: int, where: str, number: int) -> int:
    """How many bodies of a sealed segment are not erased.

    Raises:
        LogDamagedError: it is not what was written.
    """
    live = 0
    for frame in frames(fd, where, number):
        for at in range(0, len(frame.table), ROW.size):
            distance = ROW.unpack_from(frame.table, at)[1]
            live += os.pread(fd, 1, frame.first_row + at + distance) != bytes([ERASED])
    return live
