"""Measures the search of the catalogue: a page with facets at 10,000 resources, and how often it finds what is meant.

Run `python bench/search.py` (`--quick` for less than a minute). The last line is JSON. A ratio above 1 means that ours
is better than the peer (faster, or finds more).

- p95_ms: the 95th percentile over the golden queries (tests/catalog/search/golden.csv), each with all facets, over
  10,000 resources with 300,000 fields. Peer: SQLite FTS5 with its `trigram` tokenizer over the same texts, 20 hits by
  its own rank and the total, without facets.
- p95_ms_cold: the same with an index that has answered nothing yet, so that no posting list is remembered.
- browse_p95_ms: pages without words, in every order, with facets (no peer).
- recall_at_5: over the list the queries were written for. Peer: as above.
- build_s: making the index. Peer: filling the trigram table.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.search.shelf import Facet, Filters, Sort
from hub.search.index import Search
from hub.settings import Settings
from tests.catalog.search.worlds import make_list, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from catalog.model import InformationResource, ResponsibilityList

RESOURCES, FIELDS = 10_000, 30
PLACES = (
    "颍州",
    "颍泉",
    "颍东",
    "太和",
    "临泉",
    "阜南",
    "颍上",
    "界首",
    "开发区",
    "合作区",
    "高新区",
    "双浮",
    "三塔",
    "阮桥",
)


def city(count: int) -> ResponsibilityList:
    """The golden list *count* resources large: each again for every place, fields filled up from one another's."""
    base = make_list()
    pool = [field for resource in base.resources for field in resource.fields]
    made: list[InformationResource] = []
    while len(made) < count:
        round_, at = divmod(len(made), len(base.resources))
        one = base.resources[at]
        place = PLACES[round_ % len(PLACES)] + ("" if round_ < len(PLACES) else "二期")
        extra = [pool[(len(made) * 7 + step) % len(pool)] for step in range(FIELDS - len(one.fields))]
        filled = (*one.fields, *(replace(f, name=f"x_{step}", key=False) for step, f in enumerate(extra)))
        name = one.name if round_ == 0 else place + one.name
        made.append(replace(one, code=f"{one.code}{round_:03d}", name=name, fields=filled))
    grown: ResponsibilityList = make_list(resources=tuple(made), departments=base.departments)
    return grown


def trigram_table(list_: ResponsibilityList) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE peer USING fts5 (code, title, rest, tokenize='trigram')")
    for resource in list_.resources:
        provider = list_.departments_by_code[resource.provider]
        rest = [resource.name_en, resource.abstract, provider.name, *provider.aliases, provider.code]
        rest += [text for field in resource.fields for text in (field.title, field.name)]
        connection.execute("INSERT INTO peer VALUES (?, ?, ?)", (resource.code, resource.name, " ".join(rest)))
    return connection


def ask_peer(peer: sqlite3.Connection, query: str) -> list[str]:
    words = " AND ".join('"' + word.replace('"', "") + '"' for word in query.split())
    peer.execute("SELECT count(*) FROM peer WHERE peer MATCH ?", (words,)).fetchone()
    found = peer.execute("SELECT code FROM peer WHERE peer MATCH ? ORDER BY rank, code LIMIT 20", (words,))
    return [row[0] for row in found]


def percentile(work: Sequence[Callable[[], object]]) -> float:
    times = []
    for one in work:
        begin = time.perf_counter()
        one()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.quantiles(times, n=20)[-1]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    made = work()
    return time.perf_counter() - begin, made


def recall(golden: list[dict[str, str]], ask: Callable[[str], list[str]]) -> float:
    shares = []
    for row in golden:
        wanted = set(row["wanted"].split())
        shares.append(len(wanted & set(ask(row["query"])[:5])) / min(len(wanted), 5))
    return statistics.mean(shares)


def measure(runs: int) -> dict[str, dict[str, object]]:
    golden, small = rows("golden.csv"), make_list()
    queries = [row["query"] for row in golden]
    with tempfile.TemporaryDirectory() as name:
        settings = Settings.at(Path(name))
        exact = Search(settings, small)
        ours_recall = recall(golden, lambda query: [hit.resource.code for hit in exact.find(query, size=5).hits])
        small_peer = trigram_table(small)
        peer_recall = recall(golden, lambda query: ask_peer(small_peer, query))
        large = city(RESOURCES)
        built, search = seconds(lambda: Search(settings, large))
        filled, peer = seconds(lambda: trigram_table(large))
        search.close()
        cold = []
        for _ in range(runs):
            search = Search(settings, large)
            cold.append(percentile([partial(search.find, query) for query in queries]))
        warm = [percentile([partial(search.find, query) for query in queries]) for _ in range(runs)]
        theirs = [percentile([partial(ask_peer, peer, query) for query in queries]) for _ in range(runs)]
        chosen = (Filters(), Filters.of({Facet.SHARE_TYPE: ["1", "2"], Facet.CADENCE: ["2"]}))
        pages = [
            partial(search.find, "", sort=sort, page=page, filters=filters)
            for sort in Sort
            for page in (1, 7, 100)
            for filters in chosen
        ]
        browse = percentile(pages * 3)
    middle = {"ours": statistics.median(warm), "cold": statistics.median(cold), "peer": statistics.median(theirs)}

    def row(ours: float, peer: float | None, unit: str, ratio: float | None) -> dict[str, object]:
        peers = {} if peer is None else {"fts5 trigram": round(peer, 3)}
        return {"ours": round(ours, 3), "peers": peers, "ratio": ratio and round(ratio, 3), "unit": unit}

    return {
        "p95_ms": row(middle["ours"], middle["peer"], "ms", middle["peer"] / middle["ours"]),
        "p95_ms_cold": row(middle["cold"], middle["peer"], "ms", middle["peer"] / middle["cold"]),
        "browse_p95_ms": row(browse, None, "ms", None),
        "recall_at_5": row(ours_recall, peer_recall, "share", ours_recall / peer_recall),
        "build_s": row(built, filled, "s", filled / built),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, less than a minute")
    options = parser.parse_args()
    report = measure(1 if options.quick else 5)
    print(f"{RESOURCES:,} resources, {RESOURCES * FIELDS:,} fields\n")
    print(f"{'metric':<16} {'ours':>10} {'peer':>10} {'ratio':>8}  unit")
    for metric, found in report.items():
        peers = found["peers"]
        assert isinstance(peers, dict)
        peer = next(iter(peers.values()), "")
        ratio = "" if found["ratio"] is None else found["ratio"]
        print(f"{metric:<16} {found['ours']:>10} {peer:>10} {ratio:>8}  {found['unit']}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
