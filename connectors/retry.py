"""Try again a bounded number of times, waiting as the other side asks or in growing, jittered steps.

Leaves what is worth trying again to the caller; sleeps and dice are given, never taken.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to wait.

    *jitter* answers a number in [0, 1); the default spreads nothing: give `random.random` in production.
    """

    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = lambda: 0.5
    attempts: int = 5
    base_s: float = 0.5
    most_s: float = 60.0
    """The longest single wait. Who asks for more is left alone until the scheduler's next try."""

    def backoff_s(self, attempt: int) -> float:
        """Seconds before the try after *attempt* (from 1): half fixed, half jittered, doubling ("equal jitter")."""
        step = min(self.most_s, self.base_s * 2.0 ** (attempt - 1))
        return step / 2 + self.jitter() * step / 2


def retry_after_s(header: str | None, date_header: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3), or None.

    A date in it is taken against the answer's own ``Date``, so that no clock of ours is needed nor trusted.
    """
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        since = parsedate_to_datetime(date_header or "")
        return max(0.0, (until - since).total_seconds())
    except (TypeError, ValueError):
        return None
