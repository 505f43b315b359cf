"""Whether any look-up file was swapped since one looked: asked of shared memory, in a tenth of a microsecond.

To ask the file system for a pointer's state takes two, a fifth of a whole look-up. So all builders below one folder
write a new mark into one small file after each swap, and readers have it mapped. It is a hint and no more: a reader
takes an equal mark for "nothing was swapped" only for `TRUSTED_S`. A builder may have died between swap and mark, and
pointer and file may have been copied here from another machine, which marks nothing.
"""

from __future__ import annotations

import mmap
import os
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TRUSTED_S = 1.0
_NAME = ".swaps"
_BYTES = 8


def mark(folder: Path) -> None:
    """Tell the readers below *folder* that a pointer was swapped."""
    handle = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # Drawn and not counted up: two builders may be here at once, and neither mark may be lost to a reader.
        os.pwrite(handle, secrets.token_bytes(_BYTES), 0)
    finally:
        os.close(handle)


@lru_cache(maxsize=64)
def watch(folder: Path) -> memoryview:
    """The mark below *folder*: the one number in it changes after each swap. Mapped once for the whole process.

    Raises:
        OSError, ValueError: there is none yet; pointers must be asked for each time.
    """
    with (folder / _NAME).open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), _BYTES, access=mmap.ACCESS_READ)).cast("Q")
