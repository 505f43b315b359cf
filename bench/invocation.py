"""How many governed calls a second, beside peers that govern nothing, on the same cores in the same run.

    python bench/invocation.py [--quick] [--rows N] [--runs N] [--seconds S] [--workers N] [--only NAME ...]

One resource of --rows rows and 12 fields (three of them masked by its grant) is served by `zhengtong serve`: every call
is authenticated, decided, masked, recorded durably and answered with a signed receipt.

- query_one: one record by its key, caller known by a bearer key; query_one_signed: the same, each request signed by
  RFC 9421 with Ed25519 and a nonce of its own; query_10, query_100, query_500: as many records in one call;
  verify: three claims about one record.
- Peers: FastAPI + asyncpg (uvicorn, uvloop, httptools, as many processes as ours) and a compiled server (Go's net/http
  with pgx, bench/peers/go, built if `go` is there), each on the same rows in PostgreSQL with an index on the key. They
  check nobody, mask nothing, record nothing.
- per_core: calls for each second of processor time that our server processes took.
- stages: where the time of a call goes that is alone, by the server's own account, and what is left: HTTP, the
  interpreter between, the wire.
- p99: of calls sent at half the rate that was reached, whether or not the ones before were answered.

The generator runs on the same cores, one process, the same for all. Peers that need asyncpg find it on the path or in
the folders of ZHENGTONG_BENCH_PEERS. The last line is JSON; a ratio above 1 means that ours is faster.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.calls.city import City, opened
from bench.calls.generator import CONNECTIONS, Load, closed_loop, open_loop, stages
from bench.calls.requests import ours, peers, signed, verification
from bench.calls.servers import cpu_of, free_port, our_server, peer_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOST = "127.0.0.1"
ALONE = 300  # calls, one after the other, whose stages are looked at
FIRST_GUESS = 8_000  # calls a second: so many requests are made before they are sent


def measure(
    name: str,
    address: tuple[str, int],
    pids: Sequence[int],
    make: Callable[[random.Random], bytes],
    options: argparse.Namespace,
) -> tuple[Load, float]:
    """The median run of *name* at full load, and the p99 at half of it (milliseconds)."""
    draw = random.Random(7)
    guess, runs = FIRST_GUESS, []
    asyncio.run(closed_loop(address, [make(draw) for _ in range(200 + CONNECTIONS)], 1.0))
    for _ in range(options.runs):
        requests = [make(draw) for _ in range(int(guess * options.seconds) + CONNECTIONS)]
        before = cpu_of(pids)
        load = asyncio.run(closed_loop(address, requests, options.seconds))
        load.cpu = cpu_of(pids) - before
        guess = max(guess, int(load.rate * 1.5))
        runs.append(load)
    runs.sort(key=lambda load: load.rate)
    best = runs[len(runs) // 2]
    if any(load.failed for load in runs):
        print(f"{name}: {sum(load.failed for load in runs)} calls were not answered with 200", file=sys.stderr)
    half = best.rate / 2
    requests = [make(draw) for _ in range(max(100, int(half * options.seconds)))]
    return best, asyncio.run(open_loop(address, requests, half)).percentile(0.99)


class Loads(dict[tuple[str, str], tuple[Load, float]]):
    """(what, of whom) → the median run, and the p99 at half its rate."""


class Stages(dict[str, dict[str, float]]):
    """What → stage → microseconds, of a call that is alone."""


def side_by_side(
    city: City, names: Sequence[str], folder: Path, options: argparse.Namespace
) -> tuple[Loads, Loads, Stages]:
    """Each of *names* against our server, and next to it as many records in one call against each peer."""
    mine, theirs, spent, port = Loads(), Loads(), Stages(), free_port()
    with peer_servers(options.rows, folder, options.workers) as found, our_server(city, port, options.workers) as pid:
        for name in names:
            mine[name, OURS] = measure(name, (HOST, port), [pid], partial(MEASURES[name], city), options)
            draw = random.Random(8)
            spent[name] = stages((HOST, port), [MEASURES[name](city, draw) for _ in range(ALONE)])
            size = SIZES.get(name, 1)
            for peer, (there, pids) in found.items():
                if (str(size), peer) not in theirs:
                    make = partial(peers, options.rows, size)
                    theirs[str(size), peer] = measure(f"{peer} {size}", (HOST, there), pids, make, options)
    return mine, theirs, spent


def warm(city: City) -> None:
    """Read the look-up file once, as PostgreSQL's table has just been read: what is measured is no disk."""
    for file in (city.settings.warehouse / "index").rglob("*.shard"):
        with file.open("rb") as opened_file:
            while opened_file.read(1 << 24):
                pass


def told(name: str, load: Load, half: float) -> str:
    """A line of the table."""
    return (
        f"{name:26} {load.rate:10,.0f} {load.calls / load.cpu:10,.0f} {load.percentile(0.5):8.2f} "
        f"{load.percentile(0.99):8.2f} {half:9.2f}"
    )


def compared(names: Sequence[str], mine: Loads, theirs: Loads) -> dict[str, Any]:
    """The table, and the same as JSON values."""
    print(f"{'':26} {'calls/s':>10} {'per core':>10} {'p50 ms':>8} {'p99 ms':>8} {'p99 half':>9}")
    report: dict[str, Any] = {}
    for name in names:
        load, half = mine[name, OURS]
        beside = {peer: found for (size, peer), (found, _) in theirs.items() if size == str(SIZES.get(name, 1))}
        ratios = {peer: load.rate / found.rate for peer, found in beside.items()}
        report[name] = {
            "ours": round(load.rate),
            "peers": {peer: round(found.rate) for peer, found in beside.items()},
            "ratio": round(ratios[FASTAPI], 2) if FASTAPI in ratios else None,
            "unit": "calls/s",
            "per_core": round(load.calls / load.cpu),
            "peers_per_core": {peer: round(found.calls / found.cpu) for peer, found in beside.items()},
            "p99_half_load_ms": round(half, 2),
        }
        print(told(name, load, half), "", "  ".join(f"{peer} {ratio:.2f} x" for peer, ratio in ratios.items()))
    for (size, peer), (load, half) in theirs.items():
        print(told(f"{peer} {size}", load, half))
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200,000 rows, short runs: within a minute")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--workers", type=int, default=2, help="processes of each server")
    parser.add_argument("--only", nargs="*", choices=sorted(MEASURES), help="leave the others out")
    parser.add_argument("--home", type=Path, help="keep the deployment here, or use the one that is")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.runs, options.seconds = 200_000, 1, 1.5
    names = options.only or list(MEASURES)
    with tempfile.TemporaryDirectory(prefix="zhengtong-invocation-") as name:
        folder = Path(name)
        city = opened(options.home or folder / "var", options.rows)
        warm(city)
        mine, theirs, spent = side_by_side(city, names, folder, options)
    report = compared(names, mine, theirs)
    print(f"{'µs of a call alone':26} " + " ".join(f"{stage:>8}" for stage in (*STAGES, "rest", "all")))
    for name, of in spent.items():
        rest = of["all"] - sum(of[stage] for stage in STAGES)
        shown = {**of, "rest": rest}
        print(f"{name:26} " + " ".join(f"{shown[stage]:8,.0f}" for stage in (*STAGES, "rest", "all")))
        report[name]["stages_us"] = {stage: round(shown[stage]) for stage in shown}
    print(json.dumps(report))
    return 0


STAGES = ("auth", "decide", "lookup", "mask", "write", "log", "sign")
OURS, FASTAPI = "ours", "fastapi_asyncpg"
MEASURES: dict[str, Callable[[City, random.Random], bytes]] = {
    "query_one": partial(ours, size=1),
    "query_one_signed": signed,
    "query_10": partial(ours, size=10),
    "query_100": partial(ours, size=100),
    "query_500": partial(ours, size=500),
    "verify": verification,
}
SIZES = {"query_10": 10, "query_100": 100, "query_500": 500}


if __name__ == "__main__":
    sys.exit(main())
