"""Keeps sealed credentials for good: appended to segments, a group at a time, and found again by their place.

What a credential says, and which row names its place, is left to the rooms of the office.

A segment is a file that begins with `MAGIC` and holds records one after the other:

    record = "ZTLR" ‖ length of the content in bytes, u32 big-endian ‖ SHA-256 of the content ‖ content

Promises. *Durability*: when `append` returns, the records are on disk. *Order*: within a group, as given; between
groups of several processes, any. *Concurrency*: any number of threads and processes may append and read. *Crashes*:
one during `append` leaves a torn tail or whole records that no row names; both are harmless, nothing is ever appended
after a torn tail, and nothing that was named is ever written to again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.files import sync_folder
from hub.licensing.errors import StoreDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAGIC: Final = b"zhengtong sealed licences 1\n"
MARK: Final = b"ZTLR"
HEAD: Final = struct.Struct(">4sI32s")
# A backup copies whole files: large enough that there are few of them, small enough that the last one is copied soon.
SEGMENT_BYTES: Final = 64 * 1024 * 1024
# As `licence.credential.MAX_CREDENTIAL_BYTES`: a length beyond it is damage.
MAX_RECORD_BYTES: Final = 256 * 1024
SUFFIX: Final = ".segment"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies: number of the segment from 1, byte where its head begins, length of its content."""

    segment: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class SegmentState:
    """What a walk through a segment found: *records* whole by their lengths, up to *end*; *size* of the file."""

    segment: int
    records: int
    end: int
    size: int

    @property
    def torn(self) -> bool:
        """Whether bytes follow that are no whole record: what a crash during an append leaves."""
        return self.end != self.size


class Store:
    """The sealed credentials of one deployment in *folder*; see the module for what it promises."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._threads = threading.Lock()
        # Up to where this process knows the newest segment to be whole: (segment, offset).
        self._whole = (0, 0)

    def append(self, contents: Sequence[bytes]) -> list[Place]:
        """Keep *contents*, durable on return; where each of them lies.

        Raises:
            ValueError: one is empty or longer than a record may be; nothing was kept.
            OSError: the disk refused. Nothing may be named; what was half written is passed over later.
        """
        if not contents:
            return []
        if any(not 0 < len(content) <= MAX_RECORD_BYTES for content in contents):
            raise ValueError("a record holds from 1 to 256 Ki bytes")
        framed = [HEAD.pack(MARK, len(c), hashlib.sha256(c).digest()) + c for c in contents]
        with self._alone():
            segment, start = self._open_end(sum(map(len, framed)))
            self._write(segment, start, b"".join(framed))
            places, at = [], start
            for content, frame in zip(contents, framed, strict=True):
                places.append(Place(segment, at, len(content)))
                at += len(frame)
            self._whole = (segment, at)
        return places

    def read(self, place: Place) -> bytes:
        """The content at *place*.

        Raises:
            StoreDamagedError: it is not there, or not what was written; the message names the place.
        """
        try:
            with self.path(place.segment).open("rb") as file:
                file.seek(place.offset)
                data = file.read(HEAD.size + place.length)
        except OSError as error:
            raise self._damaged(place) from error
        content = data[HEAD.size :]
        if data[: HEAD.size] != HEAD.pack(MARK, place.length, hashlib.sha256(content).digest()):
            raise self._damaged(place)
        return content

    def segments(self) -> list[int]:
        """The numbers of the segments that there are, rising."""
        return sorted(int(path.stem) for path in self.folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())

    def walk(self, segment: int, start: int = 0) -> SegmentState:
        """Go from head to head through *segment* (from a byte where one begins); contents are not read."""
        with self.path(segment).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            at, records = start, 0
            if not at:
                at = len(MAGIC) if file.read(len(MAGIC)) == MAGIC else 0
            while at:
                file.seek(at)
                head = file.read(HEAD.size)
                if len(head) < HEAD.size:
                    break
                mark, length, _ = HEAD.unpack(head)
                if mark != MARK or not 0 < length <= MAX_RECORD_BYTES or at + HEAD.size + length > size:
                    break
                at, records = at + HEAD.size + length, records + 1
        return SegmentState(segment, records, at, size)

    def path(self, segment: int) -> Path:
        """The file of *segment*."""
        return self.folder / f"{segment:08d}{SUFFIX}"

    def _open_end(self, size: int) -> tuple[int, int]:
        """Where *size* bytes may be written: the end of the newest segment, or a new one's beginning."""
        newest = max(self.segments(), default=0)
        if newest:
            known, end = self._whole
            state = self.walk(newest, end if known == newest else 0)
            # After a torn tail nothing could be found by walking: the next segment takes over.
            if not state.torn and state.end + size <= self._segment_bytes:
                return newest, state.end
        path = self.path(newest + 1)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(MAGIC)
        # Its name must be as durable as what is about to be named in it; the bytes are synchronised with the group's.
        sync_folder(self.folder)
        return newest + 1, len(MAGIC)

    def _write(self, segment: int, start: int, data: bytes) -> None:
        try:
            with self.path(segment).open("r+b") as file:
                file.seek(start)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            # Nobody has heard of these bytes; if they cannot be taken back either, they are a torn tail.
            with suppress(OSError):
                os.truncate(self.path(segment), start)
            raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._threads, (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _damaged(self, place: Place) -> StoreDamagedError:
        return StoreDamagedError(file=self.path(place.segment).name, offset=place.offset)
