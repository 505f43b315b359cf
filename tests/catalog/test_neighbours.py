"""Which resources stand beside each other, from either side."""

from __future__ import annotations

from dataclasses import replace

from catalog.model import QualityKind, QualityRule
from catalog.neighbours import Link, neighbours
from tests.hub.world import CODE, EMPTY_CODE, make_list

RULE = QualityRule(QualityKind.REFERENCE, "citizen_id", 1.0, target=f"{EMPTY_CODE}.citizen_id")


def with_first(**changes):
    list_ = make_list()
    return replace(list_, resources=(replace(list_.resources[0], **changes), *list_.resources[1:]))


def test_a_reference_is_seen_from_both_ends():
    found = neighbours(with_first(quality=(RULE,)))
    assert found[CODE].refers_to == (Link(EMPTY_CODE, (("citizen_id", "citizen_id"),)),)
    assert found[EMPTY_CODE].referred_by == (Link(CODE, (("citizen_id", "citizen_id"),)),)
    assert found[CODE].referred_by == found[EMPTY_CODE].refers_to == ()


def test_what_is_related_stands_beside_whoever_named_it_and_once():
    found = neighbours(with_first(related=(EMPTY_CODE, "000000/000000")))
    assert found[CODE].related == (Link(EMPTY_CODE),)
    assert found[EMPTY_CODE].related == (Link(CODE),)
    both = neighbours(with_first(related=(EMPTY_CODE,), quality=(RULE,)))
    assert both[CODE].related == both[EMPTY_CODE].related == ()
    assert both[CODE].codes == (EMPTY_CODE,)


def test_a_list_without_links_has_no_neighbours():
    assert all(not one.codes for one in neighbours(make_list()).values())
