from __future__ import annotations

import hashlib
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.matching.comparing import MATCHING
from hub.matching.text import Verdict, alike, folded, plain, variants

STANDARD = "".join(Path(__file__).with_name("standard.txt").read_text("utf-8").split())
# The tables by which each version was compared: another table is another version, with the old one kept.
TABLES = {2: "82c362874e7a2d44d2d07c364d07f5442cd3ad4e328a42418bbf8b5e404c6a61"}


def test_a_table_belongs_to_its_version():
    digest = hashlib.sha256(files("hub.matching").joinpath("variants.txt").read_bytes()).hexdigest()
    assert TABLES[MATCHING] == digest, "the table changed: raise MATCHING, and keep the old one for old evidence"


def test_the_standard_characters_are_all_there():
    assert len(STANDARD) == len(set(STANDARD)) == 8105


def test_no_standard_character_is_compared_as_another():
    assert [c for c in STANDARD if folded(plain(c)) != c] == []


def test_no_two_standard_characters_match():
    # Each is compared as itself; so two can only match as two forms of one, which none is.
    assert not {c for pair in variants().same for c in pair} & set(STANDARD)
    assert all(
        len({c for c in pair if c in STANDARD}) < 2 or alike(*pair) is Verdict.UNKNOWN for pair in variants().doubt
    )
    assert {alike(a, b) for a, b in pairwise(sorted(STANDARD)) if a + b not in variants().doubt} == {Verdict.MISMATCH}


@given(st.sampled_from(STANDARD), st.sampled_from(STANDARD))
@settings(max_examples=200, deadline=None)
def test_two_standard_characters_match_only_if_they_are_one(one, other):
    assert (alike(one, other) is Verdict.MATCH) is (one == other)


def test_every_variant_matches_what_it_is_compared_as():
    for point, target in variants().fold.items():
        assert alike(chr(point), target) is alike(target, chr(point)) is Verdict.MATCH
        assert ord(target) not in variants().fold


def test_two_variants_of_one_character_match_only_where_they_are_one():
    by_target = {}
    for point, target in variants().fold.items():
        by_target.setdefault(target, []).append(chr(point))
    several = [group for group in by_target.values() if len(group) > 1]
    assert len(several) > 100
    for group in several:
        for one in group:
            for other in group:
                sure = one == other or one + other in variants().same
                assert alike(one, other) is (Verdict.MATCH if sure else Verdict.UNKNOWN), (one, other)


def test_what_only_looks_alike_differs():
    for pair in ("未末", "己已", "戊戌", "士土", "日曰", "人入", "大太", "0O", "1l", "аa", "刺剌", "冼洗", "祎袆"):
        assert alike(pair[0], pair[1]) is Verdict.MISMATCH, pair


@given(st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_folding_twice_is_folding_once(text):
    once = plain(text)
    assert plain(once) == once
