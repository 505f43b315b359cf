"""What a measure is, and how one is taken: rounds of ours and of each peer in turn, the median of each."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Work:
    """What is called again and again with a number that never comes back; one call does *per_call* licences.

    *count* is how many calls make a round; a quick run makes a tenth of them, but *at_least* so many.
    """

    do: Callable[[int], object]
    count: int
    per_call: int = 1
    at_least: int = 3


@dataclass(frozen=True)
class Measure:
    """*ours* beside its *peers*, the first of which the ratio is to; *floors* are rates measured once, elsewhere.

    *sizes* are told beside the rates.

    What is called "… alone" is a part of the same work, and no peer.
    """

    ours: Work
    peers: Mapping[str, Work] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)


def take(measure: Measure, *, quick: bool) -> dict[str, Any]:
    """Licences a second: ours, the peers', and the ratio to the first peer."""
    rounds = 3 if quick else 9
    works = {"": measure.ours, **measure.peers}
    counts = {name: max(work.count // 10, work.at_least) if quick else work.count for name, work in works.items()}
    done = dict.fromkeys(works, 0)
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            # The first calls fill caches that a running issuer has full.
            for _ in range(work.at_least if number == 0 else 0):
                work.do(done[name])
                done[name] += 1
            begin = time.perf_counter()
            for _ in range(counts[name]):
                work.do(done[name])
                done[name] += 1
            found[name].append(counts[name] * work.per_call / (time.perf_counter() - begin))
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    ours = middle.pop("")
    peer = next((rate for name, rate in middle.items() if not name.endswith(" alone")), None)
    return result(ours, middle | dict(measure.floors), None if peer is None else ours / peer, "1/s", **measure.sizes)


def result(ours: float, peers: Mapping[str, float], ratio: float | None, unit: str, **more: float) -> dict[str, Any]:
    """A line of the table as the last line has it in JSON."""
    rounded = {name: round(value, 1) for name, value in peers.items()}
    whole = {"ours": round(ours, 1), "peers": rounded, "ratio": None if ratio is None else round(ratio, 2)}
    return whole | {"unit": unit} | {name: round(value, 1) for name, value in more.items()}
