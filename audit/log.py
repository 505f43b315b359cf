"""The log itself: append durably, publish, prove, read back.

Tree arithmetic, file formats and write order are left to the rooms below; what entries mean, to the callers.

Promises:

- *Durability.* When `append` returns, the entries survive a crash of the process, the system or the power.
- *Order.* The indexes an `append` returns are contiguous, never given twice, and are the entries' places for ever.
- *Concurrency.* Any number of threads and processes may append, publish and read at once, on one machine and a file
  system with working flock. Threads of one process share a sync (group commit).
- *Evidence.* What a published checkpoint covers cannot be altered unnoticed. Between append and publish an entry is
  durable but rests on the journal alone; publish soon.

Files beside the published tree: ``journal`` (commit point), ``journal.lock``, ``publish.lock``.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Self

from . import publish as publishing
from . import tree
from .checkpoint import Checkpoint, open_checkpoint, parse_unverified
from .entry import MAX_ENTRY_BYTES
from .errors import (
    CheckpointInvalidError,
    EntryMissingError,
    EntryTooLargeError,
    EntryUnpublishedError,
    LogDamagedError,
    LogExistsError,
    LogMissingError,
    LogReadOnlyError,
    ProofInvalidError,
    storage_error,
)
from .files import LOCK_TIMEOUT_S, locked, make_folder, replace_files
from .groups import GroupCommit
from .journal import MAX_FRAME_BYTES, Journal
from .notes import signed_by, with_signatures
from .proof import LogProof
from .tiles import TILE_WIDTH, TileFolder, bundle_path, encode_entries, width_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from .keys import MlDsaSignerKey
    from .notes import SignerKey

__all__ = ["Log", "LogProof"]

# Published entries are dropped from the journal when it has grown past this; each time costs three syncs.
ROTATE_BYTES = 32 * 1024 * 1024


class _Request:
    """One caller's entries on their way into a frame."""

    __slots__ = ("count", "first", "pieces")

    def __init__(self, entries: Sequence[bytes]) -> None:
        for position, entry in enumerate(entries):
            if len(entry) > MAX_ENTRY_BYTES:
                raise EntryTooLargeError(position=position, size_bytes=len(entry), limit_bytes=MAX_ENTRY_BYTES)
        self.count = len(entries)
        self.pieces: list[tuple[int, bytes]] = []
        begin = size_bytes = 0
        for position, entry in enumerate(entries):
            size_bytes += len(entry) + 2
            if size_bytes >= MAX_FRAME_BYTES or position + 1 == len(entries):
                self.pieces.append((position + 1 - begin, encode_entries(entries[begin : position + 1])))
                begin, size_bytes = position + 1, 0
        self.first = -1


class Log:
    """One log in one folder. Made by `create` or `open`; close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        folder: Path,
        signer: SignerKey | None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        second: MlDsaSignerKey | None = None,
    ) -> None:
        """For `create` and `open`, which see to it that the folder holds a log."""
        self.folder = folder
        self._signer = signer
        self._second = second
        self._lock_timeout_s = lock_timeout_s
        self._group = GroupCommit(self._write)
        self._tiles = TileFolder(folder)
        self._seen: tuple[str, Checkpoint] | None = None
        self._journal: Journal | None = None
        if signer is not None or (folder / "journal").exists():
            self._journal = Journal(folder / "journal", writable=signer is not None)
        _LIVE.add(self)

    @classmethod
    def create(
        cls,
        folder: Path,
        origin: str,
        signer: SignerKey,
        *,
        second: MlDsaSignerKey | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> Log:
        """Make an empty log, published at size 0, and open it. *origin* names it in every checkpoint.

        The checkpoint is written last, so a crash leaves either a log or a folder in which `create` works.

        Raises:
            LogExistsError: there is one.
            LogDamagedError: there is none, but a journal with entries, or tiles: a checkpoint was lost.
            CheckpointInvalidError: *origin* is no single line of text.
            StorageFullError, StorageFailedError, LogLockedError: try again.
        """
        empty = Checkpoint(origin, 0, tree.EMPTY_ROOT)
        try:
            make_folder(folder)
        except OSError as error:
            raise storage_error(error, str(folder)) from error
        with locked(folder / "publish.lock", lock_timeout_s), locked(folder / "journal.lock", lock_timeout_s):
            if (folder / "checkpoint").exists():
                raise LogExistsError(where=str(folder))
            _must_be_unused(folder)
            try:
                Journal.create(folder / "journal", 0)
            except OSError as error:
                raise storage_error(error, str(folder / "journal")) from error
            replace_files([(folder / "checkpoint", empty.sign(_signers(signer, second)).encode())])
        return cls.open(folder, signer, second=second, lock_timeout_s=lock_timeout_s)

    @classmethod
    def open(
        cls,
        folder: Path,
        signer: SignerKey | None = None,
        *,
        second: MlDsaSignerKey | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> Log:
        """Open the log in *folder*; without *signer* read-only, from its files alone, nothing being locked.

        With *signer* the checkpoint must bear its signature, and a frame that a crashed writer left unfinished,
        which nobody was told is in, is cut off. Without it signatures are not looked at: proofs carry them.
        With *second* every checkpoint is signed by it as well, the current one at once if it was not yet.

        Raises:
            LogMissingError: there is none.
            LogDamagedError: its files contradict each other.
            CheckpointInvalidError: signed by another key.
            LogLockedError, StorageFullError, StorageFailedError: try again.
        """
        if not (folder / "checkpoint").exists():
            raise LogMissingError(where=str(folder))
        log = cls(folder, signer, lock_timeout_s, second)
        try:
            log._checkpoint()
            if signer is not None:
                with locked(folder / "journal.lock", lock_timeout_s):
                    log._refresh(exclusive=True)
                log._sign_again()
            else:
                log._refresh(exclusive=False)
        except BaseException:
            log.close()
            raise
        return log

    def close(self) -> None:
        """Close the journal. Everything acknowledged is durable already."""
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """The log's name in its checkpoints."""
        return self._checkpoint()[1].origin

    @property
    def size(self) -> int:
        """How many entries are durable, by whichever process."""
        return max(self._refresh(exclusive=False), self.published_size)

    @property
    def published_size(self) -> int:
        """How many entries the current checkpoint covers."""
        return self._checkpoint()[1].size

    @property
    def checkpoint(self) -> str:
        """The current signed checkpoint."""
        return self._checkpoint()[0]

    def append(self, entries: Sequence[bytes]) -> range:
        """Put *entries* in the log, in this order and next to each other, and return their indexes.

        Durable on return. Safe in any thread and process. An error means that none was acknowledged.

        Raises:
            EntryTooLargeError: one has more than 65,535 bytes.
            LogReadOnlyError: opened without a signer.
            LogLockedError, StorageFullError, StorageFailedError: try again.
            LogDamagedError: call a person.
        """
        self._writable()
        request = _Request(entries)
        self._group.submit(request)
        return range(request.first, request.first + request.count)

    def publish(self) -> str:
        """Integrate every durable entry into the published tree, check it, sign it; return the signed checkpoint.

        Appending goes on meanwhile. With nothing new the current checkpoint is returned as it is.

        Raises:
            LogDamagedError: the published files, or the journal, are not what was written. Nothing was signed.
            LogReadOnlyError: opened without a signer.
            LogLockedError, StorageFullError, StorageFailedError: not published; try again.
        """
        signer, journal = self._writable()
        with locked(self.folder / "publish.lock", self._lock_timeout_s):
            note, published = self._checkpoint()
            # Whoever appends waits only while the last of it is read.
            self._refresh(exclusive=False)
            with locked(self.folder / "journal.lock", self._lock_timeout_s):
                end = self._refresh(exclusive=True)
            if end == published.size:
                return note
            # A writer may have died between write and sync; the tree must never be ahead of the durable journal.
            journal.sync()
            note = publishing.extend(
                self.folder,
                published,
                # Never None: publish.lock is held, so nobody rotates the journal past what is published.
                lambda: journal.entries(published.size, end) or (),
                _signers(signer, self._second),
            )
            self._seen = (note, parse_unverified(note))
            self._rotate(journal, end)
            return note

    def add_signatures(self, note: str) -> bool:
        """Put the signatures of *note* into the published checkpoint; False when that is another by now.

        For cosignatures, which come later than the checkpoint. The caller has verified those that are new. A crash
        before the rename leaves the checkpoint without them, one after it with them.

        Raises:
            CheckpointInvalidError: *note* is no checkpoint, or there are too many signatures for one note.
            LogReadOnlyError: opened without a signer.
            LogLockedError, StorageFullError, StorageFailedError: try again.
        """
        self._writable()
        with locked(self.folder / "publish.lock", self._lock_timeout_s):
            if parse_unverified(note) != self._checkpoint()[1]:
                return False
            self._take_signatures(note)
            return True

    def entry(self, index: int) -> bytes:
        """The entry at *index*, published or not; a published one is compared with its leaf hash.

        Raises:
            EntryMissingError: there is none.
            LogDamagedError: it is not what was logged.
        """
        if not 0 <= index < self.size:
            raise EntryMissingError(index=index, size=self.size)
        return next(self.entries(index, index + 1))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Entries *start* to *end* − 1 in order, one bundle in memory at a time.

        Raises:
            EntryMissingError: the log does not hold all of them.
            LogDamagedError: one is not what was logged.
        """
        size = self.size
        if not 0 <= start <= end <= size:
            raise EntryMissingError(index=start if start > size else end, size=size)
        while start < end:
            published = self.published_size
            if start >= published:
                kept = self._journal.entries(start, end) if self._journal is not None else None
                if kept is None:
                    # Published and dropped from the journal since the line above: it is in a bundle now.
                    continue
                yield from kept
                return
            index = start // TILE_WIDTH
            stop = min(end, published, (index + 1) * TILE_WIDTH)
            first = index * TILE_WIDTH
            hashes = self._tiles.tile(0, index, published)
            bundle = self._tiles.entries(index, published)
            for at in range(start - first, stop - first):
                if tree.leaf_hash(bundle[at]) != hashes[at * tree.HASH_BYTES : (at + 1) * tree.HASH_BYTES]:
                    where = bundle_path(index, width_at(0, index, published))
                    raise LogDamagedError(where=where, problem=f"entry {first + at} is not the one that was logged")
                yield bundle[at]
            start = stop

    def prove(self, index: int, note: str | None = None) -> LogProof:
        """Prove that the entry at *index* is in the tree of *note*, by default of the current checkpoint.

        Reads a few tiles whatever the size of the log. The proof was verified before it is returned.

        Raises:
            EntryUnpublishedError: *note* does not cover it; publish first.
            EntryMissingError: there is no such entry.
            CheckpointInvalidError: *note* is none of this log.
            LogDamagedError: the tiles do not give the root that was signed.
        """
        current, published = self._checkpoint()
        checkpoint = published if note is None else parse_unverified(note)
        if checkpoint.origin != published.origin or checkpoint.size > published.size:
            raise CheckpointInvalidError(problem=f"it is not one of `{published.origin}` up to {published.size}")
        if not 0 <= index < checkpoint.size:
            if 0 <= index < self.size:
                raise EntryUnpublishedError(index=index, size=checkpoint.size)
            raise EntryMissingError(index=index, size=self.size)
        read = self._tiles.reader(checkpoint.size)
        path = tree.inclusion_path(index, checkpoint.size, read)
        try:
            tree.verify_inclusion(read(0, index), index, checkpoint.size, path, checkpoint.root)
        except ProofInvalidError as error:
            raise LogDamagedError(where="tile", problem=f"no proof of entry {index} can be made") from error
        return LogProof(index, path, current if note is None else note)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """PROOF(old, D[new]) of RFC 6962 §2.1.2, for `audit.tree.verify_consistency`; *new* is at most published.

        Raises:
            EntryMissingError: not 0 ≤ old ≤ new.
            EntryUnpublishedError: *new* is past the published size.
            LogDamagedError: a tile is missing.
        """
        published = self.published_size
        if not 0 <= old <= new:
            raise EntryMissingError(index=old, size=new)
        if new > published:
            raise EntryUnpublishedError(index=new, size=published)
        return tree.consistency_path(old, new, self._tiles.reader(new))

    def _writable(self) -> tuple[SignerKey, Journal]:
        if self._signer is None or self._journal is None:
            raise LogReadOnlyError(where=str(self.folder))
        return self._signer, self._journal

    def _sign_again(self) -> None:
        """See that the second key has signed the current checkpoint: the log may be older than that key.

        Raises:
            CheckpointInvalidError: there is a second signature, and it is false.
        """
        second = self._second
        if second is None or signed_by(self._checkpoint()[0], [second.verifier])[1]:
            return
        with locked(self.folder / "publish.lock", self._lock_timeout_s):
            published = self._checkpoint()[1]
            # Nothing is signed that was not read back and recomputed, by this key either.
            publishing.check_published(self.folder, published)
            self._take_signatures(published.sign([second]))

    def _take_signatures(self, note: str) -> None:
        """Under publish.lock."""
        signers = _signers(self._writable()[0], self._second)
        current, published = self._checkpoint()
        whole = with_signatures(current, note)
        if whole != current:
            open_checkpoint(whole, [one.verifier for one in signers])
            replace_files([(self.folder / "checkpoint", whole.encode())])
            self._seen = (whole, published)

    def _write(self, requests: list[_Request]) -> None:
        journal = self._writable()[1]
        frames: list[tuple[int, list[bytes]]] = []
        room = 0
        for request in requests:
            for count, payload in request.pieces:
                if len(payload) > room:
                    frames.append((0, []))
                    room = MAX_FRAME_BYTES
                total, parts = frames[-1]
                parts.append(payload)
                frames[-1] = (total + count, parts)
                room -= len(payload)
        with locked(self.folder / "journal.lock", self._lock_timeout_s):
            first = self._refresh(exclusive=True)
            journal.write([(count, b"".join(parts)) for count, parts in frames])
        for request in requests:
            request.first = first
            first += request.count

    def _rotate(self, journal: Journal, published: int) -> None:
        """Drop published entries from a journal that has grown, keeping the unpublished ones. Under publish.lock."""
        if journal.size_bytes < ROTATE_BYTES:
            return
        with locked(self.folder / "journal.lock", self._lock_timeout_s):
            self._refresh(exclusive=True)
            base = journal.frame_start(published)
            try:
                Journal.create(journal.path, base, journal.frames_from(base))
            except OSError as error:
                raise storage_error(error, str(journal.path)) from error
            self._refresh(exclusive=True)

    def _refresh(self, *, exclusive: bool) -> int:
        """The end of the journal now; the published size for a folder without one."""
        published = self._checkpoint()[1].size
        if self._journal is None:
            return published
        end = self._journal.refresh(exclusive=exclusive)
        if exclusive and (end < published or self._journal.base > published):
            problem = f"it holds entries {self._journal.base} to {end}, and {published} are published"
            raise LogDamagedError(where="journal", problem=problem)
        return end

    def _checkpoint(self) -> tuple[str, Checkpoint]:
        """The note on disk and what it says; verified when a signer is there; never older than one seen before."""
        # Taken before the file is read: another thread may publish and take note in between.
        seen = self._seen
        try:
            note = (self.folder / "checkpoint").read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise LogDamagedError(where="checkpoint", problem="it cannot be read") from error
        if seen is not None and seen[0] == note:
            return seen
        found = parse_unverified(note)
        if self._signer is not None:
            found = open_checkpoint(note, [self._signer.verifier])
        if seen is not None and self._signer is not None:
            self._must_extend(seen[1], found)
        self._seen = now = (note, found)
        return now

    def _must_extend(self, old: Checkpoint, new: Checkpoint) -> None:
        try:
            path = tree.consistency_path(old.size, new.size, self._tiles.reader(new.size))
            tree.verify_consistency(old.size, new.size, old.root, new.root, path)
        except (ValueError, ProofInvalidError) as error:
            problem = f"size {new.size} does not extend size {old.size}, which this process saw before"
            raise LogDamagedError(where="checkpoint", problem=problem) from error

    def _after_fork(self) -> None:
        # Another thread of the parent may have held these at the moment of the fork; no thread of the child does.
        self._group.renew()
        self._tiles.renew_mutex()
        if self._journal is not None:
            self._journal.renew_mutex()


def _signers(signer: SignerKey, second: MlDsaSignerKey | None) -> list[SignerKey | MlDsaSignerKey]:
    return [signer] if second is None else [signer, second]


def _must_be_unused(folder: Path) -> None:
    """A folder in which creating crashed has an empty journal at most; anything more is a log that lost its head."""
    used = (folder / "tile").exists()
    if (folder / "journal").exists():
        journal = Journal(folder / "journal", writable=True)
        used = used or journal.refresh(exclusive=True) > 0
        journal.close()
    if used:
        raise LogDamagedError(where="checkpoint", problem="it is missing, and there are entries")


_LIVE: weakref.WeakSet[Log] = weakref.WeakSet()


def _renew_locks() -> None:
    for log in list(_LIVE):
        log._after_fork()  # noqa: SLF001 - same module


os.register_at_fork(after_in_child=_renew_locks)
