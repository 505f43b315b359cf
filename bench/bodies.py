"""Measures the store of bodies beside the log: putting, finding, erasing, and what SIGKILL leaves.

    python bench/bodies.py [--quick] [--kills N] [--seed S]

Bodies have 1,000 bytes. The peer is SQLite (WAL, synchronous=FULL, a row a body under its digest), its writers
grouped by the same code as ours: one thread commits for all who wait. Both write to the same disk, in turns; figures
are medians. A ratio above 1 means that ours is faster.

- put_1, put_16, put_64: bodies per second by so many threads, one body a call. put_many: 64 a call, one thread.
- get: microseconds a body at random, of a million (--quick: 200,000). get_100m: the same look-up in index files of a
  hundred million made-up digests (--quick: four million), without the reading of the body.
- erase: milliseconds a body (peer: DELETE with secure_delete).
- open: milliseconds until a process that was just started gives out a body.
- kills: processes that put and erase are killed at random moments; acknowledged bodies that are lost, or erased ones
  that are found. The exit code is 1 if there are any.

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from audit import bodyindex, bodywriter
from audit.groups import GroupCommit
from audit.store import BodyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = tuple[str, bytes, bytes]
ROOT = Path(__file__).resolve().parent.parent
BODY_BYTES = 1000
# Name, threads, bodies a call, and about how many a second.
WAYS = (("put_1", 1, 1, 1500), ("put_16", 16, 1, 8000), ("put_64", 64, 1, 15_000), ("put_many", 1, 64, 50_000))
WRITER = """
import sys
from pathlib import Path
from audit import bodywriter, store
bodywriter.SEGMENT_BYTES = 2_000_000
from bench.bodies import sealed
bodies = store.BodyStore(Path(sys.argv[1]))
number = 0
while True:
    items = [sealed(f"{sys.argv[2]}:{number + part}") for part in range(number % 7 + 1)]
    bodies.put_many(items)
    print("put", number, len(items), flush=True)
    if number % 5 == 0:
        bodies.erase(items[0][0])
        print("erased", number, 1, flush=True)
    number += len(items)
"""


def items(count: int) -> list[Item]:
    made = []
    for number in range(count):
        salt = secrets.token_bytes(32)
        body = b'{"call":"%09d","filler":"%s"}' % (number, b"x" * (BODY_BYTES - 31))
        made.append(("sha256:" + sha256(salt + body).hexdigest(), salt, body))
    return made


def sealed(name: str) -> Item:
    """A body that follows from its name."""
    salt = sha256(f"salt {name}".encode()).digest()
    body = b'{"name":"%s"}' % name.encode()
    return "sha256:" + sha256(salt + body).hexdigest(), salt, body


class Sqlite:
    """The peer."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute("CREATE TABLE bodies (digest BLOB PRIMARY KEY, salt BLOB, body BLOB)")
        self._group: GroupCommit[Sequence[Item]] = GroupCommit(self._write)

    def put_many(self, some: Sequence[Item]) -> None:
        """See `BodyStore.put_many`."""
        self._group.submit(some)

    def _write(self, groups: list[Sequence[Item]]) -> None:
        rows = [(bytes.fromhex(digest[7:]), salt, body) for group in groups for digest, salt, body in group]
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO bodies VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def get(self, digest: str) -> object:
        """See `BodyStore.get`."""
        return self._db.execute(
            "SELECT salt, body FROM bodies WHERE digest = ?", (bytes.fromhex(digest[7:]),)
        ).fetchone()

    def erase(self, digest: str) -> bool:
        """See `BodyStore.erase`."""
        return self._db.execute("DELETE FROM bodies WHERE digest = ?", (bytes.fromhex(digest[7:]),)).rowcount == 1

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def rate(keeper: BodyStore | Sqlite, made: list[Item], threads: int, at_once: int) -> float:
    """Bodies per second by *threads*, *at_once* a call."""
    groups = [made[start : start + at_once] for start in range(0, len(made), at_once)]

    def work(mine: list[list[Item]]) -> None:
        for group in mine:
            keeper.put_many(group)

    workers = [threading.Thread(target=work, args=(groups[n::threads],)) for n in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(made) / (time.perf_counter() - begin)


def puts(folder: Path, *, quick: bool) -> dict[str, tuple[float, float]]:
    """(ours, peer) for each way of putting: many short runs, in turns, for others use the disk too."""
    found = {}
    slice_s = 0.1 if quick else 0.4
    for name, threads, at_once, guess in WAYS:
        made = items(int(guess * slice_s))
        peer = Sqlite(folder / f"{name}.sqlite")
        with BodyStore(folder / name) as ours:
            ours.put_many(items(1))
            runs = []
            for _ in range(9):
                runs.append((rate(ours, made, threads, at_once), rate(peer, made, threads, at_once)))
                made = items(len(made))
        peer.close()
        found[name] = (statistics.median(a for a, _ in runs), statistics.median(b for _, b in runs))
    return found


def each(work: Callable[[str], object], digests: Sequence[str]) -> float:
    """Median seconds a call."""
    taken = []
    for digest in digests:
        begin = time.perf_counter()
        assert work(digest), digest
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def looks(folder: Path, count: int) -> dict[str, tuple[float, float]]:
    """(ours, peer) in seconds for get, erase and open, of *count* bodies."""
    peer = Sqlite(folder / "looks.sqlite")
    digests: list[str] = []
    with BodyStore(folder / "looks") as ours:
        for start in range(0, count, 10_000):
            made = items(min(10_000, count - start))
            for keeper in (ours, peer):
                keeper.put_many(made)
            digests += [digest for digest, _, _ in made[::10]]
        ours.close()
        some = random.Random(7).sample(digests, 3000)
        found = {"get": (each(ours.get, some), each(peer.get, some))}
        begin = time.perf_counter()
        assert BodyStore(folder / "looks").get(some[0])
        found["open"] = (time.perf_counter() - begin, 0.0)
        found["erase"] = (each(ours.erase, some[:200]), each(peer.erase, some[:200]))
        assert ours.get(some[0]) is None
    peer.close()
    return found


def lookup_of_many(folder: Path, count: int) -> tuple[float, float]:
    """Seconds a look-up in the index files of *count* made-up digests, and the bytes on disk of each.

    The files are as `audit.bodyindex` makes them: of one segment, merged by 16, merged by 256.
    """
    folder.mkdir()
    width = bodywriter.SEGMENT_BODIES
    files, number, kept = [], 1, []
    while (number - 1) * width < count:
        left = count // width - number + 1
        wide = next(wide for wide in (256, 16, 1) if left >= wide or wide == 1)
        per = wide * width // 2**13
        blocks = []
        for bucket in range(2**13):
            block = bytearray(secrets.token_bytes(16 * per))
            for at in range(0, 16 * per, 16):
                block[at : at + 2] = (bucket << 3).to_bytes(2, "big")
            if bucket % 64 == 0:
                kept.append(bytes(block[-16:-8]).ljust(32, b"\0"))
            blocks.append(bytes(block))
        write = bodyindex._write  # noqa: SLF001 - what is measured is its format
        files.append(write(folder, number, number + wide - 1, [per] * 2**13, blocks))
        number += wide
    random.Random(7).shuffle(kept)
    taken = []
    for digest in kept:
        begin = time.perf_counter()
        assert any([file.find(digest) for file in files])  # noqa: C419 - all of them are asked
        taken.append(time.perf_counter() - begin)
    print(f"  {len(files)} index files")
    return statistics.median(taken), sum(path.stat().st_size for path in folder.iterdir()) / count


def kills(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """Kill *count* pairs of processes; (acknowledged changes looked at, those that did not hold)."""
    chance = random.Random(seed)
    looked = wrong = 0
    for turn in range(count):
        names = [f"{turn}-{n}" for n in range(2)]
        outs = [(folder / f"{name}.txt").open("w+") for name in names]
        place = folder / f"bodies{turn // 50}"
        children = [
            subprocess.Popen([sys.executable, "-c", WRITER, place, name], stdout=out, cwd=ROOT)
            for name, out in zip(names, outs, strict=True)
        ]
        while any(not os.fstat(out.fileno()).st_size for out in outs):
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.4))
        for child in children:
            child.kill()
            child.wait()
        bodies = BodyStore(place)
        for name, out in zip(names, outs, strict=True):
            out.seek(0)
            lines = [line.split() for line in out.read().splitlines(keepends=True) if line.endswith("\n")]
            out.close()
            erased = {int(line[1]) for line in lines if line[0] == "erased"}
            for word, number, many in lines:
                for at in range(int(number), int(number) + int(many)) if word == "put" else ():
                    looked += 1
                    held = bodies.get(sealed(f"{name}:{at}")[0]) is not None
                    # One whose erasing was under way may be gone without having been told.
                    unsure = at % 5 == 0 and at == int(number) and at not in erased
                    wrong += held == (at in erased) and not unsure
    return looked, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ends within a minute")
    parser.add_argument("--kills", type=int, help="processes to kill in pairs (default 20, --quick 4)")
    parser.add_argument("--seed", type=int, default=20260301)
    options = parser.parse_args()
    quick = options.quick
    many = 4 * 10**6 if quick else 10**8
    report: dict[str, dict[str, object]] = {}

    def tell(metric: str, ours: float, peer: float | None, unit: str, *, more_is_better: bool = True) -> None:
        ratio = None if not peer else round(ours / peer if more_is_better else peer / ours, 2)
        peers = {} if not peer else {"sqlite": round(peer, 3)}
        report[metric] = {"ours": round(ours, 3), "peers": peers, "ratio": ratio, "unit": unit}
        print(f"{metric:<10} {ours:>14,.3f} {peer or 0:>14,.3f} {ratio or '':>8}  {unit}", flush=True)

    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        print(f"{'metric':<10} {'ours':>14} {'SQLite':>14} {'ratio':>8}")
        for metric, (ours, peer) in puts(folder, quick=quick).items():
            tell(metric, ours, peer, "bodies/s")
        found = looks(folder, 200_000 if quick else 1_000_000)
        for metric, factor, unit in (("get", 1e6, "µs"), ("erase", 1e3, "ms")):
            ours, peer = found[metric]
            tell(metric, ours * factor, peer * factor, unit, more_is_better=False)
        tell("open", found["open"][0] * 1e3, None, "ms")
        taken, each_bytes = lookup_of_many(folder / "many", many)
        tell("get_100m", taken * 1e6, None, f"µs, {many:,} bodies, {each_bytes:.1f} bytes of index each")
        looked, wrong = kills(folder, -(-(options.kills or (4 if quick else 20)) // 2), options.seed)
        tell("kills", wrong, None, f"of {looked:,} acknowledged changes")
    print(json.dumps(report, ensure_ascii=False))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
