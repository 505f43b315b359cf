"""What an operator sees of the calls: how many, how they ended, how long their stages took. Nothing about whom.

With ``PROMETHEUS_MULTIPROC_DIR`` set before the first import, the numbers of all worker processes are one.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Counter_
from operator import add
from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
STAGES: Final = ("auth", "decide", "lookup", "mask", "write", "log", "sign")
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """The numbers of one process, or of all that share a folder."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._calls = Counter(
            "zhengtong_calls_total", "Calls by action and outcome", ("action", "outcome"), registry=self._own
        )
        self._seconds = Histogram(
            "zhengtong_call_seconds",
            "Seconds from a call's body to its answer",
            ("action",),
            buckets=_SECONDS,
            registry=self._own,
        )
        self._stages = Counter(
            "zhengtong_stage_seconds_total",
            "Seconds spent in each stage of answered calls",
            ("stage",),
            registry=self._own,
        )
        self._turned_away = Counter(
            "zhengtong_turned_away_total", "Requests refused before they were looked at", ("why",), registry=self._own
        )
        self._lost = Counter(
            "zhengtong_journal_lost_total", "Lines of the journal that were not written", registry=self._own
        )
        self._under_way = Gauge(
            "zhengtong_calls_under_way",
            "Calls that are being answered",
            registry=self._own,
            multiprocess_mode="livesum",
        )
        self._log = Gauge(
            "zhengtong_log_entries",
            "Entries of the log: durable ones, and those a checkpoint covers",
            ("state",),
            registry=self._own,
            multiprocess_mode="max",
        )
        self._delay = Gauge(
            "zhengtong_log_merge_delay_seconds",
            "How long the oldest entry that no checkpoint covers has waited",
            registry=self._own,
            multiprocess_mode="max",
        )
        # Counted in plain numbers, which costs a tenth, and handed on once in a while: see `flush`.
        self._ended: Counter_[tuple[str, str]] = Counter_()
        self._took: dict[str, list[float]] = {}
        self._spent = [0] * len(STAGES)

    def answered(self, action: str, outcome: str, seconds: float) -> None:
        """Count a call that ended."""
        self._ended[action, outcome] += 1
        took = self._took.get(action)
        if took is None:
            took = self._took[action] = [0.0] * (len(_SECONDS) + 2)
        took[bisect_left(_SECONDS, seconds)] += 1
        took[-1] += seconds

    def spent(self, stages: Sequence[int]) -> None:
        """Add the nanoseconds of a call's stages, in the order of `STAGES`."""
        if stages:
            self._spent = list(map(add, self._spent, stages))

    def flush(self) -> None:
        """Hand on what was counted since the last time, as is done every second."""
        ended, self._ended = self._ended, Counter_()
        took, self._took = self._took, {}
        spent, self._spent = self._spent, [0] * len(STAGES)
        for (action, outcome), number in ended.items():
            self._calls.labels(action, outcome).inc(number)
        for action, (*buckets, total) in took.items():
            histogram = self._seconds.labels(action)
            # The library takes one observation at a time, and so would cost for each call what this is there to save.
            for bucket, calls in zip(histogram._buckets, buckets, strict=True):  # noqa: SLF001
                bucket.inc(calls)
            histogram._sum.inc(total)  # noqa: SLF001
        for stage, nanoseconds in zip(STAGES, spent, strict=True):
            self._stages.labels(stage).inc(nanoseconds / 1e9)

    def turned_away(self, why: str) -> None:
        """Count a request that was not even looked at; *why* is the code of its problem."""
        self._turned_away.labels(why).inc()

    def lost(self, lines: int) -> None:
        """Count *lines* of the journal that were not written. Any thread."""
        self._lost.inc(lines)

    def text(self, *, under_way: int, log_size: int, published: int, merge_delay_s: float) -> bytes:
        """The text that Prometheus reads; of another process's calls, those until a second ago."""
        self.flush()
        self._under_way.set(under_way)
        self._log.labels("durable").set(log_size)
        self._log.labels("published").set(published)
        self._delay.set(merge_delay_s)
        registry = self._own
        if os.environ.get(_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's
        return generate_latest(registry)
