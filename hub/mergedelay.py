"""Tells how long entries wait for a checkpoint: what receipts promise of it, and whether the publisher keeps it.

Publishing is `hub.evidence`'s; who is told, and how, is left to metrics, alerts and the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit.entry import Entry
from hub.receipts import MERGE_DELAY_S

if TYPE_CHECKING:
    from datetime import datetime

    from audit.log import Log


@dataclass(frozen=True, slots=True)
class MergeDelay:
    """Of *size* durable entries a checkpoint covers *published*; the next one has waited *waits_s* seconds."""

    size: int
    published: int
    waits_s: float

    @property
    def broken(self) -> bool:
        """Whether an entry waits longer than its receipt promised."""
        return self.waits_s > MERGE_DELAY_S

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "size": self.size,
            "published": self.published,
            "merge_delay_s": round(self.waits_s, 3),
            "promised_s": MERGE_DELAY_S,
        }


def merge_delay(log: Log, now: datetime) -> MergeDelay:
    """How long the oldest entry that no checkpoint covers has waited at *now*; 0 seconds where there is none.

    An entry's time is that of its call, which is a little before it became durable: the wait is not understated.

    Raises:
        AuditError, OSError: the log cannot be read.
    """
    # The checkpoint first: an entry that is published meanwhile is looked at all the same, and has its time.
    published = log.published_size
    size = log.size
    if size <= published:
        return MergeDelay(size, published, 0.0)
    oldest = Entry.decode(log.entry(published))
    return MergeDelay(size, published, max(0.0, (now - oldest.at).total_seconds()))
