"""Measures the audit log: appending in batches, proving one entry, checking everything.

Run `python bench/audit.py` (`--quick` for less than a minute). Each figure is the median of several runs on a log in
a temporary folder. The last line is JSON. A ratio above 1 means that ours is faster than the peer.

- append: entries per second, durable (one sync a batch of 4,096). Peer: the same bytes and syncs into a plain file,
  each entry hashed on its own, without a tree, frames, locks or recovery.
- publish: entries per second into synced tiles, read back and signed (no peer).
- proof: proofs per second at random places of a published log. Peer: the path recomputed from all leaf hashes.
- fsck: entries per second, everything recomputed. Peer: SHA-256 over each entry read from its bundle, and no more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
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
from audit.notes import SignerKey
from audit.tiles import TileFolder

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 4096


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


def recomputed_path(hashes: list[bytes], index: int) -> list[bytes]:
    """An inclusion path by hashing the whole tree level by level (the tree is a power of two)."""
    path, level = [], b"".join(hashes)
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
    hashes = [tree.leaf_hash(entry) for entry in data]
    places = random.Random(7).sample(range(count), min(count, 2000))
    with Log.create(folder / "log", key.name, key) as log:

        def append_all() -> None:
            for start in range(0, count, BATCH):
                log.append(data[start : start + BATCH])

        return {
            "append": rate(count, append_all),
            "append plain": rate(count, lambda: plain_append(folder / "plain", data)),
            "publish": rate(count, log.publish),
            "proof": rate(len(places), lambda: [log.prove(i) for i in places]),
            "proof recomputed": rate(3, lambda: [recomputed_path(hashes, i) for i in places[:3]]),
            "fsck": rate(count, lambda: check_clean(folder / "log", key)),
            "fsck plain": rate(count, lambda: plain_read(folder / "log", count)),
        }


def measure(count: int, runs: int) -> dict[str, dict[str, object]]:
    data = entries(count)
    key = SignerKey.generate("bench.example/log")
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name:
            found.append(one_run(Path(name), data, key))
    middle = {name: statistics.median(run[name] for run in found) for name in found[0]}
    peers = {"append": "plain", "proof": "recomputed", "fsck": "plain", "publish": ""}
    units = {"append": "entries/s", "proof": "proofs/s", "fsck": "entries/s", "publish": "entries/s"}
    report: dict[str, dict[str, object]] = {}
    for metric, peer in peers.items():
        others = {peer: round(middle[f"{metric} {peer}"])} if peer else {}
        report[metric] = {
            "ours": round(middle[metric]),
            "peers": others,
            "ratio": round(middle[metric] / middle[f"{metric} {peer}"], 3) if peer else None,
            "unit": units[metric],
        }
    return report


def check_clean(folder: Path, key: SignerKey) -> None:
    report = check_log(folder, [key.verifier])
    assert not report.faults, report.faults[:3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer entries and runs, less than a minute")
    options = parser.parse_args()
    count, runs = (2**16, 3) if options.quick else (2**19, 5)
    report = measure(count, runs)
    print(f"{count:,} entries, median of {runs} runs\n")
    print(f"{'metric':<12} {'ours':>12} {'peer':>12} {'ratio':>8}  unit")
    for metric, row in report.items():
        peers = row["peers"]
        assert isinstance(peers, dict)
        peer = next(iter(peers.values()), "")
        ratio = "" if row["ratio"] is None else row["ratio"]
        print(f"{metric:<12} {row['ours']:>12} {peer:>12} {ratio:>8}  {row['unit']}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
