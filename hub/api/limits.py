"""How much one caller, and one stranger, may ask of this process, and how much it takes on at once.

A department's calls of a day are its grants' affair (`hub.invocation`); this keeps the process answering at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final

from hub.errors import BusyError, TooFastError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

# Each wrong key leaves an entry in the log for ever: a stranger may make a few, and no more than a trickle after them.
STRANGER_BURST: Final = 20
STRANGER_PER_S: Final = 0.2
_MAX_BUCKETS: Final = 10_000


@dataclass(slots=True)
class Buckets:
    """Token buckets by name: *burst* at once, *per_s* in the long run. Memory is bounded: full ones are forgotten."""

    burst: float
    per_s: float
    clock: Callable[[], float] = monotonic
    _levels: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, name: Hashable) -> float:
        """How many seconds until *name* may take a token; 0: at once."""
        level = self._level(name)
        return 0.0 if level >= 1 else (1 - level) / self.per_s

    def take(self, name: Hashable) -> float:
        """Take a token of *name* if there is one (0), or say how many seconds until there is."""
        level = self._level(name)
        if level < 1:
            return (1 - level) / self.per_s
        if len(self._levels) >= _MAX_BUCKETS and name not in self._levels:
            self._forget()
        self._levels[name] = (level - 1, self.clock())
        return 0.0

    def _level(self, name: Hashable) -> float:
        found = self._levels.get(name)
        if found is None:
            return self.burst
        level, at = found
        return min(self.burst, level + (self.clock() - at) * self.per_s)

    def _forget(self) -> None:
        """Drop the buckets that are full again; when none is, the fullest half."""
        levels = {name: self._level(name) for name in self._levels}
        keep = sorted((level, index) for index, level in enumerate(levels.values()) if level < self.burst)
        names = list(levels)
        self._levels = {names[index]: self._levels[names[index]] for _, index in keep[: _MAX_BUCKETS // 2]}


class Room:
    """The calls under way: at most *most* at once, the next one is told to come again."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def enter(self) -> None:
        """Take a place.

        Raises:
            BusyError: there is none.
        """
        if self.taken >= self.most:
            raise BusyError
        self.taken += 1

    def leave(self) -> None:
        """Give the place back."""
        self.taken -= 1


def check_rate(buckets: Buckets | None, name: Hashable) -> None:
    """Take a token of *name*.

    Raises:
        TooFastError: there is none now.
    """
    wait = buckets.take(name) if buckets is not None else 0.0
    if wait:
        raise TooFastError(wait)
