"""Reads a log that is not trusted: every entry is proven to be in the tree of a checkpoint that a pinned key signed.

Needs the files and the public keys, as `audit.fsck` does, but reads only what it is asked for. That all of the log is
in order is left to `audit.fsck`; which keys to pin, to the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from . import tree
from .errors import EntryMissingError, LogDamagedError, LogMissingError, ProofInvalidError
from .proof import LogProof
from .tiles import TILE_WIDTH, TileFolder, bundle_path, width_at
from .verifiers import as_trust
from .witnessed import find_witnessed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .notes import Verifier
    from .verifiers import Trust

_KEPT_BUNDLES: Final = 8  # some 120 kB each


class PinnedLog:
    """The published entries of one log folder as of the checkpoint that was there when it was opened.

    Promise: what comes out was in the tree whose root one of the pinned keys signed; what is not, or cannot be read,
    raises. Entries published afterwards are not seen. For one thread.
    """

    def __init__(self, folder: Path, verifiers: Trust | Sequence[Verifier], note: str | None = None) -> None:
        """Open *folder* at the checkpoint *note* (default: its newest, or the newest that a quorum cosigned).

        Raises:
            LogMissingError: there is no log.
            LogDamagedError: its checkpoint cannot be read.
            CheckpointInvalidError: none of *verifiers* signed it.
        """
        self.folder = folder
        trust = as_trust(verifiers)
        if note is None:
            note = read_note(folder) if trust.quorum is None else find_witnessed(folder, trust)[0]
        self.note = note
        self.checkpoint = trust.open(self.note)
        self._tiles = TileFolder(folder)
        self._read = self._tiles.reader(self.size)
        self._hashes: OrderedDict[int, bytes] = OrderedDict()
        self._bundles: OrderedDict[int, list[bytes]] = OrderedDict()

    @property
    def size(self) -> int:
        """How many entries the checkpoint covers."""
        return self.checkpoint.size

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.checkpoint.origin

    def root_at(self, size: int) -> bytes:
        """The root that the tree had when it held the first *size* entries, by the tiles.

        Raises:
            EntryMissingError: it is not so long.
            LogDamagedError: a tile is missing.
        """
        if not 0 <= size <= self.size:
            raise EntryMissingError(index=size, size=self.size)
        return tree.root_at(size, self._read)

    def entry(self, index: int) -> bytes:
        """The entry at *index*.

        Raises:
            EntryMissingError: the checkpoint covers none there.
            LogDamagedError: it is not what the checkpoint's root stands for.
        """
        if not 0 <= index < self.size:
            raise EntryMissingError(index=index, size=self.size)
        bundle, at = divmod(index, TILE_WIDTH)
        data = self._entries(bundle)[at]
        hashes = self._proven(bundle)
        if tree.leaf_hash(data) != hashes[at * tree.HASH_BYTES : (at + 1) * tree.HASH_BYTES]:
            raise self._damaged(bundle, index)
        return data

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Entries *start* to *end* − 1 in order, one bundle in memory at a time. Raises as `entry` does."""
        if not 0 <= start <= end <= self.size:
            raise EntryMissingError(index=start if start > self.size else end, size=self.size)
        while start < end:
            bundle, at = divmod(start, TILE_WIDTH)
            stop = min(end, (bundle + 1) * TILE_WIDTH)
            part = self._entries(bundle)[at : at + stop - start]
            hashes = self._proven(bundle)[at * tree.HASH_BYTES : (at + len(part)) * tree.HASH_BYTES]
            if b"".join([tree.leaf_hash(data) for data in part]) != hashes:
                # One of them; reading them singly names it.
                for index in range(start, stop):
                    self.entry(index)
            yield from part
            start = stop

    def prove(self, index: int) -> LogProof:
        """The proof that the entry at *index* is in the tree of the checkpoint; verified before it is returned.

        Raises:
            EntryMissingError, LogDamagedError: see `entry`.
        """
        if not 0 <= index < self.size:
            raise EntryMissingError(index=index, size=self.size)
        return LogProof(index, self._path(index), self.note)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """PROOF(old, D[new]) of RFC 6962 §2.1.2. Not verified: the old root is its reader's.

        Raises:
            EntryMissingError: not 0 ≤ old ≤ new ≤ size.
            LogDamagedError: a tile is missing.
        """
        if not 0 <= old <= new <= self.size:
            raise EntryMissingError(index=max(old, new), size=self.size)
        return tree.consistency_path(old, new, self._read)

    def _path(self, index: int) -> tuple[bytes, ...]:
        path = tree.inclusion_path(index, self.size, self._read)
        try:
            leaf = self._read(0, index)
            tree.verify_inclusion(leaf, index, self.size, path, self.checkpoint.root)
        except ProofInvalidError as error:
            raise self._damaged(index // TILE_WIDTH, index) from error
        return path

    def _proven(self, bundle: int) -> bytes:
        """The leaf hashes of *bundle*, proven.

        The path of one leaf holds the hashes of every other leaf of its tile, folded from the very bytes that are
        returned: if it leads to the root, they are all right.
        """
        known = self._hashes.get(bundle)
        if known is None:
            self._path(bundle * TILE_WIDTH)
            known = self._hashes[bundle] = self._tiles.tile(0, bundle, self.size)
            while len(self._hashes) > _KEPT_BUNDLES:
                self._hashes.popitem(last=False)
        return known

    def _entries(self, bundle: int) -> list[bytes]:
        known = self._bundles.get(bundle)
        if known is None:
            known = self._bundles[bundle] = self._tiles.entries(bundle, self.size)
            while len(self._bundles) > _KEPT_BUNDLES:
                self._bundles.popitem(last=False)
        return known

    def _damaged(self, bundle: int, index: int) -> LogDamagedError:
        where = bundle_path(bundle, width_at(0, bundle, self.size))
        return LogDamagedError(where=where, problem=f"entry {index} is not the one that was logged")


def read_note(folder: Path) -> str:
    """The signed note in the file ``checkpoint`` of *folder*, unverified.

    Raises:
        LogMissingError: there is none.
        LogDamagedError: it cannot be read.
    """
    try:
        return (folder / "checkpoint").read_bytes().decode()
    except FileNotFoundError as error:
        raise LogMissingError(where=str(folder)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise LogDamagedError(where="checkpoint", problem="it cannot be read") from error
