"""Turn bytes in a declared encoding into UTF-8 blocks, strictly, and say where the first bad byte is.

Leaves lines, quotes and columns to the readers on top.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from connectors.errors import ConnectorError, SourceEncodingError, SourceIncompleteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Big enough that the per-block cost of Python vanishes (measured: no gain from 1 to 8 MiB), small enough for any
# memory.
BLOCK_BYTES = 1024 * 1024
UTF8_BOM = codecs.BOM_UTF8


@dataclass(frozen=True, slots=True)
class TextSource:
    """One text in a file or archive member; *open* may be called again, to find the line of an error."""

    name: str
    open: Callable[[], BinaryIO]
    encoding: str

    def blocks(self) -> Iterator[bytes]:
        """The text as UTF-8 in blocks, without a byte order mark; a block never ends inside a character.

        Raises:
            SourceEncodingError: bytes that are not valid in the declared encoding, with their offset and line.
            SourceIncompleteError: the file ends in the middle of a character.
        """
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        taken = 0
        first = True
        with self.open() as file:
            while True:
                raw = file.read(BLOCK_BYTES)
                if first and raw.startswith(UTF8_BOM) and self.encoding not in {"utf-8", "utf-8-sig"}:
                    # As GB18030 these three bytes would quietly read as a rare character glued to the first heading.
                    raise SourceEncodingError(
                        problem="other_bom", where=self.name, encoding=self.encoding, likely="utf-8"
                    )
                taken += len(raw)
                try:
                    text = decoder.decode(raw, final=not raw)
                except UnicodeDecodeError as failure:
                    # The decoder's object is what it held back plus this block, so offsets count from its beginning.
                    raise self._undecodable(taken - len(failure.object) + failure.start, at_end=not raw) from None
                if first and text:
                    first = False
                    text = text.removeprefix("\ufeff")
                if text:
                    yield text.encode()
                if not raw:
                    return

    def _undecodable(self, offset: int, *, at_end: bool) -> ConnectorError:
        if at_end:
            return SourceIncompleteError(problem="cut_in_character", where=self.name, offset=offset)
        line = 1
        left = offset
        with self.open() as file:
            while left and (raw := file.read(min(BLOCK_BYTES, left))):
                line += raw.count(b"\n")
                left -= len(raw)
        where = f"{self.name}:{line}"
        return SourceEncodingError(problem="bad_bytes", where=where, offset=offset, encoding=self.encoding)
