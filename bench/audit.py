"""Measures the audit log: appending in batches, proving one entry, checking everything.

Run `python bench/audit.py` (`--quick` for less than a minute). Rates are medians of several runs on a log in a folder
of its own (`BENCH_FOLDER` says where), entries of the size that a call leaves. The last line is JSON. A ratio above 1
means that ours is faster.

- append: entries per second, durable, 1,000 a batch. Peers: a table in SQLite (WAL, synchronous=FULL, a transaction a
  batch) that chains each row to the one before by SHA-256; and the same bytes and syncs into a plain file, each entry
  hashed on its own, without a tree, frames, locks or recovery.
- publish: entries per second into synced tiles, read back and signed (no peer).
- proof: milliseconds for an inclusion proof at a random place of a log of 10,000,000 (--quick: 200,000) short entries,
  cold: nothing of the tree in memory. Peer: the path recomputed from all leaf hashes, which are in memory.
- fsck: entries per second, everything recomputed. Peers: the SQLite chain recomputed; SHA-256 over each entry read from
  its bundle, and no more.
- fsck_memory: peak MB of a process that checks a log of 10 N entries, over that of N.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from audit import tree
from audit.entry import Entry
from audit.fsck import check_log
from audit.log import Log
from audit.notes import SignerKey, VerifierKey
from audit.tiles import TileFolder

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
BATCH = 1000
PROOFS = 200


def entries(count: int) -> list[bytes]:
    """Entries of the size an invocation leaves: about 450 bytes."""
    made = []
    for number in range(count):
        entry = Entry(
            kind="invocation.answered",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            actor="330100-GA",
            subject=sha256(number.to_bytes(8, "big")).hexdigest(),
            resource="330100/000012",
            purpose="MATTER-0042",
            facts={"rows": 1, "snapshot": 8021334455667788, "fields": ["name", "status"], "call": f"c{number:09d}"},
            body_digest="sha256:" + sha256(b"body" + number.to_bytes(8, "big")).hexdigest(),
        )
        made.append(entry.encode())
    return made


def rate(count: int, work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return count / (time.perf_counter() - begin)


def plain_append(path: Path, data: list[bytes]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for start in range(0, len(data), BATCH):
        batch = data[start : start + BATCH]
        for entry in batch:
            sha256(b"\x00" + entry).digest()
        os.write(fd, b"".join(batch))
        os.fdatasync(fd)
    os.close(fd)


def chain_append(path: Path, data: list[bytes]) -> None:
    """The table with a hash chain."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE entries (number INTEGER PRIMARY KEY, entry BLOB, chained BLOB)")
    chained = b""
    for start in range(0, len(data), BATCH):
        rows = []
        for number, entry in enumerate(data[start : start + BATCH], start):
            chained = sha256(chained + entry).digest()
            rows.append((number, entry, chained))
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        db.execute("COMMIT")
    db.close()


def chain_check(path: Path) -> None:
    """The same table read and its chain recomputed."""
    db = sqlite3.connect(path)
    chained = b""
    for entry, kept in db.execute("SELECT entry, chained FROM entries ORDER BY number"):
        chained = sha256(chained + entry).digest()
        assert chained == kept
    db.close()


def recomputed_path(hashes: bytes, index: int) -> list[bytes]:
    """An inclusion path by hashing the whole tree level by level (the tree is a power of two)."""
    path, level = [], hashes
    while len(level) > tree.HASH_BYTES:
        sibling = (index ^ 1) * tree.HASH_BYTES
        path.append(level[sibling : sibling + tree.HASH_BYTES])
        level, index = tree.parents(level), index >> 1
    return path


def plain_read(folder: Path, size: int) -> None:
    tiles = TileFolder(folder)
    for index in range((size + 255) // 256):
        for entry in tiles.entries(index, size):
            sha256(b"\x00" + entry).digest()


def one_run(folder: Path, data: list[bytes], key: SignerKey) -> dict[str, float]:
    count = len(data)
    with Log.create(folder / "log", key.name, key) as log:

        def append_all() -> None:
            for start in range(0, count, BATCH):
                log.append(data[start : start + BATCH])

        return {
            "append": rate(count, append_all),
            "append sqlite chain": rate(count, lambda: chain_append(folder / "chain.sqlite", data)),
            "append plain file": rate(count, lambda: plain_append(folder / "plain", data)),
            "publish": rate(count, log.publish),
            "fsck": rate(count, lambda: check_clean(folder / "log", key)),
            "fsck sqlite chain": rate(count, lambda: chain_check(folder / "chain.sqlite")),
            "fsck hashes alone": rate(count, lambda: plain_read(folder / "log", count)),
        }


def proofs(folder: Path, count: int, key: SignerKey) -> tuple[float, float]:
    """(ours, peer): milliseconds a proof, in a log of *count* short entries."""
    with Log.create(folder, key.name, key) as log:
        for start in range(0, count, 2**16):
            log.append([b"%09d" % number for number in range(start, min(count, start + 2**16))])
            log.publish()
    taken = []
    for index in random.Random(7).sample(range(count), PROOFS):
        with Log.open(folder) as log:
            begin = time.perf_counter()
            proof = log.prove(index)
            taken.append(time.perf_counter() - begin)
        proof.verify(b"%09d" % index, [key.verifier])
    hashes = tree.leaf_hashes(b"%09d" % number for number in range(2 ** (count.bit_length() - 1)))
    begin = time.perf_counter()
    recomputed_path(hashes, 12345)
    return statistics.median(taken) * 1000, (time.perf_counter() - begin) * 1000


def peaks(folder: Path, count: int, key: SignerKey) -> tuple[float, float]:
    """The most memory of a process that checks *count* entries, and ten times as many, in MB."""
    code = "import sys; from bench.audit import peak; peak(sys.argv[1], sys.argv[2])"
    found = []
    data = entries(count)
    with Log.create(folder, key.name, key) as log:
        for times in (1, 9):
            for _ in range(times):
                for start in range(0, count, BATCH):
                    log.append(data[start : start + BATCH])
                log.publish()
            arguments = [sys.executable, "-c", code, str(folder), key.verifier.to_text()]
            told = subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True).stdout
            found.append(float(told))
    return found[0], found[1]


def peak(folder: str, verifier: str) -> None:
    """Check, and print the most memory that this process has had, in MB."""
    assert not check_log(Path(folder), [VerifierKey.from_text(verifier)]).faults
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(line.split()[1]) / 1024)


def check_clean(folder: Path, key: SignerKey) -> None:
    report = check_log(folder, [key.verifier])
    assert not report.faults, report.faults[:3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer entries and runs, less than a minute")
    options = parser.parse_args()
    count, runs, large = (50_000, 3, 200_000) if options.quick else (500_000, 5, 10_000_000)
    key = SignerKey.generate("bench.example/log")
    report: dict[str, dict[str, object]] = {}

    def tell(metric: str, ours: float, peers: dict[str, float], ratio: float | None, unit: str) -> None:
        rounded = {name: round(value, 3) for name, value in peers.items()}
        report[metric] = {
            "ours": round(ours, 3),
            "peers": rounded,
            "ratio": None if ratio is None else round(ratio, 3),
            "unit": unit,
        }
        others = ", ".join(f"{name} {value:,.6g}" for name, value in peers.items())
        print(
            f"{metric:<12} {ours:>12,.6g} {unit:<12} {'' if ratio is None else f'{ratio:.2f} x'}  {others}", flush=True
        )

    where = os.environ.get("BENCH_FOLDER")
    data = entries(count)
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="zhengtong-bench-", dir=where) as name:
            found.append(one_run(Path(name), data, key))
    middle = {name: statistics.median(run[name] for run in found) for name in found[0]}
    print(f"{count:,} entries of {len(data[0])} bytes, median of {runs} runs")
    for metric in ("append", "publish", "fsck"):
        peers = {name[len(metric) + 1 :]: value for name, value in middle.items() if name.startswith(f"{metric} ")}
        ratio = middle[metric] / peers["sqlite chain"] if peers else None
        tell(metric, middle[metric], peers, ratio, "entries/s")
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-", dir=where) as name:
        ours, peer = proofs(Path(name) / "log", large, key)
    tell("proof", ours, {"recomputed": peer}, peer / ours, "ms")
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-", dir=where) as name:
        small, big = peaks(Path(name) / "log", count // 5, key)
    tell("fsck_memory", big, {"a tenth of the entries": small}, small / big, "MB")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
