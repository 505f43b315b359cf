"""The files of a C2SP tiled log (c2sp.org/tlog-tiles): paths, entry bundles, and hashes read back from tiles.

Writing them in a safe order is left to `audit.publish`; what a hash proves, to `audit.tree`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from .errors import LogDamagedError
from .tree import HASH_BYTES, Subtrees, parents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TILE_HEIGHT = 8
TILE_WIDTH = 256
TILE_BYTES = TILE_WIDTH * HASH_BYTES
_LENGTH_BYTES = 2
_CACHED_TILES = 256  # 16 KiB each with its inner levels: 4 MiB, and three tiles serve a proof in a log of 16M.


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """``tile/<L>/<N>[.p/<W>]``."""
    return f"tile/{level}/{_index_path(index, width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """``tile/entries/<N>[.p/<W>]``."""
    return f"tile/entries/{_index_path(index, width)}"


def _index_path(index: int, width: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups)) + ("" if width == TILE_WIDTH else f".p/{width}")


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes the tile *index* of *level* holds in a tree of *size*: 0 to 256."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH))


def levels_of(size: int) -> int:
    """How many levels of tiles a tree of *size* has."""
    return (size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """A bundle: each entry after its length as a big-endian uint16. The caller checked the lengths."""
    parts: list[bytes] = []
    for entry in entries:
        parts.append(len(entry).to_bytes(_LENGTH_BYTES, "big"))
        parts.append(entry)
    return b"".join(parts)


def decode_entries(data: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        ValueError: the bytes end within an entry.
    """
    entries: list[bytes] = []
    add, at, end = entries.append, 0, len(data)
    while at < end - 1:
        begin = at + _LENGTH_BYTES
        at = begin + (data[begin - 2] << 8 | data[begin - 1])
        add(data[begin:at])
    if at != end:
        raise ValueError("the bytes end within an entry")
    return entries


def read_widest(folder: Path, path_of: Sequence[str]) -> tuple[str, bytes]:
    """The first of these files that exists, with its path.

    Raises:
        LogDamagedError: none exists, or it cannot be read.
    """
    for path in path_of:
        try:
            return path, (folder / path).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LogDamagedError(where=path, problem=f"it cannot be read ({error.strerror})") from error
    raise LogDamagedError(where=path_of[0], problem="it is missing")


class TileFolder:
    """Tiles and bundles of one log folder, read-only, with the tiles read last kept in memory.

    Safe for many threads. A tile is immutable, so a kept one cannot be stale; it can hide a later alteration,
    so checks of the files use a new `TileFolder`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: OrderedDict[tuple[int, int, int], list[bytes]] = OrderedDict()
        self._mutex = threading.Lock()

    def renew_mutex(self) -> None:
        """For a child just forked: a thread of its parent may have held the mutex."""
        self._mutex = threading.Lock()

    def tile(self, level: int, index: int, size: int) -> bytes:
        """The packed hashes of a tile as they are in a tree of *size*.

        Raises:
            LogDamagedError: the file is missing or too short.
        """
        return self._levels(level, index, size)[0]

    def read_tile(self, level: int, index: int, size: int) -> bytes:
        """As `tile`, read from the disk in any case."""
        width = width_at(level, index, size)
        path, data = read_widest(self.folder, (tile_path(level, index, width), tile_path(level, index)))
        wanted = width * HASH_BYTES
        if len(data) < wanted or (len(data) > wanted and path == tile_path(level, index, width)):
            raise LogDamagedError(where=path, problem=f"it has {len(data)} bytes, not {wanted}")
        return data[:wanted]

    def entries(self, index: int, size: int) -> list[bytes]:
        """The entries of a bundle as they are in a tree of *size*. Not compared with the tile's hashes.

        Raises:
            LogDamagedError: the file is missing or is no bundle of so many entries.
        """
        width = width_at(0, index, size)
        # A partial file may have been removed once the full one existed (tlog-tiles, Partial Tiles).
        path, data = read_widest(self.folder, (bundle_path(index, width), bundle_path(index)))
        try:
            entries = decode_entries(data)
        except ValueError as error:
            raise LogDamagedError(where=path, problem=str(error)) from error
        if len(entries) < width or (len(entries) > width and path == bundle_path(index, width)):
            raise LogDamagedError(where=path, problem=f"it holds {len(entries)} entries, not {width}")
        return entries[:width]

    def reader(self, size: int) -> Subtrees:
        """Perfect subtrees of the tree of *size*, for the functions of `audit.tree`.

        Reading raises LogDamagedError as `tile` does.
        """

        def read(level: int, index: int) -> bytes:
            tile_level, inner = divmod(level, TILE_HEIGHT)
            tile, at = divmod(index << inner, TILE_WIDTH)
            packed = self._levels(tile_level, tile, size)[inner]
            start = (at >> inner) * HASH_BYTES
            return packed[start : start + HASH_BYTES]

        return read

    def _levels(self, level: int, index: int, size: int) -> list[bytes]:
        """The tile's hashes and those of the levels above them within the tile, complete subtrees only."""
        width = width_at(level, index, size)
        key = (level, index, width)
        with self._mutex:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        levels = [self.read_tile(level, index, size)]
        while len(levels[-1]) >= 2 * HASH_BYTES:
            levels.append(parents(levels[-1]))
        with self._mutex:
            self._kept[key] = levels
            while len(self._kept) > _CACHED_TILES:
                self._kept.popitem(last=False)
        return levels
