"""What people type and what they mean by it: queries from the cities' documents and from everyday life."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean

import pytest

from tests.catalog.search.worlds import rows

GOLDEN = rows("golden.csv")
CLASSES = sorted({row["class"] for row in GOLDEN})
LEAST = 0.95


def recall(memory, row):
    wanted = set(row["wanted"].split())
    return len(wanted & set(memory.codes(row["query"], 5))) / min(len(wanted), 5)


@pytest.fixture(scope="module")
def recalls(memory):
    found = defaultdict(list)
    for row in GOLDEN:
        found[row["class"]].append(recall(memory, row))
    return found


def test_the_set_is_large_and_each_query_has_an_answer_in_the_list(memory):
    assert len(GOLDEN) >= 150
    assert len({row["query"] for row in GOLDEN}) == len(GOLDEN)
    known = set(memory.shelf.ordinals)
    assert all(row["wanted"] and set(row["wanted"].split()) <= known and row["why"] for row in GOLDEN)


def test_recall_at_five_over_all(recalls, record_property):
    for name, shares in recalls.items():
        record_property(f"recall@5 {name} ({len(shares)})", round(mean(shares), 4))
    assert mean(share for shares in recalls.values() for share in shares) >= LEAST


@pytest.mark.parametrize("name", CLASSES)
def test_recall_at_five_of_each_class(recalls, name):
    assert mean(recalls[name]) >= LEAST, name


def test_the_measure_fails_when_aliases_are_unknown(memory, monkeypatch):
    # Without its words the same engine must not pass: else the set would prove nothing.
    monkeypatch.setattr(memory.thesaurus, "_aliases", {})
    aliases = [row for row in GOLDEN if row["class"] == "alias"]
    assert mean(recall(memory, row) for row in aliases) < 0.7
