"""How often each caller was answered, by day of Shanghai, over the last weeks: read from the log, kept in memory.

Quotas count by grant and exactly (`hub.usage`); this is for people who look at their systems. Each process reads the
log once, a stretch at a time, and goes on from there: a look never takes longer than a stretch does, and says how much
is left to read.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from hub.usage import ANSWERED, day_of

if TYPE_CHECKING:
    from audit.log import Log

DAYS: Final = 28
# A tenth of a second's reading or so.
ENTRIES_PER_LOOK: Final = 20_000
_MARK: Final = f'"kind":"{ANSWERED}"'.encode()
_AT: Final = re.compile(rb'"at":"([^"]+)"')


class CallerUsage:
    """Counts of calls by caller and day. Safe for many threads."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._reading = threading.Lock()
        self._position = -1
        self._calls: dict[str, Counter[str]] = {}

    def read_on(self, now: datetime, *, most: int = ENTRIES_PER_LOOK) -> int:
        """Read at *most* so many further entries; how many of the log are left to read."""
        with self._reading:
            if self._position < 0:
                self._position = self._first(now - timedelta(days=DAYS))
            size = self._log.size
            end = min(size, self._position + most)
            for leaf in self._log.entries(self._position, end):
                if _MARK in leaf:
                    self._count(json.loads(leaf))
            self._position = end
            self._forget(day_of(now - timedelta(days=DAYS)))
            return size - end

    def by_day(self, caller: str, now: datetime) -> list[tuple[str, int]]:
        """Calls of *caller* on each of the last `DAYS` days, the oldest first, as far as they were read."""
        days = [day_of(now - timedelta(days=back)) for back in range(DAYS - 1, -1, -1)]
        with self._reading:
            return [(day, self._calls[day][caller] if day in self._calls else 0) for day in days]

    def _count(self, entry: dict[str, Any]) -> None:
        if entry["kind"] != ANSWERED:
            return
        day = day_of(datetime.fromisoformat(entry["at"]))
        facts = entry["facts"]
        # A call counts once for each set of keys, as it does for quotas.
        self._calls.setdefault(day, Counter())[str(facts.get("caller", ""))] += int(facts.get("count", 1))

    def _forget(self, before: str) -> None:
        for day in [one for one in self._calls if one < before]:
            del self._calls[day]

    def _first(self, since: datetime) -> int:
        """The place of the first entry that may be of *since* or later.

        Entries stand in the order in which they became durable, which is that of their times but for moments; a day is
        left for those.
        """
        wanted = since - timedelta(days=1)
        low, high = 0, self._log.size
        while low < high:
            middle = (low + high) // 2
            found = _AT.search(self._log.entry(middle))
            if found is not None and datetime.fromisoformat(found[1].decode()) < wanted:
                low = middle + 1
            else:
                high = middle
        return low
