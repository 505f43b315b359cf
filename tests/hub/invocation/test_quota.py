"""A grant's calls a day, counted from the log, stop the one that is too many."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from audit.entry import Entry
from hub.auditing import replay
from hub.errors import QuotaExhaustedError
from hub.invocation import RefusedError
from hub.service import Service
from tests.hub.world import CODE, NOW, body, give, make_grant

TWO = 2


@pytest.fixture
def limited(service, world):
    """A grant of two calls a day beside the one without a limit, for another matter."""
    grant = make_grant(world.list, id="G2", purposes=("SX002",), quota_per_day=TWO)
    return give(world.settings, service.control, service.evidence, grant)


def query(service, world, matter="SX002", **changes):
    purpose = {"matter": matter, "case": "BJ-1"}
    return service.invocation.query(world.key, CODE, json.dumps(body(purpose=purpose, **changes)).encode())


def test_the_call_beyond_the_quota_is_refused_and_the_next_day_begins_anew(service, world, limited):
    for _ in range(TWO):
        assert query(service, world).content["grant"] == limited.id
    with pytest.raises(RefusedError) as refused:
        query(service, world)
    assert isinstance(refused.value.cause, QuotaExhaustedError)
    assert "2026-03-03T00:00:00+08:00" in refused.value.cause.text("en")
    entry = Entry.decode(service.evidence.log.entry(refused.value.receipt.index))
    assert (entry.kind, entry.facts["outcome"], entry.facts["reasons"]) == (
        "invocation.denied",
        "refused",
        ["quota_exhausted"],
    )
    assert replay(world.settings, refused.value.receipt.index).verdict == "same"
    world.clock.now = NOW + timedelta(days=1)
    assert query(service, world).content["grant"] == limited.id


def test_refused_and_other_calls_do_not_count(service, world, limited):
    query(service, world)
    query(service, world, matter="SX001")
    with pytest.raises(RefusedError):
        query(service, world, fields=["address"])
    assert query(service, world).content["grant"] == limited.id


def test_a_grant_that_is_not_used_up_answers_in_its_place(service, world, limited):
    spare = give(
        world.settings,
        service.control,
        service.evidence,
        make_grant(world.list, id="G3", purposes=("SX002",), fields=("citizen_id", "birth"), masks=()),
    )
    grants = [query(service, world).content["grant"] for _ in range(TWO + 1)]
    assert grants == ["G2,G3", "G2,G3", spare.id]
    last = query(service, world)
    assert set(last.content["records"][0]) == {"citizen_id", "birth"}
    assert replay(world.settings, last.receipt.index).verdict == "same"


def test_another_process_counts_the_same(service, world, limited):
    query(service, world)
    other = Service.open(world.settings, clock=world.clock)
    try:
        query(other, world)
    finally:
        other.close()
    with pytest.raises(RefusedError):
        query(service, world)
