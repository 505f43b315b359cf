"""Bodies kept beside the log under their salted digests, and erased on their own.

What a body means, how long it is kept and who may erase it are left to the callers; how bodies lie in files, to
`audit.segments`, how they are found, to `audit.bodyfinder`. The log holds the digest only, so erasing a body, salt and
all, leaves every proof valid and the digest beyond guessing.

Promises:

- *Durability.* When `put` or `put_many` returns, the bodies survive a crash of the process, the system or the power;
  when `erase` or `expire` returns, that they are gone does too.
- *Concurrency.* Any number of threads and processes may put, get and erase at once, on one machine and a file system
  with working flock. Threads of one process share a sync (group commit). Reading takes no lock.
- *Erasing* overwrites salt and body with zeros in their place. What a disk keeps of blocks that were overwritten or
  freed is the task of its encryption, as encryption at rest is altogether.
- *Memory* is that of the one segment being written: 16 bytes a body, 2 MB at most. Sealed ones are mapped files.

Files: ``NUMBER.bodies`` (segments), ``FIRST-LAST.index`` (made from the segments alone, may be deleted), ``lock``,
``index.lock``, ``erasing`` (the digest whose erasing is under way), and ``xx/….json`` of earlier versions, until
`BodyStore.migrate` has moved them.
"""

from __future__ import annotations

import os
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from . import bodyindex, canonical, segments
from .bodyfinder import Finder
from .bodywriter import BodyWriter
from .entry import MIN_SALT_BYTES, sealed
from .errors import (
    BodyDamagedError,
    EntryInvalidError,
    InputInvalidError,
    LogDamagedError,
    storage_error,
)
from .filebodies import FileBodies, parse
from .files import LOCK_TIMEOUT_S, sync_folder
from .groups import GroupCommit
from .segments import segment_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from .bodyfinder import Tail
    from .segments import Item

_MIGRATED_AT_ONCE = 64

_PREFIX = "sha256:"


def utc_now() -> datetime:
    """The clock of a store that was given none; its times serve retention alone."""
    return datetime.now(UTC)


class _Request:
    """One caller's bodies on their way into a frame."""

    __slots__ = ("at_us", "items")

    def __init__(self, items: Sequence[tuple[str, bytes, bytes]], at_us: int) -> None:
        made: list[Item] = []
        for digest, salt, body in items:
            made.append((_raw(digest), salt, body))
            if not MIN_SALT_BYTES <= len(salt) <= segments.MAX_SALT_BYTES:
                raise EntryInvalidError(problem=f"a salt needs {MIN_SALT_BYTES} bytes, this has {len(salt)}")
            if len(body) > segments.MAX_BODY_BYTES:
                problem = f"a body has {len(body)} bytes, at most {segments.MAX_BODY_BYTES} are kept"
                raise EntryInvalidError(problem=problem)
        self.items = made
        self.at_us = at_us


class BodyStore:
    """Bodies in one folder, which is created on the first `put`. *clock* tells when a body is put, for `expire`."""

    def __init__(
        self, folder: Path, *, clock: Callable[[], datetime] = utc_now, lock_timeout_s: float = LOCK_TIMEOUT_S
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._finder = Finder(folder)
        self._files = FileBodies(folder)
        self._writer = BodyWriter(folder, self._finder, self._files, lock_timeout_s)
        self._group = GroupCommit(self._write)
        _LIVE.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Wait for an index file under way. Everything acknowledged is durable already, and no file is held open."""
        self._finder.wait()

    def put(self, entry_key: str, salt: bytes, body: Mapping[str, Any]) -> str:  # noqa: ARG002 - see below
        """Keep *body* with its *salt*, durably on return; return the digest it is kept under, `seal_body`'s.

        Put it before the entry that names it. Putting the same body and salt again changes nothing that `get` or
        `erase` tell. *entry_key* is no longer kept: bodies are found by digest, nobody looks at single files any more,
        and a name is one more thing to erase.

        Raises:
            CanonicalError, EntryInvalidError: no JSON body, or a salt shorter than 16 bytes.
            StorageFullError, StorageFailedError, LogLockedError: not kept; try again.
            LogDamagedError: call a person.
        """
        data = canonical.encode_json(body)
        digest = sealed(data, salt)
        self.put_many([(digest, salt, data)])
        return digest

    def put_many(self, items: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Keep bodies that were encoded and sealed already, durably on return: (digest, salt, canonical body) each.

        One write and one sync for all of them, and for those of other threads. That a digest is `seal_body`'s of its
        salt and body is not checked here: `get` does. After an error some may be kept, and none is acknowledged.

        Raises:
            EntryInvalidError: a digest that is none, a salt shorter than 16 bytes, a body of more than 64 MB.
            StorageFullError, StorageFailedError, LogLockedError: try again.
            LogDamagedError: call a person.
        """
        if not items:
            return
        self._group.submit(_Request(items, _microseconds(self._clock())))

    def get(self, body_digest: str) -> tuple[bytes, dict[str, Any]] | None:
        """The salt and the body, checked against the digest; None when it was erased or never put.

        Raises:
            BodyDamagedError: it is not what was put.
            EntryInvalidError: *body_digest* is none.
            StorageFailedError: the folder cannot be read.
        """
        digest = _raw(body_digest)
        # Files first: one that is being moved is in a segment before it is removed.
        kept = self._files.get(digest)
        if kept is not None:
            return kept
        found = self._finder.seek(digest)
        if found is not None and not found.sound:
            if found.blank or self._writer.erasing() == digest:
                return None
            # Or it was being erased as we read, and is by now.
            found = self._finder.seek(digest)
        if found is None or found.blank:
            return None
        if not found.sound:
            raise BodyDamagedError(where=body_digest, problem="it has another digest")
        try:
            body = parse(found.body)
        except (ValueError, RecursionError) as error:
            raise BodyDamagedError(where=body_digest, problem="it cannot be read") from error
        if not isinstance(body, dict):
            raise BodyDamagedError(where=body_digest, problem="it is no JSON object")
        return found.salt, body

    def erase(self, body_digest: str) -> bool:
        """Erase the body and its salt, durably on return; False when there was none.

        1. the digest is noted in ``erasing`` and synced;
        2. state, salt and body are overwritten with zeros and synced, wherever they are;
        3. the note is cleared.

        A crash before 1 is done erases nothing. After it, whichever process writes next finishes 2 and 3; until then
        some of the body, or all of it, may be on the disk. A crash after 2 leaves a note of what is gone already.

        Raises:
            StorageFullError, StorageFailedError, LogLockedError: it may still be there; try again.
            BodyDamagedError: the body's row is altered, so that it cannot be overwritten safely; call a person.
            EntryInvalidError: *body_digest* is none.
        """
        digest = _raw(body_digest)
        if not self.folder.is_dir():
            return False
        with self._writer.exclusive():
            return self._writer.erase(digest)

    def expire(self, before: datetime) -> int:
        """Drop the segments of which every body was put before *before*; return how many bodies went, erased ones not.

        Whole segments, so a body stays up to a month longer than its time, until the last of its segment is due.
        Durable on return, safe to repeat: a crash leaves some of the segments, which the next call drops. Bodies in
        the form of earlier versions stay; `migrate` first.

        Raises:
            InputInvalidError: *before* has no time zone.
            StorageFullError, StorageFailedError, LogLockedError: some are left; try again.
            LogDamagedError: after all others were dropped, for the first segment that is not what was written.
        """
        if before.tzinfo is None:
            raise InputInvalidError(problem="the time has no time zone")
        limit_us = _microseconds(before)
        if not self.folder.is_dir():
            return 0
        gone = 0
        damage: LogDamagedError | None = None
        with self._writer.exclusive() as tail:
            if tail.count and tail.last_us < limit_us:
                tail = self._writer.roll(tail)  # noqa: PLW2901 - the next is meant from here
            try:
                for number in segment_numbers(self.folder):
                    if number < tail.number:
                        try:
                            gone += self._writer.drop(number, limit_us)
                        except LogDamagedError as error:
                            damage = damage or error
                sync_folder(self.folder)
                bodyindex.drop(self.folder)
            except OSError as error:
                raise storage_error(error, str(self.folder)) from error
            self._finder.forget()
        if damage is not None:
            raise damage
        return gone

    def migrate(self) -> int:
        """Move the bodies of earlier versions, a file each, into segments; return how many were moved.

        Safe to kill, and to run beside everything else: a group of files is removed after its bodies are durable in a
        segment, and a body that is in both places for a moment is erased from both. Oldest first, with the times of
        the files, so that retention goes on as it was.

        Raises:
            BodyDamagedError: after all others were moved, for the first file that is not what was put; it is left.
            StorageFullError, StorageFailedError, LogLockedError: some are left; run it again.
        """
        moved = 0
        damaged: BodyDamagedError | None = None
        for at_us, share in self._files.months():
            for start in range(0, len(share), _MIGRATED_AT_ONCE):
                # Under the lock, so that nobody erases a body between its being read and its being put.
                group = share[start : start + _MIGRATED_AT_ONCE]
                # Under the lock, so that nobody erases a body between its being read and its being put.
                with self._writer.exclusive() as tail:
                    count, error = self._move(tail, group, at_us)
                moved += count
                damaged = damaged or error
        try:
            self._files.remove_empty()
        except OSError as error:
            raise storage_error(error, str(self.folder)) from error
        if damaged is not None:
            raise damaged
        return moved

    def _move(self, tail: Tail, paths: Sequence[Path], at_us: int) -> tuple[int, BodyDamagedError | None]:
        """Move the bodies of these files; how many were moved, and what was wrong with one that was not."""
        items: list[Item] = []
        done: list[Path] = []
        damaged: BodyDamagedError | None = None
        for path in paths:
            digest = self._files.digest_of(path)
            try:
                found = self._files.raw(path, digest)
            except BodyDamagedError as error:
                damaged = damaged or error
                continue
            if found is not None:
                items.append((digest, *found))
                done.append(path)
        for frame in _frames(items, at_us):
            tail = self._writer.append(tail, frame, at_us)
        try:
            # A crash before leaves a body in both places, which the next call moves once more.
            self._files.remove(done)
        except OSError as error:
            raise storage_error(error, str(self.folder)) from error
        return len(done), damaged

    def _write(self, requests: Sequence[_Request]) -> None:
        at_us = max(request.at_us for request in requests)
        frames = _frames([item for request in requests for item in request.items], at_us)
        with self._writer.exclusive() as tail:
            for frame in frames:
                tail = self._writer.append(tail, frame, at_us)  # noqa: PLW2901 - it may be full, and the next is meant

    def _after_fork(self) -> None:
        # Another thread of the parent may have been amid anything at the moment of the fork.
        self._group.renew()
        self._finder.renew()


def _raw(digest: str) -> bytes:
    try:
        raw = bytes.fromhex(digest[len(_PREFIX) :])
    except ValueError:
        raw = b""
    # `fromhex` is lenient with spaces and capitals: the way back tells.
    if len(raw) != segments.DIGEST_BYTES or digest != _PREFIX + raw.hex():
        raise EntryInvalidError(problem="a body digest is sha256: and 64 hex digits")
    return raw


def _frames(items: Sequence[Item], at_us: int) -> list[bytes]:
    """The frames of *items*, of bounded size."""
    made = []
    begin = size_bytes = 0
    for position, (_, salt, body) in enumerate(items):
        size_bytes += segments.ROW.size + 1 + len(salt) + len(body)
        if size_bytes > segments.MAX_FRAME_BYTES and position > begin:
            made.append(segments.encode_frame(items[begin:position], at_us))
            begin, size_bytes = position, segments.ROW.size + 1 + len(salt) + len(body)
    if begin < len(items):
        made.append(segments.encode_frame(items[begin:], at_us))
    return made


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


_LIVE: weakref.WeakSet[BodyStore] = weakref.WeakSet()


def _renew_locks() -> None:
    for store in list(_LIVE):
        store._after_fork()  # noqa: SLF001 - same module


os.register_at_fork(after_in_child=_renew_locks)
