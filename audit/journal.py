"""The journal: the append-only file that is the log's commit point.

An entry is in the log once its frame is synced here. Turning entries into tiles is left to `audit.publish`,
locking between processes to `audit.log`, which calls the writing methods under its lock.

The file is a header (magic, index of the first entry, digest) and frames. A frame is one write and one sync:
magic, first index, count, payload length, SHA-256 over these three and the payload; the payload is encoded as an
entry bundle. A frame is written only after the one before it was synced, so only the last can be torn. A bad
frame with a good one after it is therefore no crash but damage, and nothing is cut off.
"""

from __future__ import annotations

import os
import struct
import threading
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from .errors import LogDamagedError, storage_error
from .files import sync_folder, write_all
from .tiles import decode_entries

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# No byte of these appears in UTF-8 text, so no entry of ours can look like a frame.
_FRAME_MAGIC = b"\xffZTF\xfe\x00\xff\x01"
_HEADER_MAGIC = b"\xffZTJ\xfe\x00\xff\x01"
_FRAME = struct.Struct(">8sQII32s")
_HEADER = struct.Struct(">8sQ32s")
MAX_FRAME_BYTES = 16 * 1024 * 1024
# A frame is closed when the next request would pass the maximum, so it may pass it by one entry.
_READ_LIMIT_BYTES = MAX_FRAME_BYTES + 2**17
_SEARCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: entries *first* to *first* + *count* − 1; the payload is at *offset* of the file."""

    first: int
    count: int
    offset: int
    length: int


class Journal:
    """One open journal file. Reading is safe in any thread; writing is for the holder of the log's lock.

    Raises on opening:
        LogDamagedError: the file is missing, or its header is not one.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self._mutex = threading.RLock()
        self._writable = writable
        self._fd = -1
        self._open()

    @staticmethod
    def create(path: Path, base: int, tail: bytes = b"") -> None:
        """Put a journal in place that begins with entry *base* and holds the frames *tail*.

        A crash leaves the old journal or the new one. The new name is durable on return; the caller holds the
        log's lock, so nothing is acknowledged in between.

        Raises:
            OSError: the old one or the new one is in place; both hold every acknowledged entry.
        """
        lead = _HEADER_MAGIC + base.to_bytes(8, "big")
        temporary = path.with_name(f".{path.name}.tmp")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(fd, lead + sha256(lead).digest() + tail, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
        sync_folder(path.parent)

    @property
    def end(self) -> int:
        """One past the last entry seen by the last `refresh`."""
        return self._end

    @property
    def base(self) -> int:
        """The index of the first entry this file can hold; earlier ones are in published bundles."""
        return self._base

    @property
    def size_bytes(self) -> int:
        """Where the next frame begins."""
        return self._offset

    def close(self) -> None:
        """Close the file."""
        with self._mutex:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def refresh(self, *, exclusive: bool) -> int:
        """Take in what other processes wrote, and return the new `end`.

        *exclusive*: the caller holds the log's lock. Then nobody is writing, so an incomplete frame at the end
        was left by a writer that died before acknowledging it, and it is cut off. Otherwise it may be a write
        under way and is left alone.

        Raises:
            LogDamagedError: a frame that was acknowledged is not what was written.
            StorageFailedError: the incomplete frame cannot be cut off.
        """
        with self._mutex:
            if self._replaced():
                old = self._fd
                self._open()
                os.close(old)
            size_bytes = os.fstat(self._fd).st_size
            if size_bytes < self._offset or (exclusive and not self._still_there()):
                # What was read without the lock may have been a write that failed and was taken back.
                self._forget_unsure()
            if size_bytes < self._offset:
                raise LogDamagedError(where=self.path.name, problem=f"it was cut to {size_bytes} bytes")
            while self._offset < size_bytes:
                frame = self._frame_at(self._offset, size_bytes)
                if frame is None or frame.first != self._end:
                    self._torn(size_bytes, exclusive=exclusive, misplaced=frame is not None)
                    break
                self._take(frame)
            if exclusive:
                self._sure = len(self._firsts)
            return self._end

    def write(self, frames: Sequence[tuple[int, bytes]]) -> None:
        """Append one frame for each (count, payload), each synced before the next. Durable on return.

        All or nothing: on an error the file is cut back to where it was, so that nothing which was reported as
        failed appears later. If even that fails, the entries may appear later although they were not acknowledged.

        Raises:
            StorageFullError, StorageFailedError: nothing was acknowledged.
        """
        with self._mutex:
            start = offset = self._offset
            end, taken = self._end, []
            try:
                for count, payload in frames:
                    lead = struct.pack(">QII", end, count, len(payload))
                    digest = sha256(lead)
                    digest.update(payload)
                    # A crash within this write leaves a frame whose digest fails: cut off by the next `refresh`.
                    write_all(self._fd, _FRAME_MAGIC + lead + digest.digest() + payload, offset)
                    os.fdatasync(self._fd)
                    taken.append(Frame(end, count, offset + _FRAME.size, len(payload)))
                    offset, end = offset + _FRAME.size + len(payload), end + count
            except OSError as error:
                try:
                    os.ftruncate(self._fd, start)
                except OSError as second:
                    raise storage_error(second, str(self.path)) from error
                raise storage_error(error, str(self.path)) from error
            for frame in taken:
                self._take(frame)
            self._sure = len(self._firsts)

    def sync(self) -> None:
        """Make durable whatever a writer that died had left unsynced.

        Raises:
            StorageFullError, StorageFailedError: it may not be.
        """
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise storage_error(error, str(self.path)) from error

    def renew_mutex(self) -> None:
        """For a child just forked: a thread of its parent may have held the mutex."""
        self._mutex = threading.RLock()

    def entries(self, start: int, end: int) -> Iterator[bytes] | None:
        """Entries *start* to *end* − 1, which `refresh` has seen; one frame is in memory at a time.

        None when *start* is before this file's first entry.
        """
        with self._mutex:
            if start < self._base:
                return None
            fd = os.dup(self._fd)  # A rotation meanwhile closes the original; the old file keeps its content.
            numbers = range(max(0, bisect_right(self._firsts, start) - 1), len(self._firsts))
            frames = [self._frame(n) for n in numbers if self._firsts[n] < end]
        return self._read(os.fdopen(fd, "rb", buffering=0), frames, start, end)

    def _read(self, file: io.FileIO, frames: list[Frame], start: int, end: int) -> Iterator[bytes]:
        with file:
            for frame in frames:
                payload = os.pread(file.fileno(), frame.length, frame.offset)
                low, high = max(start, frame.first), min(end, frame.first + frame.count)
                try:
                    entries = decode_entries(payload)
                except ValueError as error:
                    raise LogDamagedError(where=self.path.name, problem=str(error)) from error
                yield from entries[low - frame.first : high - frame.first]

    def frames_from(self, index: int) -> bytes:
        """The raw frames from the one that holds entry *index* on: what a new journal with that base keeps."""
        with self._mutex:
            number = bisect_right(self._firsts, index) - 1
            if index >= self._end or number < 0:
                return b""
            start = self._offsets[number] - _FRAME.size
            return os.pread(self._fd, self._offset - start, start)

    def frame_start(self, index: int) -> int:
        """The first entry of the frame that holds *index*; *index* itself when no frame does."""
        with self._mutex:
            number = bisect_right(self._firsts, index) - 1
            return index if index >= self._end or number < 0 else self._firsts[number]

    def _open(self) -> None:
        try:
            fd = os.open(self.path, os.O_RDWR if self._writable else os.O_RDONLY)
        except OSError as error:
            raise LogDamagedError(where=self.path.name, problem=f"it cannot be read ({error.strerror})") from error
        try:
            base = self._read_header(fd)
            if self._writable:
                # A rotation may have died between its rename and its sync; what is acknowledged in this file
                # must not hang on a name that is not durable.
                sync_folder(self.path.parent)
        except OSError as error:
            os.close(fd)
            raise storage_error(error, str(self.path)) from error
        except LogDamagedError:
            os.close(fd)
            raise
        self._fd = fd
        self._base: int = base
        self._end: int = base
        self._offset: int = _HEADER.size
        # Three numbers a frame, not the entries: memory stays flat however long the journal gets.
        self._firsts = array("Q")
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._sure = 0  # How many of these were seen under the lock.
        self._head = b""  # Of the last frame that was read, with its digest.

    def _read_header(self, fd: int) -> int:
        header = os.pread(fd, _HEADER.size, 0)
        if len(header) < _HEADER.size or header[16:] != sha256(header[:16]).digest():
            raise LogDamagedError(where=self.path.name, problem="its header is not one")
        magic, base, _ = _HEADER.unpack(header)
        if magic != _HEADER_MAGIC:
            raise LogDamagedError(where=self.path.name, problem="it is no journal of this version")
        return int(base)

    def _still_there(self) -> bool:
        """Whether the last frame that was read without the lock is there: then so are those before it.

        Only the end of the file is ever taken back, by who wrote it and under the lock.
        """
        if len(self._firsts) == self._sure:
            return True
        return os.pread(self._fd, _FRAME.size, self._offsets[-1] - _FRAME.size) == self._head

    def _forget_unsure(self) -> None:
        if len(self._firsts) == self._sure:
            return
        self._offset, self._end = self._offsets[self._sure] - _FRAME.size, self._firsts[self._sure]
        for column in (self._firsts, self._offsets, self._lengths):
            del column[self._sure :]

    def _replaced(self) -> bool:
        ours = os.fstat(self._fd)
        try:
            there = self.path.stat()
        except OSError as error:
            raise LogDamagedError(where=self.path.name, problem=f"it cannot be read ({error.strerror})") from error
        return (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino)

    def _take(self, frame: Frame) -> None:
        self._firsts.append(frame.first)
        self._offsets.append(frame.offset)
        self._lengths.append(frame.length)
        self._offset, self._end = frame.offset + frame.length, frame.first + frame.count

    def _frame(self, number: int) -> Frame:
        first = self._firsts[number]
        after = self._firsts[number + 1] if number + 1 < len(self._firsts) else self._end
        return Frame(first, after - first, self._offsets[number], self._lengths[number])

    def _frame_at(self, offset: int, size_bytes: int) -> Frame | None:
        """The whole and unaltered frame that begins at *offset*, or None."""
        lead = os.pread(self._fd, _FRAME.size, offset)
        if len(lead) < _FRAME.size or lead[:8] != _FRAME_MAGIC:
            return None
        _, first, count, length, digest = _FRAME.unpack(lead)
        begin = offset + _FRAME.size
        if length > min(size_bytes - begin, _READ_LIMIT_BYTES):
            return None
        payload = os.pread(self._fd, length, begin)
        found = sha256(lead[8:24])
        found.update(payload)
        if found.digest() != digest:
            return None
        self._head = lead
        return Frame(first, count, begin, length)

    def _torn(self, size_bytes: int, *, exclusive: bool, misplaced: bool) -> None:
        if misplaced or self._good_frame_after(self._offset + 1, size_bytes):
            raise LogDamagedError(
                where=self.path.name, problem=f"byte {self._offset}: entry {self._end} is altered, later ones are not"
            )
        if exclusive and self._writable:
            # The frame was never acknowledged: its writer died before its sync returned. A crash here leaves it
            # for the next refresh.
            try:
                os.ftruncate(self._fd, self._offset)
                os.fdatasync(self._fd)
            except OSError as error:
                raise storage_error(error, str(self.path)) from error

    def _good_frame_after(self, start: int, size_bytes: int) -> bool:
        while start < size_bytes:
            chunk = os.pread(self._fd, _SEARCH_BYTES, start)
            at = chunk.find(_FRAME_MAGIC)
            while at >= 0:
                if self._frame_at(start + at, size_bytes) is not None:
                    return True
                at = chunk.find(_FRAME_MAGIC, at + 1)
            # Overlap by the magic's length less one, so one that straddles two chunks is found.
            start += max(1, len(chunk) - len(_FRAME_MAGIC) + 1)
        return False
