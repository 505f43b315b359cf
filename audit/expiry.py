"""What became of a body that is gone, by the log itself; and which segments retention is about to drop.

Two kinds of entry say that bodies went, and every reader of a log may go by them:

- ``bodies.expired``: their time was over. *facts*: ``before``, the moment before which bodies were put that went.
- ``bodies.erased``: somebody had them erased. *facts*: ``entries``, the numbers of the entries whose bodies went, as
  ``[first, last]`` pairs.

Dropping and erasing are `audit.store`'s; for how long bodies are kept, and what must be kept longer, its callers'.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from . import segments
from .errors import storage_error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .entry import Entry

EXPIRED: Final = "bodies.expired"
ERASED: Final = "bodies.erased"


@dataclass(frozen=True, slots=True)
class Fate:
    """That a body went *at* a moment: the entry *index*, of *kind* `EXPIRED` or `ERASED`, says so."""

    kind: str
    index: int
    at: datetime


def fate_of(index: int, entry: Entry, said: Iterable[tuple[int, Entry]]) -> Fate | None:
    """What became of the body of *entry*, number *index*, by the first of the entries *said* that is about it.

    Only for a body that is not there: a body that is held outlives the expiry of others of its time.
    """
    for number, one in said:
        if number <= index:
            continue
        if one.kind == ERASED and names(one.facts.get("entries"), index):
            return Fate(ERASED, number, one.at)
        if one.kind == EXPIRED and _before(one.facts.get("before"), entry.at):
            return Fate(EXPIRED, number, one.at)
    return None


def _before(limit: object, at: datetime) -> bool:
    try:
        return at < datetime.fromisoformat(str(limit))
    except (TypeError, ValueError):
        return False


def ranges_of(numbers: Iterable[int]) -> list[list[int]]:
    """*numbers* as ``[first, last]`` pairs, in order and without gaps that are not there."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def names(ranges: Any, number: int) -> bool:  # noqa: ANN401 - what an entry holds
    """Whether *number* is in one of *ranges*, which may be of any form: what is none names nothing."""
    if not isinstance(ranges, (list, tuple)):
        return False
    return any(
        isinstance(pair, (list, tuple))
        and len(pair) == 2  # noqa: PLR2004 - a pair
        and all(isinstance(end, int) for end in pair)
        and pair[0] <= number <= pair[1]
        for pair in ranges
    )


def due(folder: Path, before: datetime) -> frozenset[int]:
    """The segments of the body store in *folder* that `BodyStore.expire` with *before* would drop now.

    Of the newest, which is not sealed, every frame is looked at. What is damaged is left out, as it is left lying.

    Raises:
        StorageFailedError: the folder cannot be read.
    """
    limit_us = round(before.timestamp() * 1_000_000)
    found = set()
    for number in segments.segment_numbers(folder):
        try:
            with segments.opened(folder, number) as fd:
                trailer = segments.trailer_of(fd)
                last_us = trailer.last_us if trailer is not None else _last_us(fd, folder, number)
        except FileNotFoundError:
            continue  # Dropped meanwhile.
        if last_us is not None and last_us < limit_us:
            found.add(number)
    return frozenset(found)


def _last_us(fd: int, folder: Path, number: int) -> int | None:
    """When the last body of a segment that is not sealed was put; None of an empty one."""
    try:
        size_bytes = os.fstat(fd).st_size
        times = [frame.at_us for frame in segments.frames_from(fd, segments.HEADER_BYTES, size_bytes)]
    except OSError as error:
        raise storage_error(error, f"{folder}/{segments.segment_name(number)}") from error
    return max(times, default=None)
