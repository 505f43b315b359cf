"""Good documents that `bench/fuzz.py` begins from, and the trust that they are judged by.

They are kept in the repository so that fuzzing needs neither fonts nor a typesetter, and so that what was found can be
fed again. Making them is left to `bench.fuzzing.make_corpus`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "fuzz_corpus"


@cache
def read(name: str) -> bytes:
    """The bytes of *name* in the corpus."""
    return (FOLDER / name).read_bytes()
