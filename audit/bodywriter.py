"""Writes into the segments of one folder, under its lock; and finishes what a process that died left half done.

Who waits for whom within a process is left to `audit.groups`, finding to `audit.bodyfinder`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from . import segments
from .errors import BodyDamagedError, LogDamagedError, storage_error
from .files import locked, make_folder, sync_folder, write_all
from .segments import Trailer, segment_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .bodyfinder import Finder, Tail
    from .filebodies import FileBodies

# A segment is sealed at the first of these. Retention drops whole segments, so the age is how exact it is.
SEGMENT_BYTES = 256 * 1024 * 1024
SEGMENT_BODIES = 2**16  # A process that starts reads the newest segment's tables: half a second.
SEGMENT_AGE_US = 31 * 24 * 3600 * 1_000_000
NOBODY = bytes(32)


class BodyWriter:
    """The writing side of one folder. All but `exclusive` and `erasing` is for whoever is inside `exclusive`."""

    def __init__(self, folder: Path, finder: Finder, files: FileBodies, lock_timeout_s: float) -> None:
        self.folder = folder
        self._finder = finder
        self._files = files
        self._lock_timeout_s = lock_timeout_s
        self._lock_path = folder / "lock"
        self._erasing_path = f"{folder}/erasing"

    @contextmanager
    def exclusive(self) -> Iterator[Tail]:
        """Hold the store's lock, with everything that others wrote taken in and what they left half done finished.

        Gives the newest segment, which is not sealed.

        Raises:
            StorageFullError, StorageFailedError, LogLockedError: try again.
            LogDamagedError: the newest segment is not what was written.
        """
        try:
            make_folder(self.folder)
        except OSError as error:
            raise storage_error(error, str(self.folder)) from error
        with locked(self._lock_path, self._lock_timeout_s):
            tail = self._finder.refresh(exclusive=True)
            if tail is None or tail.sealed:
                tail = self._create(1 if tail is None else tail.number + 1)
            if not tail.named_durably:
                # Its maker may have died between the rename and the sync: what is acknowledged in this file must
                # not hang on a name that is not durable.
                try:
                    sync_folder(self.folder)
                except OSError as error:
                    raise storage_error(error, str(self.folder)) from error
                tail.named_durably = True
            unfinished = self.erasing()
            if unfinished != NOBODY:
                # Whoever began it was not told that it is done, and will ask again; he is told then what is damaged.
                with suppress(LogDamagedError):
                    self._finish_erasing(unfinished)
            yield tail

    def append(self, tail: Tail, frame: bytes, at_us: int) -> Tail:
        """Write *frame* to *tail*, or the next if it is full, durably on return. Under the lock."""
        if _full(tail, at_us):
            tail = self.roll(tail)
        with segments.opened(self.folder, tail.number, writable=True) as fd:
            segments.append_durably(fd, self._path(tail.number), tail.offset, frame)
            self._finder.take_in(fd)
        return tail

    def roll(self, tail: Tail) -> Tail:
        """Seal the newest segment and begin the next. Under the lock.

        A crash after the trailer leaves a sealed segment without a next one, which the next writer makes.
        """
        trailer = segments.encode_trailer(Trailer(tail.count, tail.first_us, tail.last_us))
        with segments.opened(self.folder, tail.number, writable=True) as fd:
            segments.append_durably(fd, self._path(tail.number), tail.offset, trailer)
        return self._create(tail.number + 1)

    def _create(self, number: int) -> Tail:
        try:
            if not os.access(self._erasing_path, os.F_OK):
                # Made while there is space: erasing must not fail for want of it.
                self._note_erasing(NOBODY)
            segments.create_segment(self.folder, number)
        except OSError as error:
            raise storage_error(error, self._path(number)) from error
        tail = self._finder.refresh(exclusive=True)
        assert tail is not None  # noqa: S101 - the one just made
        tail.named_durably = True
        if number > 1:
            self._finder.index_sealed()
        return tail

    def erase(self, digest: bytes) -> bool:
        """The steps of `audit.store.BodyStore.erase`; whether there was anything to erase. Under the lock."""
        self._note_erasing(digest)
        return self._finish_erasing(digest)

    def _finish_erasing(self, digest: bytes) -> bool:
        try:
            erased = self._wipe(digest)
        except LogDamagedError:
            # Trying again would not help, and every later call would stumble over the note.
            self._note_erasing(NOBODY)
            raise
        self._note_erasing(NOBODY)
        return erased

    def _wipe(self, digest: bytes) -> bool:
        erased = False
        damage: BodyDamagedError | None = None
        where = f"sha256:{digest.hex()}"
        for number, row in self._finder.places(digest):
            try:
                with segments.opened(self.folder, number, writable=True) as fd:
                    erased = segments.erase_row(fd, where, row, digest) or erased
            except FileNotFoundError:
                continue  # Dropped: its time was over.
            except BodyDamagedError as error:
                damage = error  # The other copies first.
        try:
            erased = self._files.erase(digest) or erased
        except OSError as error:
            raise storage_error(error, where) from error
        if damage is not None:
            raise damage
        return erased

    def erasing(self) -> bytes:
        """The digest whose erasing is under way, or zeros."""
        try:
            fd = os.open(self._erasing_path, os.O_RDONLY)
            try:
                return os.pread(fd, len(NOBODY), 0).ljust(len(NOBODY), b"\0")
            finally:
                os.close(fd)
        except FileNotFoundError:
            return NOBODY
        except OSError as error:
            raise storage_error(error, self._erasing_path) from error

    def _note_erasing(self, digest: bytes) -> None:
        try:
            new = not os.access(self._erasing_path, os.F_OK)
            fd = os.open(self._erasing_path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                write_all(fd, digest, 0)
                os.fdatasync(fd)
            finally:
                os.close(fd)
            if new:
                sync_folder(self.folder)
        except OSError as error:
            raise storage_error(error, self._erasing_path) from error

    def drop(self, number: int, limit_us: int) -> int:
        """Remove sealed segment *number* if all its bodies are older; return how many went. Under the lock.

        Raises:
            OSError: it may still be there.
            LogDamagedError: it is not what was written; it is left.
        """
        name = segment_name(number)
        with segments.opened(self.folder, number) as fd:
            trailer = segments.trailer_of(fd)
            if trailer is not None and trailer.last_us >= limit_us:
                return 0
            live = segments.live_bodies(fd, name, number)
        # A crash from here on: gone or not, and not counted by the next call if gone.
        (self.folder / name).unlink(missing_ok=True)
        return live

    def _path(self, number: int) -> str:
        return f"{self.folder}/{segment_name(number)}"


def _full(tail: Tail, at_us: int) -> bool:
    if not tail.count:
        return False
    aged = at_us - tail.first_us >= SEGMENT_AGE_US
    return aged or tail.offset >= SEGMENT_BYTES or tail.count >= SEGMENT_BODIES
