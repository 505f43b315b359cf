"""Measures searching a log: building the index, and finding the entries of one person with it.

Run `python bench/audit_search.py` (`--quick` for a tenth of the entries). The log is made in a temporary folder, of
entries of the size that calls leave. The last line is JSON.

- build: entries per second, from the log alone, each one proven against the signed checkpoint.
- subject: milliseconds until every entry of a person is found, read again and proven; the median of many people, the
  index opened anew for each. Peer: the same by reading every entry.
- actor: entries per second of a query that fits a tenth of the log, read again and proven.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from audit.entry import Entry
from audit.log import Log
from audit.notes import SignerKey
from audit.pinned import PinnedLog
from audit.searchindex import SearchIndex
from audit.searching import Query, scan

CALLS_OF_A_PERSON = 10
BATCH = 8192


def subject(number: int) -> str:
    return sha256(b"person" + number.to_bytes(8, "big")).hexdigest()


def entry(number: int, people: int) -> bytes:
    digest = sha256(number.to_bytes(8, "big")).hexdigest()
    return Entry(
        kind="invocation.answered" if number % 20 else "invocation.denied",
        at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=300 * number),
        actor=f"D{number % 10}",
        subject=subject(number * 7919 % people),
        resource=f"306010/{number % 500:06d}",
        purpose=f"SX{number % 300:03d}",
        facts={
            "action": "query",
            "outcome": "answered",
            "decision": "allowed",
            "reasons": ["allowed"],
            "list_version": "sha256:" + sha256(b"list").hexdigest(),
            "caller": f"C{number % 90:08d}",
            "grant": f"G{number % 900:08d}",
            "fields": ["name", "birth"],
            "masks": {"name": "surname"},
            "snapshot": "8021334455667788",
            "request_digest": "sha256:" + digest,
            "answer_digest": "sha256:" + digest,
        },
        body_digest="sha256:" + digest,
    ).encode()


def measure(count: int, folder: Path) -> dict[str, dict[str, object]]:
    key = SignerKey.generate("bench.example/log")
    people = count // CALLS_OF_A_PERSON
    with Log.create(folder / "log", key.name, key) as log:
        for start in range(0, count, BATCH):
            log.append([entry(number, people) for number in range(start, min(start + BATCH, count))])
        log.publish()
    begin = time.perf_counter()
    SearchIndex(folder / "index", PinnedLog(folder / "log", [key.verifier])).extend()
    built = count / (time.perf_counter() - begin)
    times = []
    for number in random.Random(7).sample(range(people), 50):
        begin = time.perf_counter()
        pinned = PinnedLog(folder / "log", [key.verifier])
        found = list(SearchIndex(folder / "index", pinned).find(Query(subjects=(subject(number),))))
        times.append(1000 * (time.perf_counter() - begin))
        assert len(found) == CALLS_OF_A_PERSON, len(found)
    pinned = PinnedLog(folder / "log", [key.verifier])
    begin = time.perf_counter()
    tenth = sum(1 for _ in SearchIndex(folder / "index", pinned).find(Query(actors=("D3",))))
    by_actor = tenth / (time.perf_counter() - begin)
    assert tenth == count // 10
    part = min(count, 100_000)
    begin = time.perf_counter()
    list(scan(pinned, Query(subjects=(subject(1),)), 0, part))
    scanned = 1000 * (time.perf_counter() - begin) * count / part
    size = (folder / "index").stat().st_size
    return {
        "build": {"ours": round(built), "unit": "entries/s", "bytes_per_entry": round(size / count)},
        "subject": {
            "ours": round(statistics.median(times), 2),
            "worst": round(max(times), 2),
            "peers": {"reading every entry": round(scanned)},
            "unit": "ms",
        },
        "actor": {"ours": round(by_actor), "unit": "entries/s"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 entries")
    parser.add_argument("--entries", type=int, default=1_000_000, help="how many entries the log has")
    options = parser.parse_args()
    count = 100_000 if options.quick else options.entries
    with tempfile.TemporaryDirectory() as name:
        report = measure(count, Path(name))
    print(f"{count:,} entries\n")
    for metric, row in report.items():
        print(f"{metric:<10} {row}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
