"""The sequencer: turns journal entries into tiles and entry bundles, reads them back, and only then signs.

What a journal promises is left to `audit.journal`; who may publish when, to `audit.log`, which holds the lock.

The steps, in this order, so that a crash between any two leaves a published tree that is whole:

1. the tiles of the published tree are read and must give the root that was signed last;
2. full tiles and bundles, then partial ones, are written under their final names, each durable before it has one;
3. everything written is read back and recomputed from its bytes;
4. the new tree, read from the files, is proven consistent with the old one;
5. the checkpoint is signed, and replaced in one rename: before it the old tree is published, after it the new one;
6. partial tiles whose full tile now exists are removed, as tlog-tiles permits.

A crash in 2 to 4 leaves files that no checkpoint covers; publishing again writes them over with the same content.
"""

from __future__ import annotations

import shutil
from functools import cache
from typing import TYPE_CHECKING

from . import tree
from .checkpoint import Checkpoint
from .errors import LogDamagedError, ProofInvalidError
from .files import replace_files
from .tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TileFolder,
    bundle_path,
    decode_entries,
    encode_entries,
    levels_of,
    tile_path,
    width_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from .notes import Signer

# Files are synced, renamed and read back in groups; these bound the memory of a group.
GROUP_FILES = 256
GROUP_BYTES = 32 * 1024 * 1024
# Full tiles of the published tree looked at by each publishing, besides the edge on which it builds. A log of up to
# 4,096 entries is looked at whole; a larger one in turns, at about 5 ms each time. fsck looks at everything.
PATROL_TILES = 16


def extend(
    folder: Path, published: Checkpoint, entries: Callable[[], Iterable[bytes]], signers: Sequence[Signer]
) -> str:
    """Publish the tree of *published* extended by *entries*, and return its signed checkpoint.

    *entries* is called once, after step 1; every one of *signers* signs. One caller per folder at a time.

    Raises:
        LogDamagedError: a file of the published tree, or one just written, is not what it should be.
        StorageFullError, StorageFailedError: not published; call again.
    """
    check_published(folder, published)  # Step 1.
    growing = _Growing(folder, published.size)
    for entry in entries():
        growing.add(entry)
    growing.finish()
    fresh = TileFolder(folder)
    read = fresh.reader(growing.size)
    new = Checkpoint(published.origin, growing.size, tree.root_at(growing.size, read), published.extensions)
    try:  # Step 4.
        path = tree.consistency_path(published.size, new.size, read)
        tree.verify_consistency(published.size, new.size, published.root, new.root, path)
    except ProofInvalidError as error:
        raise LogDamagedError(where="tile", problem=f"what was written does not extend {published.size}") from error
    note = new.sign(signers)
    # Step 5. A crash before the rename: the note was seen by nobody. After it: published.
    replace_files([(folder / "checkpoint", note.encode())])
    _remove_partials(folder, published.size, new.size)  # Step 6; a crash leaves some, which harm nobody.
    return note


def check_published(folder: Path, published: Checkpoint) -> None:
    """Check the edge of the published tree, on which the next one builds, against its root; and patrol some more.

    Raises:
        LogDamagedError: names the file.
    """
    fresh = TileFolder(folder)
    size = published.size
    if not size:
        if published.root != tree.EMPTY_ROOT:
            raise LogDamagedError(where="checkpoint", problem="the root of an empty tree is another")
        return
    root = tree.root_at(size, fresh.reader(size))
    edge = width_at(0, size // TILE_WIDTH, size)
    if edge:
        _check_bundle(fresh, size // TILE_WIDTH, size, trusted=root == published.root)
    if root != published.root:
        _find_altered(fresh, size)
        raise LogDamagedError(where="checkpoint", problem=f"the tiles have another root at size {size}")
    full = size // TILE_WIDTH
    # Where to begin is drawn from the root, so that the turns of successive publishings cover the whole tree.
    begin = int.from_bytes(published.root[:8], "big") % max(1, full)
    # Neighbours have the same parents: each tile is folded once.
    matches = cache(lambda level, index: _matches_parent(fresh, level, index, size))
    for step in range(min(PATROL_TILES, full)):
        _check_full(fresh, (begin + step) % full, size, matches)


def _check_full(fresh: TileFolder, index: int, size: int, matches: Callable[[int, int], bool]) -> None:
    """A full bundle against its tile, and the tile against its parents up to one that is not full."""
    level = 0
    _check_bundle(fresh, index, size, trusted=matches(level, index))
    while width_at(level, index, size) == TILE_WIDTH:
        if not matches(level, index):
            raise LogDamagedError(where=tile_path(level, index), problem="its hashes do not give its parent's")
        level, index = level + 1, index // TILE_WIDTH


def _matches_parent(fresh: TileFolder, level: int, index: int, size: int) -> bool:
    at = index % TILE_WIDTH * tree.HASH_BYTES
    parent = fresh.tile(level + 1, index // TILE_WIDTH, size)
    return tree.fold(fresh.tile(level, index, size)) == parent[at : at + tree.HASH_BYTES]


def _check_bundle(fresh: TileFolder, index: int, size: int, *, trusted: bool) -> None:
    """*trusted*: the tile of leaf hashes was found right, so a difference lies in the bundle."""
    width = width_at(0, index, size)
    hashes = tree.leaf_hashes(fresh.entries(index, size))
    if hashes != fresh.tile(0, index, size):
        where = bundle_path(index, width) if trusted else tile_path(0, index, width)
        raise LogDamagedError(where=where, problem="entries and leaf hashes differ")


def _find_altered(fresh: TileFolder, size: int) -> None:
    """Name the tile that is to blame when the edge does not give the signed root: compare each with its children."""
    for level in range(1, levels_of(size)):
        edge = (size >> TILE_HEIGHT * level) // TILE_WIDTH
        first = edge * TILE_WIDTH
        for child in range(first, first + width_at(level, edge, size)):
            if not _matches_parent(fresh, level - 1, child, size):
                where = tile_path(level, edge, width_at(level, edge, size))
                raise LogDamagedError(where=where, problem=f"its hashes are not those of {tile_path(level - 1, child)}")


class _Growing:
    """The right edge of the tree: per level the hashes of the tile under way, and the bundle under way."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = self._old = size
        kept = TileFolder(folder)
        self._edges = [bytearray() for _ in range(levels_of(size))]
        for level, edge in enumerate(self._edges):
            index = (size >> TILE_HEIGHT * level) // TILE_WIDTH
            if width_at(level, index, size):
                edge.extend(kept.tile(level, index, size))
        index = size // TILE_WIDTH
        self._bundle = kept.entries(index, size) if size % TILE_WIDTH else []
        self._files: list[tuple[str, bytes]] = []
        self._bytes = 0
        # (level, index, expected hash in its parent) of the full tiles of the group.
        self._folds: list[tuple[int, int, bytes]] = []

    def add(self, entry: bytes) -> None:
        """Take in the next entry; every 256th closes a bundle and a tile."""
        self._bundle.append(entry)
        self.size += 1
        if len(self._bundle) == TILE_WIDTH:
            self._close_bundle()
            if len(self._files) >= GROUP_FILES or self._bytes >= GROUP_BYTES:
                self._flush()

    def finish(self) -> None:
        """Write the partial tiles and the partial bundle too."""
        self._flush()
        if self._bundle:
            self._hash_bundle()
            index = self.size // TILE_WIDTH
            self._put(bundle_path(index, len(self._bundle)), encode_entries(self._bundle))
        for level, edge in enumerate(self._edges):
            # A partial tile that is no wider than before is on disk already, and step 1 read it.
            if edge and self.size >> TILE_HEIGHT * level != self._old >> TILE_HEIGHT * level:
                index = (self.size >> TILE_HEIGHT * level) // TILE_WIDTH
                self._put(tile_path(level, index, len(edge) // tree.HASH_BYTES), bytes(edge))
        self._flush()

    def _edge(self, level: int) -> bytearray:
        while len(self._edges) <= level:
            self._edges.append(bytearray())
        return self._edges[level]

    def _close_bundle(self) -> None:
        index = self.size // TILE_WIDTH - 1
        self._put(bundle_path(index), encode_entries(self._bundle))
        self._hash_bundle()
        self._bundle = []
        level = 0
        while len(self._edge(level)) == TILE_WIDTH * tree.HASH_BYTES:
            packed = bytes(self._edge(level))
            self._put(tile_path(level, index), packed)
            parent = tree.fold(packed)
            self._folds.append((level, index, parent))
            self._edge(level).clear()
            self._edge(level + 1).extend(parent)
            level, index = level + 1, index // TILE_WIDTH

    def _hash_bundle(self) -> None:
        known = len(self._edge(0)) // tree.HASH_BYTES
        self._edge(0).extend(tree.leaf_hashes(self._bundle[known:]))

    def _put(self, path: str, data: bytes) -> None:
        self._files.append((path, data))
        self._bytes += len(data)

    def _flush(self) -> None:
        """Steps 2 and 3 for one group of files."""
        replace_files([(self.folder / path, data) for path, data in self._files])
        paths = {path for path, _ in self._files}
        for path, data in self._files:
            if path.startswith("tile/entries/"):
                leaves = path.replace("tile/entries/", "tile/0/", 1)
                hashes = tree.leaf_hashes(_entries_back(self.folder, path))
                if leaves not in paths or hashes != _read_back(self.folder, leaves):
                    raise LogDamagedError(where=path, problem="read back, its entries and leaf hashes differ")
            elif _read_back(self.folder, path) != data:
                raise LogDamagedError(where=path, problem="read back, it is not what was written")
        for level, index, expected in self._folds:
            if tree.fold(_read_back(self.folder, tile_path(level, index))) != expected:
                raise LogDamagedError(where=tile_path(level, index), problem="read back, it has another hash")
        self._files, self._folds, self._bytes = [], [], 0


def _read_back(folder: Path, path: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise LogDamagedError(where=path, problem=f"it cannot be read back ({error.strerror})") from error


def _entries_back(folder: Path, path: str) -> list[bytes]:
    try:
        return decode_entries(_read_back(folder, path))
    except ValueError as error:
        raise LogDamagedError(where=path, problem=f"read back, {error}") from error


def _remove_partials(folder: Path, old: int, new: int) -> None:
    """Remove the partial forms of tiles and bundles that became full between the two sizes.

    "MAY delete any partial tile once the corresponding full tile is available" (tlog-tiles, Partial Tiles); the
    others serve older checkpoints and stay. A part that cannot be removed now is left: it is right, only spare.
    """
    for level in range(levels_of(new)):
        first = (old >> TILE_HEIGHT * level) // TILE_WIDTH
        for index in range(first, (new >> TILE_HEIGHT * level) // TILE_WIDTH):
            paths = [tile_path(level, index)] + ([bundle_path(index)] if level == 0 else [])
            for path in paths:
                shutil.rmtree(folder / f"{path}.p", ignore_errors=True)
