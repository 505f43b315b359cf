"""One immutable file in which records are found by value: sorted columns, mapped into memory, searched by halves.

What goes in, and which file readers are pointed to, is `warehouse.lookup`. A file is a row of sections, each a whole
Arrow IPC file, and a table of contents at the end:

    magic | section | section | … | contents (JSON) | length of contents (8 bytes, little endian) | magic

The first section, ``rows``, is sorted by the first field of the key, the order of the records: that field's value, and
the whole record as one text (a JSON array). Every further section is one field by which records are looked up: its
values in order, and for each the ordinal of its record. A search reads about twenty neighbouring values of a section
and one text: few pages of the disk, whatever the size. Readers share the pages and take no lock.
"""

from __future__ import annotations

import bisect
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from warehouse.errors import IndexDamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MAGIC = b"ZTSHARD1"
ROWS = "rows"
# One block is loaded at the first search that reaches it: half a megabyte, and a twentieth of a millisecond.
ROWS_PER_BLOCK = 65_536
_ALIGNMENT = 64  # What Arrow asks of buffers in memory; offsets of mapped sections must keep it.
_LENGTH_BYTES = 8

Value = str | int | bool | Decimal


@dataclass(frozen=True, slots=True)
class Source:
    """A section to be written: its *name* and its blocks of two columns, the first sorted and without NULLs."""

    name: str
    blocks: pa.RecordBatchReader


def write(path: Path, head: str, sources: Iterable[Source]) -> None:
    """Write a file with *head* (text of the caller's own) and these sections, one after the other, unsynced."""
    contents: dict[str, Any] = {"head": head, "sections": []}
    with pa.OSFile(str(path), "wb") as file:
        file.write(MAGIC)
        for source in sources:
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            sizes, firsts = [], []
            with pa.ipc.new_file(file, source.blocks.schema) as writer:
                for block in source.blocks:
                    if block.num_rows:
                        writer.write_batch(block)
                        sizes.append(block.num_rows)
                        firsts.append(_plain(block.column(0)[0].as_py()))
            contents["sections"].append({"name": source.name, "end": file.tell(), "sizes": sizes, "firsts": firsts})
        text = json.dumps(contents, ensure_ascii=False).encode()
        file.write(text + len(text).to_bytes(_LENGTH_BYTES, "little") + MAGIC)


def _plain(value: Value) -> str | int | bool:
    return str(value) if isinstance(value, Decimal) else value


class Section:
    """One sorted column of a shard. Any number of threads may search it."""

    def __init__(self, file: pa.Buffer, said: dict[str, Any]) -> None:
        # Arrow counts the places of blocks from the beginning of the whole file.
        self._reader = pa.ipc.open_file(pa.BufferReader(file), footer_offset=said["end"])
        decimal = pa.types.is_decimal(self._reader.schema.field(0).type)
        self._value: Callable[[Any], Value] = Decimal if decimal else lambda value: value
        self._firsts = [self._value(first) for first in said["firsts"]]
        self._starts = [0]
        for size in said["sizes"]:
            self._starts.append(self._starts[-1] + size)
        # Filled as blocks are reached. Two threads may load the same block, and either is the same block.
        self._blocks: list[tuple[Any, Any] | None] = [None] * len(self._firsts)

    def __len__(self) -> int:
        return self._starts[-1]

    def find(self, wanted: Value) -> Iterator[tuple[int, Any]]:
        """(ordinal in this section, second column) of every entry whose value is *wanted*, in order."""
        value = self._value(wanted)
        # Equal values may begin in the block before the one that begins with them.
        number = max(bisect.bisect_left(self._firsts, value) - 1, 0)
        while number < len(self._blocks):
            values, others = self._block(number)
            start = bisect.bisect_left(values, value, key=_as_py)
            for i in range(start, len(values)):
                if values[i].as_py() != value:
                    return
                yield self._starts[number] + i, others[i].as_py()
            number += 1

    def second(self, ordinal: int) -> Any:  # noqa: ANN401 - text or number, by section
        """The second column of the entry with this ordinal."""
        number = bisect.bisect_right(self._starts, ordinal) - 1
        return self._block(number)[1][ordinal - self._starts[number]].as_py()

    def _block(self, number: int) -> tuple[Any, Any]:
        block = self._blocks[number]
        if block is None:
            batch = self._reader.get_batch(number)
            block = self._blocks[number] = (batch.column(0), batch.column(1))
        return block


def _as_py(value: Any) -> Any:  # noqa: ANN401 - a scalar of Arrow's, which it types no closer
    return value.as_py()


@dataclass(frozen=True, slots=True)
class Shard:
    """An open file. It stays readable after its name is gone, and is closed when nobody holds it any more."""

    head: str
    sections: dict[str, Section]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map the file at *path*.

        Raises:
            FileNotFoundError
            IndexDamagedError: it is no whole shard.
        """
        try:
            file = pa.memory_map(str(path)).read_buffer()
            contents = json.loads(_contents(file))
            return cls(contents["head"], {said["name"]: Section(file, said) for said in contents["sections"]})
        except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise IndexDamagedError(path=path) from error


def _contents(file: pa.Buffer) -> bytes:
    """The table of contents. Raises: ValueError where there is none."""
    end = file.size - len(MAGIC) - _LENGTH_BYTES
    if end < len(MAGIC) or file.slice(0, len(MAGIC)).to_pybytes() != MAGIC:
        raise ValueError("no shard")
    tail = file.slice(end).to_pybytes()
    length = int.from_bytes(tail[:_LENGTH_BYTES], "little")
    if tail[_LENGTH_BYTES:] != MAGIC or length > end:
        raise ValueError("cut off")
    found: bytes = file.slice(end - length, length).to_pybytes()
    return found
