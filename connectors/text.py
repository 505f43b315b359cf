"""Turn bytes in a declared encoding into UTF-8 blocks, strictly, and say where the first bad byte is.

Leaves lines, quotes and columns to the readers on top.
"""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from connectors.errors import ConnectorError, SourceEncodingError, SourceIncompleteError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Big enough that the per-block cost of Python vanishes (measured: no gain from 1 to 8 MiB), small enough for any
# memory.
BLOCK_BYTES = 1024 * 1024
UTF8_BOM = codecs.BOM_UTF8
UTF8 = frozenset({"utf-8", "utf-8-sig"})
# In these a byte below 128 that does not stand inside a character means what it means in ASCII, and so in UTF-8.
OVER_ASCII = frozenset({"gb18030", "gbk", "gb2312", "big5", "cp950"})


class _Decoder:
    """From an encoding to UTF-8 block by block; what ends inside a character is held back."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._over_ascii = encoding in OVER_ASCII

    def convert(self, raw: bytes) -> bytes:
        """The text up to the last whole character of *raw*; an empty *raw* ends it."""
        if raw and self._over_ascii and raw.isascii() and not self._decoder.getstate()[0]:
            return raw
        return self._decoder.decode(raw, final=not raw).encode()


def _utf8(encoding: str) -> Callable[[bytes], bytes] | None:
    """The same for UTF-8, which needs to be looked through but not changed."""
    if encoding not in UTF8:
        return None
    held = b""

    def convert(raw: bytes) -> bytes:
        nonlocal held
        data = held + raw if held else raw
        if data.isascii():
            held = b""
            return data
        _, used = codecs.utf_8_decode(data, "strict", not raw)
        held = data[used:]
        return data[:used]

    return convert


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
        taken = 0
        first = True
        convert = _utf8(self.encoding) or _Decoder(self.encoding).convert
        with self.open() as file:
            while True:
                raw = self._read(file)
                if first and raw.startswith(UTF8_BOM) and self.encoding not in UTF8:
                    # As GB18030 these three bytes would quietly read as a rare character glued to the first heading.
                    raise SourceEncodingError(
                        problem="other_bom", where=self.name, encoding=self.encoding, likely="utf-8"
                    )
                taken += len(raw)
                try:
                    text = convert(raw)
                except UnicodeDecodeError as failure:
                    # What the error holds is what was held back and this block, so offsets count from its beginning.
                    raise self._undecodable(taken - len(failure.object) + failure.start, at_end=not raw) from None
                if first and text:
                    first = False
                    text = text.removeprefix(UTF8_BOM)
                if text:
                    yield text
                if not raw:
                    return

    def _read(self, file: BinaryIO) -> bytes:
        try:
            return file.read(BLOCK_BYTES)
        except OSError as failure:
            # A share that went away in the middle.
            detail = os.strerror(failure.errno) if failure.errno else type(failure).__name__
            raise SourceUnavailableError(problem="file_unreadable", where=self.name, detail=detail) from None

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
