"""One immutable file in which records are found by value: hashes in order, packed records, mapped into memory.

What goes in, and which file readers are pointed to, is `warehouse.lookup`; how a file is made, `warehouse.sharding`.
All numbers are little endian:

    magic | blocks of records | ends of the blocks | section | section | … | contents (JSON) | their CRC-32 (4 bytes) |
    their length (8 bytes) | magic

Records are texts, numbered from 0 in the order of their key. A block is some of them, packed by LZ4: its CRC-32, its
length unpacked (4 bytes each), and the packed bytes. The ends are the places of the blocks in the file, 8 bytes each,
the beginning of the first before all.

A section is one field by which records are found. It has an entry of 8 bytes for every value: the high bits are those
of a hash of the value, the low bits the number of the record. Entries are in order, thus equal values too, by key. They
are cut into pages (CRC-32, number of entries, the first entry of the next page, the entries), and the first entries of
all pages stand once more behind them, as fences. A search goes to its page by the fences, from a good guess on, for
hashes are spread evenly. It reads one page and one block: some kilobytes, whatever the size of the file.

Every byte that an answer depends on is checked whenever it is read. Blocks and pages have their checksums, over their
numbers too. A page shows that it is the right one, for it names the entries from which and up to which it speaks: "not
found" is never a damaged fence's word. What is found is what hashes say; the caller compares the values. Readers share
the system's cache of the file, take no lock and keep nothing in memory.
"""

from __future__ import annotations

import ctypes
import json
import math
import mmap
import struct
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from warehouse.errors import IndexDamagedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAGIC = b"ZTSHARD2"
# Between records in a block. No record holds it.
END = b"\x1e"
PAGE_BYTES = 1024
PAGE_WORDS = PAGE_BYTES // 8
ENTRIES_PER_PAGE = PAGE_WORDS - 2
# Where the next page would begin, said by the last one. No entry is this: no record has such a number.
LAST = 2**64 - 1
# Multiplying by it spreads whole numbers over all 64 bits: 2^64 by the golden ratio (Knuth, TAOCP 3, 6.4).
FACTOR = 0x9E3779B97F4A7C15
CODEC = pa.Codec("lz4_raw")
PAIR = struct.Struct("<II")
TAIL = struct.Struct("<IQ8s")
_MASK = 2**64 - 1
_C = ctypes.CDLL(None)


def hash_of(value: str | int | bool) -> int:  # noqa: FBT001 - a value like the others
    """The 64 bits by which a wire value is sought: a whole number itself, or the CRC-32 of a text, spread by `FACTOR`.

    Texts in thousands of millions have a fellow now and then, whose record is then read in vain.
    """
    if type(value) is int:
        return value * FACTOR & _MASK
    text = value if isinstance(value, str) else str(value).lower()
    # What cannot be written in UTF-8 may be asked for all the same.
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) * FACTOR & _MASK


class Section:
    """The entries of one field. Any number of threads may search it."""

    def __init__(self, file: memoryview, said: dict[str, Any], bits: int) -> None:
        pages, place = int(said["pages"]), int(said["place"])
        end = place + pages * PAGE_BYTES
        if end + 8 * pages > len(file) or any(file[int(said["padding"]) : place]):
            raise ValueError("no section")
        self._seed = zlib.crc32(str(said["name"]).encode())
        self._pages = pages
        self._bytes = file[place:end]
        self._words = self._bytes.cast("Q")
        self._fences = file[end : end + 8 * pages].cast("Q")
        self._low = (1 << bits) - 1
        # Four times as far as evenly spread hashes stray; whatever lies beyond is found by halves of the whole.
        self._stray = 4 + 2 * math.isqrt(pages * ENTRIES_PER_PAGE) // ENTRIES_PER_PAGE

    def find(self, hashed: int, most: int, first: int = 0) -> list[int]:
        """The numbers, from *first* on, of at most *most* records whose value has this hash, in order.

        Raises:
            ValueError, IndexError, struct.error: the section is damaged.
        """
        if not self._pages:
            return []
        words, low = self._words, self._low
        beyond = (hashed | low) + 1
        target = beyond - low - 1 + first
        number = self._page_of(target)
        begin, end, following = self._page(number)
        if following <= target or (number and words[begin] > target):
            raise ValueError("another page")
        begin = bisect_left(words, target, begin, end)
        if following >= beyond and (begin == end or words[begin] >= beyond):
            return []
        found: list[int] = []
        while True:
            for entry in words[begin : min(end, begin + most - len(found))]:
                if entry >= beyond:
                    return found
                found.append(entry & low)
            if following >= beyond or len(found) == most:
                return found
            number += 1
            expected = following
            begin, end, following = self._page(number)
            if words[begin] != expected:
                raise ValueError("another page")

    def find_many(self, hashes: Sequence[int], most: int) -> tuple[list[tuple[int, int]], list[int]]:
        """As `find` for each of several hashes, in less time: (number of a record, place in *hashes*), by number.

        Those that have more than *most* records are not among them; the second list has their places.
        """
        if not self._pages or not hashes:
            return [], []
        words, low = self._words, self._low
        found: list[tuple[int, int]] = []
        more: list[int] = []
        targets = np.array(hashes, np.uint64) & ~np.uint64(low)
        numbers = np.searchsorted(np.frombuffer(self._fences, np.uint64), targets, "right")
        numbers -= numbers > 0
        for i, (target, number) in enumerate(zip(targets.tolist(), numbers.tolist(), strict=True)):
            begin, end, following = self._page(number)
            if following <= target or (number and words[begin] > target):
                raise ValueError("another page")
            beyond = target + low + 1
            begin = bisect_left(words, target, begin, end)
            if following < beyond or (begin + 1 < end and words[begin + 1] < beyond):
                several = self.find(target, most + 1)
                if len(several) > most:
                    more.append(i)
                else:
                    found += [(each, i) for each in several]
            elif begin < end and words[begin] < beyond:
                found.append((words[begin] & low, i))
        found.sort()
        return found, more

    def _page_of(self, target: int) -> int:
        """The page in which entries from *target* on would begin."""
        fences, pages, stray = self._fences, self._pages, self._stray
        guess = target * pages >> 64
        begin, end = guess - stray, guess + stray
        if begin <= 0:
            begin = 0
        elif fences[begin] > target:
            begin, end = 0, pages
        if end >= pages:
            end = pages
        elif fences[end] <= target:
            begin, end = 0, pages
        return (bisect_right(fences, target, begin, end) or 1) - 1

    def _page(self, number: int) -> tuple[int, int, int]:
        """Where the entries of a page begin and end, and the first entry of the next page."""
        place, begin = number * PAGE_BYTES, number * PAGE_WORDS
        head = self._words[begin]
        if zlib.crc32(self._bytes[place + 4 : place + PAGE_BYTES], self._seed ^ number) != head & 0xFFFFFFFF:
            raise ValueError("page")
        return begin + 2, begin + 2 + (head >> 32), self._words[begin + 1]


class Records:
    """The texts of the records by their numbers. Any number of threads may read it."""

    def __init__(self, file: memoryview, said: dict[str, Any]) -> None:
        self._file = file
        self._per_block = int(said["per_block"])
        place, blocks = int(said["ends"]), int(said["blocks"])
        self._ends = file[place : place + 8 * (blocks + 1)].cast("Q")
        if len(self._ends) != blocks + 1:
            raise ValueError("no records")

    def texts(self, numbers: Sequence[int]) -> list[str]:
        """The texts of these records; of neighbours each block is unpacked once.

        Raises:
            ValueError, IndexError, struct.error: the file is damaged.
        """
        per_block = self._per_block
        if len(numbers) == 1:
            block, place = divmod(numbers[0], per_block)
            return [self._block(block).split(END, place + 1)[place].decode()]
        found: list[str] = []
        last, texts = -1, []
        for number in numbers:
            block, place = divmod(number, per_block)
            if block != last:
                last, texts = block, self._block(block).split(END)
            found.append(texts[place].decode())
        return found

    def _block(self, number: int) -> bytes:
        ends, file = self._ends, self._file
        begin, end = ends[number], ends[number + 1]
        crc, size = PAIR.unpack_from(file, begin)
        if zlib.crc32(file[begin + 4 : end], number & 0xFFFFFFFF) != crc:
            raise ValueError("block")
        unpacked: bytes = CODEC.decompress(file[begin + 8 : end], size, asbytes=True)
        return unpacked


@dataclass(frozen=True, slots=True)
class Shard:
    """An open file. It stays readable after its name is gone, and is closed when nobody holds it any more."""

    head: str
    records: Records
    sections: dict[str, Section]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map the file at *path*.

        Raises:
            FileNotFoundError
            IndexDamagedError: it is no whole shard.
        """
        try:
            file = _map(path)
            said = json.loads(_contents(file))
            records = Records(file, said)
            return cls(
                said["head"], records, {s["name"]: Section(file, s, int(said["bits"])) for s in said["sections"]}
            )
        except (ValueError, KeyError, TypeError, struct.error, pa.ArrowException) as error:
            raise IndexDamagedError(path=path) from error


def _map(path: Path) -> memoryview:
    """The file at *path* in memory, by pyarrow: Python's own `mmap` would keep a file open for each resource."""
    with pa.memory_map(str(path)) as opened:
        buffer = opened.read_buffer()
    if hasattr(mmap, "MADV_RANDOM"):
        # Questions fall anywhere. Read ahead, each would push a hundred kilobytes of others out of memory. This is
        # advice, and what comes of it is not asked.
        _C.madvise(ctypes.c_void_p(buffer.address), ctypes.c_size_t(buffer.size), mmap.MADV_RANDOM)
    return memoryview(buffer).cast("B")


def _contents(file: memoryview) -> bytes:
    """The table of contents. Raises: ValueError where there is none."""
    end = len(file) - TAIL.size
    if end < len(MAGIC) or file[: len(MAGIC)] != MAGIC:
        raise ValueError("no shard")
    crc, length, magic = TAIL.unpack_from(file, end)
    found = bytes(file[max(end - length, 0) : end])
    if magic != MAGIC or len(found) != length or zlib.crc32(found) != crc:
        raise ValueError("cut off")
    return found
