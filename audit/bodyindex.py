"""Finds bodies by digest: in memory for the segment being written, in mapped files for sealed ones.

Nothing here is evidence. An index is made from the segments alone, may be deleted at any time, and is made anew when
its digest does not hold. What a place holds is left to `audit.segments`.

An entry is the first 8 bytes of a digest, the number of the segment (32 bits) and the offset of the row in it (32).
Entries lie in buckets by the first 13 bits, in no order, so that indexes are merged by joining their buckets: 16
neighbours into one, and 16 of those again. A hundred million bodies are then in fewer than forty files, and a look-up
reads one bucket of each: 128 bytes of a segment's, 32 KB of the widest.

A file is a header (magic, first and last segment, number of entries, SHA-256 of the rest), the first entry of each
bucket and the end (32 bits each), and the entries; all big-endian.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Protocol

from . import segments
from .errors import AuditError
from .files import locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

KEY_BYTES = 8
_BITS = 13  # 8 entries in a bucket of a full segment of 2^16 bodies.
_BUCKETS = 2**_BITS
_SHIFT = 16 - _BITS
_PLACE = struct.Struct(">II")
_ENTRY_BYTES = KEY_BYTES + _PLACE.size
_MAGIC = b"\xffZTX\xfe\x00\xff\x01"
_HEADER = struct.Struct(">8sIIQ32s")
_DIGESTED = _HEADER.size - 32  # What stands before the digest in a header is digested too.
_STARTS = struct.Struct(f">{_BUCKETS + 1}I")
_PAIR = struct.Struct(">II")
_FIRST_ENTRY = _HEADER.size + _STARTS.size
MERGED_AT_ONCE = 16
# An index of this many segments is merged no further: the next would be of gigabytes.
_WIDEST = MERGED_AT_ONCE**2
_WRITE_BYTES = 1024 * 1024
_NAME = re.compile(r"([0-9]{8,})-([0-9]{8,})\.index")
_LEFTOVER_S = 3600.0


class Source(Protocol):
    """Whatever says where a digest may be."""

    def find(self, digest: bytes) -> list[tuple[int, int]]:
        """(segment, offset of the row) of each body whose digest begins with the same 8 bytes."""
        ...


def _find(bucket: bytes | bytearray, digest: bytes) -> list[tuple[int, int]]:
    key, found = digest[:KEY_BYTES], []
    at = bucket.find(key)
    while at >= 0:
        if at % _ENTRY_BYTES == 0:
            found.append(_PLACE.unpack_from(bucket, at + KEY_BYTES))
        at = bucket.find(key, at + 1)
    return found


class Buckets:
    """The index of one segment in memory: 16 bytes a body and half a megabyte. For one thread at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.buckets = [bytearray() for _ in range(_BUCKETS)]

    def add(self, frame: segments.Frame) -> None:
        """Take in the bodies of *frame*."""
        buckets, table, pack, number = self.buckets, frame.table, _PLACE.pack, self.number
        first = frame.first_row
        for at in range(0, len(table), segments.ROW.size):
            bucket = (table[at] << 8 | table[at + 1]) >> _SHIFT
            buckets[bucket] += table[at : at + KEY_BYTES] + pack(number, first + at)

    def find(self, digest: bytes) -> list[tuple[int, int]]:
        """See `Source`."""
        return _find(self.buckets[(digest[0] << 8 | digest[1]) >> _SHIFT], digest)


class IndexFile:
    """One index file, mapped. Safe for many threads; a file that was replaced or removed stays readable.

    Raises on opening:
        FileNotFoundError: it is not there (any more).
        ValueError: it is no index file, or of another size than it says.
    """

    def __init__(self, fd: int, name: str) -> None:
        """For `open` and `build`. The descriptor stays the caller's."""
        self.name = name
        size_bytes = os.fstat(fd).st_size
        if size_bytes < _FIRST_ENTRY:
            raise ValueError(name)
        self._map = mmap.mmap(fd, size_bytes, access=mmap.ACCESS_READ)
        self.low: int
        self.high: int
        self.count: int
        self._digest: bytes
        magic, self.low, self.high, self.count, self._digest = _HEADER.unpack_from(self._map)
        if magic != _MAGIC or size_bytes != _FIRST_ENTRY + self.count * _ENTRY_BYTES:
            raise ValueError(name)
        self._sound: bool | None = None
        self.nameless = False  # In no folder, for this process alone.

    @classmethod
    def open(cls, path: Path) -> IndexFile:
        """Map the file at *path*. Its digest is not checked; see `sound`."""
        fd = os.open(path, os.O_RDONLY)
        try:
            return cls(fd, path.name)
        finally:
            os.close(fd)

    @property
    def sound(self) -> bool:
        """Whether the digest holds: reads the whole file the first time. Ask before a miss is believed."""
        if self._sound is None:
            digest = sha256(self._map[:_DIGESTED])
            with memoryview(self._map) as whole:
                digest.update(whole[_HEADER.size :])
            self._sound = digest.digest() == self._digest
        return self._sound

    def covers(self, number: int) -> bool:
        """Whether the bodies of segment *number* are in it."""
        return self.low <= number <= self.high

    def bucket(self, number: int) -> bytes:
        """The entries of one bucket."""
        start, end = _PAIR.unpack_from(self._map, _HEADER.size + 4 * number)
        return self._map[_FIRST_ENTRY + start * _ENTRY_BYTES : _FIRST_ENTRY + end * _ENTRY_BYTES]

    def find(self, digest: bytes) -> list[tuple[int, int]]:
        """See `Source`."""
        return _find(self.bucket((digest[0] << 8 | digest[1]) >> _SHIFT), digest)

    def lengths(self) -> list[int]:
        """How many entries each bucket has."""
        starts = _STARTS.unpack_from(self._map, _HEADER.size)
        return [end - start for start, end in pairwise(starts)]


def index_files(folder: Path, known: Mapping[str, IndexFile]) -> list[IndexFile]:
    """The index files of *folder*, newest first, without those whose segments another one covers.

    Those of *known* are not opened again. One that cannot be used is left out, as if it were not there.
    """
    found = []
    for name, _, _ in _ranges(folder):
        try:
            found.append(known.get(name) or IndexFile.open(folder / name))
        except (OSError, ValueError):
            continue
    found.sort(key=lambda index: (index.low, -index.high))
    kept: list[IndexFile] = []
    for index in found:
        if not kept or index.high > kept[-1].high:
            kept.append(index)
    return kept[::-1]


def _ranges(folder: Path) -> list[tuple[str, int, int]]:
    """Name, first and last segment of each index file."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return [(name, int(found[1]), int(found[2])) for name in names if (found := _NAME.fullmatch(name))]


def covered(folder: Path, number: int) -> bool:
    """Whether some index file says by its name that it covers segment *number*."""
    return any(low <= number <= high for _, low, high in _ranges(folder))


def build(folder: Path, number: int, buckets: Buckets | None = None) -> IndexFile:
    """Make the index of sealed segment *number*, out of *buckets* or by reading the segment's tables.

    Where the folder cannot be written to, it is made in a nameless temporary file, for this process.

    Raises:
        FileNotFoundError: the segment was dropped.
        LogDamagedError: it is not what was written.
        OSError: no index could be written anywhere.
    """
    if buckets is None:
        buckets = Buckets(number)
        with segments.opened(folder, number) as fd:
            for frame in segments.frames(fd, segments.segment_name(number), number):
                buckets.add(frame)
    lengths = [len(bucket) // _ENTRY_BYTES for bucket in buckets.buckets]
    return _write(folder, number, number, lengths, buckets.buckets)


def tidy(folder: Path) -> None:
    """Make the indexes that are missing, and merge where there are enough neighbours; for one caller at a time.

    A crash leaves a temporary file, or an index beside the narrower ones that it covers; the next call removes them.
    Nothing is raised for what can be made anew: look-ups make what they miss.
    """
    with suppress(AuditError, OSError), locked(folder / "index.lock", 0):
        _remove_leftovers(folder)
        while run := _mergeable(folder):
            _merge(folder, run)


def drop(folder: Path) -> None:
    """Remove the index files of which no segment is left.

    Raises:
        OSError: some are left.
    """
    numbers = segments.segment_numbers(folder)
    for name, low, high in _ranges(folder):
        if not any(low <= number <= high for number in numbers):
            (folder / name).unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(".*.index.tmp"):
        # Younger ones may be under way: an index of one segment is made without the lock.
        if time.time() - path.stat().st_mtime > _LEFTOVER_S:
            path.unlink(missing_ok=True)
    drop(folder)
    for name, _, _ in _ranges(folder):
        try:
            IndexFile.open(folder / name)
        except ValueError:
            (folder / name).unlink(missing_ok=True)
    ranges = _ranges(folder)
    for name, low, high in ranges:
        if any(other != name and first <= low and high <= last for other, first, last in ranges):
            (folder / name).unlink(missing_ok=True)


def _mergeable(folder: Path) -> list[IndexFile]:
    """The oldest 16 neighbours of one width, all segments in between being in one of them; or nothing."""
    numbers = segments.segment_numbers(folder)[:-1]
    files = {index.name: index for index in index_files(folder, {})}
    for number in numbers:
        if not any(index.covers(number) for index in files.values()):
            made = build(folder, number)
            files[made.name] = made
    for name, index in list(files.items()):
        if not index.sound:
            # Merging would put a new digest over it. It is made anew, segment by segment, by the next round.
            (folder / name).unlink(missing_ok=True)
            del files[name]
    ordered = sorted(files.values(), key=lambda index: index.low)
    for start in range(len(ordered) - MERGED_AT_ONCE + 1):
        run = ordered[start : start + MERGED_AT_ONCE]
        whole = all(
            any(index.covers(number) for index in run) for number in numbers if run[0].low <= number <= run[-1].high
        )
        if whole and len({_tier(index) for index in run}) == 1 and _tier(run[0]) < _WIDEST:
            return run
    return []


def _tier(index: IndexFile) -> int:
    """1, 16 or 256: how many segments it was made to cover, at least."""
    width = index.high - index.low + 1
    return 1 if width < MERGED_AT_ONCE else MERGED_AT_ONCE if width < _WIDEST else _WIDEST


def _merge(folder: Path, run: Sequence[IndexFile]) -> None:
    lengths = [sum(counts) for counts in zip(*(index.lengths() for index in run), strict=True)]
    blocks = (index.bucket(number) for number in range(_BUCKETS) for index in run)
    made = _write(folder, run[0].low, run[-1].high, lengths, blocks)
    for index in run:
        # A look-up that has mapped it reads on; one that lists the folder now finds the wider one.
        if index.name != made.name:
            (folder / index.name).unlink(missing_ok=True)


def _write(folder: Path, low: int, high: int, lengths: Sequence[int], blocks: Iterable[bytes | bytearray]) -> IndexFile:
    name = f"{low:08d}-{high:08d}.index"
    try:
        fd, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".index.tmp", dir=folder)
    except PermissionError:
        with tempfile.TemporaryFile(prefix="zhengtong-index-") as file:
            _fill(file.fileno(), low, high, lengths, blocks)
            made = IndexFile(file.fileno(), name)
            made.nameless = True
            return made
    try:
        _fill(fd, low, high, lengths, blocks)
        # Content before name. The name itself is not made durable: without it the index is made again.
        os.fsync(fd)
        os.replace(temporary, folder / name)  # noqa: PTH105 - a text from mkstemp
        return IndexFile(fd, name)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - a text from mkstemp
        raise
    finally:
        os.close(fd)


def _fill(fd: int, low: int, high: int, lengths: Sequence[int], blocks: Iterable[bytes | bytearray]) -> None:
    starts = _STARTS.pack(0, *accumulate(lengths))
    lead = _HEADER.pack(_MAGIC, low, high, sum(lengths), b"")[:_DIGESTED]
    digest = sha256(lead)
    with os.fdopen(os.dup(fd), "wb", buffering=_WRITE_BYTES) as file:
        file.seek(_HEADER.size)
        for block in chain((starts,), blocks):
            digest.update(block)
            file.write(block)
        file.seek(0)
        file.write(lead + digest.digest())
