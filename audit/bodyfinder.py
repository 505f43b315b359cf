"""Knows where the bodies of one folder are: reads the newest segment as it grows, and the indexes of sealed ones.

Takes no lock between processes. Writing, and what a body must look like, are left to `audit.store`.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from . import bodyindex, segments
from .errors import AuditError, BodyDamagedError, LogDamagedError, storage_error
from .segments import segment_name, segment_numbers

if TYPE_CHECKING:
    from pathlib import Path


class Tail:
    """What this process has seen of the newest segment, *number*. For one thread at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.named_durably = False
        self.rewind()

    def rewind(self) -> None:
        """Begin again."""
        self.buckets = bodyindex.Buckets(self.number)
        self.offset = segments.HEADER_BYTES
        self.count = 0
        self.first_us = self.last_us = 0
        self.sealed = False
        self.unread = False  # Bytes follow that are no frame: a write under way, or torn, or damage.
        self._last: segments.Frame | None = None

    def read(self, fd: int, where: str, *, exclusive: bool) -> None:
        """Take in what was appended. *exclusive*: nobody is writing, so a torn frame at the end is cut off.

        Raises:
            LogDamagedError: it is not what was written; looked for only if *exclusive*.
            StorageFailedError: the torn frame cannot be cut off.
        """
        if self._last is None:
            segments.check_header(fd, where, self.number)
        elif os.pread(fd, len(self._last.head), self._last.offset) != self._last.head:
            # A write that failed was taken back after we had seen it. Only the end of a file is ever taken back: as
            # long as the last frame seen is there, so are those before it.
            self.rewind()
        if self.sealed:
            return
        size_bytes = os.fstat(fd).st_size
        for frame in segments.frames_from(fd, self.offset, size_bytes):
            self._take(frame)
        self.unread = self.offset < size_bytes
        if self.unread:
            self.sealed = segments.trailer_at(fd, self.offset) is not None
            self.unread = not self.sealed
        if self.unread and exclusive:
            segments.cut_torn(fd, where, self.offset)
            self.unread = False

    def _take(self, frame: segments.Frame) -> None:
        self.buckets.add(frame)
        self.first_us = min(self.first_us, frame.at_us) if self.count else frame.at_us
        self.last_us = max(self.last_us, frame.at_us) if self.count else frame.at_us
        self.count += frame.bodies
        self.offset += frame.size_bytes
        self._last = frame


class Finder:
    """Finds bodies in *folder*. Safe for many threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tail: Tail | None = None
        self._recent: dict[int, bodyindex.Buckets] = {}
        self._indexes: list[bodyindex.IndexFile] = []
        self._listed = False
        self._damage: LogDamagedError | None = None
        self._indexer: threading.Thread | None = None
        self.renew()

    def renew(self) -> None:
        """Begin with nothing known: in a child just forked, a thread of its parent may have been amid anything."""
        self._mutex = threading.RLock()
        self._indexer = None
        self.forget()

    def forget(self) -> None:
        """Look at everything anew, the next time."""
        with self._mutex:
            self._tail = None
            self._recent = {}
            self._indexes = []
            self._listed = False

    def refresh(self, *, exclusive: bool = False) -> Tail | None:
        """Take in what was written by whomever, and return the newest segment; None when there is none.

        *exclusive*: the caller holds the store's lock; see `Tail.read`. A sealed one is returned when a writer died
        before it made the next.
        """
        with self._mutex:
            while True:
                if self._tail is None:
                    numbers = segment_numbers(self.folder)
                    if not numbers:
                        return None
                    self._tail = Tail(numbers[-1])
                tail = self._tail
                try:
                    with segments.opened(self.folder, tail.number, writable=exclusive) as fd:
                        tail.read(fd, segment_name(tail.number), exclusive=exclusive)
                except FileNotFoundError:
                    self.forget()  # Sealed, and dropped, since.
                    continue
                if not tail.sealed:
                    return tail
                newest = max(segment_numbers(self.folder), default=0)
                if newest <= tail.number:
                    return tail
                recent = {**self._recent, tail.number: tail.buckets}
                self._recent = {n: kept for n, kept in recent.items() if not bodyindex.covered(self.folder, n)}
                self._tail = Tail(newest)
                self._listed = False

    def take_in(self, fd: int) -> None:
        """Take in a frame that the caller, who holds the store's lock, has appended to the newest segment."""
        with self._mutex:
            # Read back from the file, for a reader in another thread may have taken it in already.
            if self._tail is not None:
                self._tail.read(fd, segment_name(self._tail.number), exclusive=False)

    def places(self, digest: bytes) -> list[tuple[int, int]]:
        """(segment, offset of the row) of every copy of a body.

        Raises:
            LogDamagedError: there is none to be found, and a segment that may hold it is not what was written.
        """
        with self._mutex:
            found = self._search(digest)
        if not found and self.mend():
            with self._mutex:
                found = self._search(digest)
        if not found:
            self._must_be_missing()
        return list(dict.fromkeys(found))

    def seek(self, digest: bytes) -> segments.Place | None:
        """A sound copy of the body if there is one, else what is left of it; None when it is in no segment.

        Raises:
            BodyDamagedError: where it should be is something else.
            LogDamagedError: as `places`.
        """
        left: segments.Place | None = None
        astray = False
        for number, row in self.places(digest):
            try:
                with segments.opened(self.folder, number) as fd:
                    place = segments.read_place(fd, row, digest)
            except FileNotFoundError:
                continue  # Dropped: its time was over.
            if place is not None and place.sound:
                return place
            astray = astray or place is None
            left = left or place
        if left is None and astray:
            if self.mend():
                return self.seek(digest)
            raise BodyDamagedError(where=f"sha256:{digest.hex()}", problem="its place holds something else")
        return left

    def mend(self) -> bool:
        """Whether an index file was found damaged; it is made anew by the next search.

        A miss is believed only after this: it reads every index file, once.
        """
        with self._mutex:
            indexes = self._indexes
        damaged = [index for index in indexes if not index.sound]
        for index in damaged:
            try:
                (self.folder / index.name).unlink(missing_ok=True)
            except OSError as error:
                raise storage_error(error, str(self.folder / index.name)) from error
        if damaged:
            with self._mutex:
                self._indexes = [index for index in self._indexes if index not in damaged]
                self._listed = False
        return bool(damaged)

    def index_sealed(self) -> None:
        """Make index files, and merge them, in a thread of its own: nobody waits for it, nothing depends on it."""
        if self._indexer is None or not self._indexer.is_alive():
            self._indexer = threading.Thread(target=self._make_indexes, name="body-index", daemon=True)
            self._indexer.start()

    def wait(self) -> None:
        """Wait for the thread of `index_sealed`."""
        if self._indexer is not None:
            self._indexer.join()

    def _make_indexes(self) -> None:
        with self._mutex:
            recent = list(self._recent.values())
        try:
            for buckets in recent:
                bodyindex.build(self.folder, buckets.number, buckets)
        except (OSError, AuditError):
            return  # Look-ups make what they miss.
        bodyindex.tidy(self.folder)

    def _search(self, digest: bytes) -> list[tuple[int, int]]:
        tail = self.refresh()
        if tail is None:
            return []
        if not self._listed:
            self._list(tail.number)
        sources: list[bodyindex.Source] = [tail.buckets, *self._recent.values(), *self._indexes]
        return [place for source in sources for place in source.find(digest)]

    def _list(self, newest: int) -> None:
        """Map the index files, and make those that are missing."""
        known = {index.name: index for index in self._indexes}
        files = bodyindex.index_files(self.folder, known)
        files += [index for index in self._indexes if index.nameless]
        self._damage = None
        for number in segment_numbers(self.folder):
            if number >= newest or number in self._recent or any(index.covers(number) for index in files):
                continue
            try:
                files.append(bodyindex.build(self.folder, number))
            except FileNotFoundError:
                continue
            except LogDamagedError as error:
                # Bodies of other segments can still be found; that one is not there cannot be said.
                self._damage = error
            except OSError as error:
                raise storage_error(error, str(self.folder)) from error
        self._indexes, self._listed = files, True

    def _must_be_missing(self) -> None:
        with self._mutex:
            tail, damage = self._tail, self._damage
        if damage is not None:
            raise damage
        if tail is not None and tail.unread:
            name = segment_name(tail.number)
            try:
                with segments.opened(self.folder, tail.number) as fd:
                    segments.must_be_torn(fd, name, tail.offset)
            except FileNotFoundError:
                return
