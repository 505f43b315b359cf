"""Draws a sample of a log that whoever is audited cannot choose, and that two auditors with one seed draw alike.

The rule. Of the m entries that are to be drawn from, in their order in the log, numbered from 0: for k = 0, 1, 2 … take
number SHA-256(text) mod m, the hash being a big-endian integer, and *text* these six lines, each with its newline::

    zhengtong.cn/log-sample@v1
    the log's origin
    the checkpoint's size, in decimal
    its root hash, in base64
    the seed
    k, in decimal

A number that was taken before is passed over. The drawing ends with as many as were wanted, or all m. As the root is in
it, nobody can know the draw before the log was what it is; a seed that is drawn by lot in front of both keeps the
auditor honest, too.
"""

from __future__ import annotations

import base64
from array import array
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from .searching import Query, QueryError, scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .checkpoint import Checkpoint
    from .pinned import PinnedLog
    from .searchindex import SearchIndex

RULE: Final = "zhengtong.cn/log-sample@v1"
MAX_SEED_CHARS: Final = 200


def draws(checkpoint: Checkpoint, seed: str, among: int) -> Iterator[int]:
    """The numbers that the rule takes among 0 to *among* − 1, in the order of the drawing, each once, all of them.

    Raises:
        QueryError: the seed is empty, longer than `MAX_SEED_CHARS`, or no single line.
    """
    if not seed.strip() or len(seed) > MAX_SEED_CHARS or not seed.isprintable():
        raise QueryError(problem="the seed is no single line of text")
    head = f"{RULE}\n{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n{seed}\n"
    taken: set[int] = set()
    counter = 0
    while len(taken) < among:
        number = int.from_bytes(sha256(f"{head}{counter}\n".encode()).digest(), "big") % among
        counter += 1
        if number not in taken:
            taken.add(number)
            yield number


def sample(log: PinnedLog, seed: str, wanted: int, query: Query, index: SearchIndex | None = None) -> list[int]:
    """The places of *wanted* entries that *query* looks for, or of all if there are fewer, in the order of the drawing.

    Without an *index* the log is read for them, unless every entry will do. With one, what is drawn rests on it: that
    the index hides nothing is known when `SearchIndex.check` found nothing.

    Raises:
        QueryError: the seed is none.
        LogDamagedError: an entry is not the one that was logged.
    """
    among: Sequence[int]
    if query == Query():
        among = range(log.size)
    else:
        found: Iterable[int] = (hit.index for hit in (scan(log, query) if index is None else index.find(query)))
        among = array("Q", found)
    numbers = draws(log.checkpoint, seed, len(among))
    return [among[number] for number, _ in zip(numbers, range(wanted), strict=False)]
