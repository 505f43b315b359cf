"""Make a shard: records by their key and, for each field by which they are found, hashes in order.

How the file is laid out and searched is `warehouse.shard`. Memory is bounded, whatever the number of records: they are
written as they come, and what must be put in order, a column of whole numbers, goes through files without names.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zlib
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa

from warehouse.shard import CODEC, ENTRIES_PER_PAGE, FACTOR, LAST, MAGIC, PAGE_BYTES, PAGE_WORDS, TAIL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Words = np.ndarray[tuple[int], np.dtype[np.uint64]]

ROWS_PER_BATCH = 32_768
_BLOCK_BYTES = 2048  # Of records together, unpacked: one takes two microseconds, and larger ones pack little better.
_MOST_TOGETHER = 64
_ENTRIES_PER_RUN = 1 << 19  # 4 MB for each field.
# One entry in so many is remembered to cut the runs by: 8 MB for a thousand million. About 4 MB are read at a time.
_SAMPLED = 1 << 10
_SAMPLES_PER_READ = _ENTRIES_PER_RUN // _SAMPLED
_WORD = np.dtype("<u8")


@dataclass(frozen=True, slots=True)
class Source:
    """What goes into a shard: the fields' *names* and *batches* in the order of the records' key, of *most* rows.

    The first column is the record's text with `shard.END` after it. Then there is one column for each name: whole
    numbers or the texts of others, as `shard.hash_of` takes them, or NULL for what is not to be found.
    """

    names: Sequence[str]
    batches: Iterable[pa.RecordBatch]
    most: int


def write(path: Path, head: str, source: Source) -> None:
    """Write a file with *head* (text of the caller's own), unsynced."""
    with path.open("wb") as file, ExitStack() as stack:
        file.write(MAGIC)
        bits = max(source.most.bit_length(), 1)
        desks = [stack.enter_context(_Desk(path.parent)) for _ in source.names]
        said: dict[str, Any] = {"head": head, "bits": bits, **_records(file, source, desks, bits)}
        said["sections"] = [
            {"name": name, **_section(file, name, desk.ordered(), path.parent)}
            for name, desk in zip(source.names, desks, strict=True)
        ]
        text = json.dumps(said, ensure_ascii=False).encode()
        file.write(text + TAIL.pack(zlib.crc32(text), len(text), MAGIC))


class _Desk(AbstractContextManager["_Desk"]):
    """Where the entries of a section wait for their order: in runs, each in order, on disk if there are several.

    They are all different, for each has the number of its record. So any range of them can be cut to size, however many
    records have one value.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed as this is left
        self._waiting: list[Words] = []
        self._count = 0
        self._runs: list[tuple[int, int]] = []  # Where each begins, and its length.
        self._samples: list[Words] = []

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, entries: Words) -> None:
        """Take entries in any order."""
        self._waiting.append(entries)
        self._count += len(entries)
        if self._count >= _ENTRIES_PER_RUN:
            self._put_down(self._next())

    def ordered(self) -> Iterator[Words]:
        """All entries, in order, some megabytes at a time."""
        last = self._next()
        if not self._runs:
            yield last
            return
        self._put_down(last)
        self._file.flush()
        samples = np.sort(np.concatenate(self._samples))
        begins = [0] * len(self._runs)
        for cut in [*samples[_SAMPLES_PER_READ::_SAMPLES_PER_READ], None]:
            ends = [self._end(run, cut) for run in range(len(self._runs))]
            parts = [self._read(run, b, e) for run, (b, e) in enumerate(zip(begins, ends, strict=True))]
            yield np.sort(np.concatenate(parts))
            begins = ends

    def _next(self) -> Words:
        run = np.sort(np.concatenate([np.empty(0, np.uint64), *self._waiting]))
        self._waiting, self._count = [], 0
        return run

    def _put_down(self, run: Words) -> None:
        self._runs.append((self._file.tell() // 8, len(run)))
        self._samples.append(run[::_SAMPLED].copy())
        self._file.write(run.data)

    def _end(self, run: int, cut: np.uint64 | None) -> int:
        """How many entries of a run come before *cut*."""
        if cut is None:
            return self._runs[run][1]
        begin = max(int(np.searchsorted(self._samples[run], cut)) - 1, 0) * _SAMPLED
        return begin + int(np.searchsorted(self._read(run, begin, begin + _SAMPLED), cut))

    def _read(self, run: int, begin: int, end: int) -> Words:
        # Read and not mapped: what is mapped counts as this process's memory for as long as the system likes.
        first, length = self._runs[run]
        size = 8 * (min(end, length) - begin)
        return np.frombuffer(os.pread(self._file.fileno(), size, 8 * (first + begin)), np.uint64)


def _entries(column: pa.Array, first: int, bits: int) -> Words:
    """The entries of values whose records are numbered from *first* on."""
    numbers: Words = np.arange(first, first + len(column), dtype=np.uint64)
    if column.null_count:
        numbers = numbers[column.is_valid().to_numpy(zero_copy_only=False)]
        column = column.drop_null()
    if pa.types.is_int64(column.type):
        values = column.to_numpy().view(np.uint64)
    else:
        data, cuts = (column.buffers()[2] or b""), _offsets(column).tolist()
        text = bytes(memoryview(data)[cuts[0] : cuts[-1]]) if len(column) else b""
        begin = cuts[0]
        checks = [zlib.crc32(text[a - begin : b - begin]) for a, b in pairwise(cuts)]
        values = np.array(checks, np.uint64)
    entries: Words = (values * np.uint64(FACTOR) & ~np.uint64((1 << bits) - 1)) | numbers
    return entries


def _records(file: BinaryIO, source: Source, desks: Sequence[_Desk], bits: int) -> dict[str, Any]:
    """Write the blocks and their ends; what the contents say of them."""
    rows, blocks, per_block = 0, 0, 0
    rest: pa.Array | None = None
    with tempfile.TemporaryFile(dir=Path(file.name).parent) as aside:
        aside.write(file.tell().to_bytes(8, "little"))
        for batch in source.batches:
            texts = batch.column(0)
            if not per_block and len(texts):
                per_block = _together(texts)
            if rows + len(texts) > source.most:
                # Their numbers would run into the hashes.
                raise ValueError(f"more rows than {source.most}")
            for desk, column in zip(desks, batch.columns[1:], strict=True):
                desk.put(_entries(column, rows, bits))
            rows += len(texts)
            if rest is not None and len(rest):
                texts = pa.concat_arrays([rest, texts])
            whole = len(texts) - len(texts) % per_block if per_block else 0
            blocks += _blocks(file, aside, texts[:whole], per_block, blocks)
            rest = texts[whole:]
        if rest is not None and len(rest):
            blocks += _blocks(file, aside, rest, per_block, blocks)
        ends = file.tell()
        _append(file, aside)
    return {"rows": rows, "per_block": max(per_block, 1), "blocks": blocks, "ends": ends}


def _together(texts: pa.Array) -> int:
    """How many records of this size make a block."""
    offsets = _offsets(texts)
    size = int(offsets[-1] - offsets[0])
    return min(max(_BLOCK_BYTES * len(texts) // size, 1), _MOST_TOGETHER)


def _blocks(file: BinaryIO, aside: BinaryIO, texts: pa.Array, per_block: int, first: int) -> int:
    """Write blocks numbered from *first* on, and their ends aside; how many."""
    if not len(texts):
        return 0
    data = memoryview(texts.buffers()[2])
    offsets = _offsets(texts)
    cuts = [*offsets[:-1:per_block].tolist(), int(offsets[-1])]
    place, number = file.tell(), first
    parts: list[bytes] = []
    ends: list[int] = []
    for begin, end in pairwise(cuts):
        packed = (end - begin).to_bytes(4, "little") + CODEC.compress(data[begin:end], asbytes=True)
        parts += (zlib.crc32(packed, number & 0xFFFFFFFF).to_bytes(4, "little"), packed)
        place += 4 + len(packed)
        ends.append(place)
        number += 1
    file.write(b"".join(parts))
    aside.write(np.array(ends, _WORD).tobytes())
    return number - first


def _offsets(texts: pa.Array) -> Any:  # noqa: ANN401 - an array of numpy's
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def _section(file: BinaryIO, name: str, ordered: Iterable[Words], folder: Path) -> dict[str, Any]:
    """Write the pages and fences of a section; what the contents say of it."""
    padding = file.tell()
    file.write(b"\0" * (-padding % PAGE_BYTES))
    place, seed, pages = file.tell(), zlib.crc32(name.encode()), 0
    rest: Words = np.empty(0, np.uint64)
    with tempfile.TemporaryFile(dir=folder) as aside:
        for entries in ordered:
            rest = np.concatenate([rest, entries])
            whole = (len(rest) - 1) // ENTRIES_PER_PAGE  # The first entry of the next page is known of these.
            if whole > 0:
                following = rest[ENTRIES_PER_PAGE : whole * ENTRIES_PER_PAGE + 1 : ENTRIES_PER_PAGE]
                pages += _pages(file, aside, rest[: whole * ENTRIES_PER_PAGE], following, seed=seed, first=pages)
                rest = rest[whole * ENTRIES_PER_PAGE :]
        if len(rest):
            pages += _pages(file, aside, rest, np.array([LAST], np.uint64), seed=seed, first=pages)
        _append(file, aside)
    return {"padding": padding, "place": place, "pages": pages}


def _pages(file: BinaryIO, aside: BinaryIO, entries: Words, following: Words, *, seed: int, first: int) -> int:
    """Write pages numbered from *first* on, one for each of *following*, and their fences aside; how many."""
    made = np.zeros((len(following), PAGE_WORDS), _WORD)
    full = len(entries) // ENTRIES_PER_PAGE
    made[:, 0] = ENTRIES_PER_PAGE << 32
    made[:, 1] = following
    made[:full, 2:] = entries[: full * ENTRIES_PER_PAGE].reshape(full, ENTRIES_PER_PAGE)
    left = entries[full * ENTRIES_PER_PAGE :]
    if len(left):
        made[full, 0] = len(left) << 32
        made[full, 2 : 2 + len(left)] = left
    view = made.reshape(-1).view(np.uint8).data
    made[:, 0] |= np.fromiter(
        (
            zlib.crc32(view[i * PAGE_BYTES + 4 : (i + 1) * PAGE_BYTES], seed ^ (first + i))
            for i in range(len(following))
        ),
        np.uint64,
    )
    file.write(view)
    aside.write(made[:, 2].tobytes())
    return len(following)


def _append(file: BinaryIO, aside: BinaryIO) -> None:
    aside.seek(0)
    shutil.copyfileobj(aside, file, 1 << 20)
