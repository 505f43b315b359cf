from __future__ import annotations

import zlib
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.entry import Entry
from licence.status import SHARD_SLOTS, Status, StatusList
from licence.status.events import read_event
from licence.status.projection import MAX_SHARDS, Projection, SlotIndex, count_statuses
from tests.licence import world as w

SLOTS = 16
DIGEST = "sha256:" + "0" * 64
NOISE = Entry("grant.given", w.ISSUED, "a", "", "R1", "", {"text": '"kind":"licence.issued"'}).encode()


def uri(shard):
    return f"https://licences.city.example/status/{shard}"


def issued(name, shard=1, idx=0, **facts):
    base = {"licence": name, "credential": DIGEST, "kind": "K", "status": {"uri": uri(shard), "idx": idx}}
    return Entry("licence.issued", w.ISSUED, "a", "", "R1", "", base | facts).encode()


def changed(name, state="03", action="revoke", **facts):
    base = {"licence": name, "action": action, "state": state}
    return Entry("licence.status", w.AT, "a", "", "R1", "", base | facts).encode()


@st.composite
def logs(draw):
    entries, licences = [], []
    for step in draw(st.lists(st.integers(0, 9), max_size=60)):
        if step < 4:
            licences.append(f"L{len(licences)}")
            shard, idx = divmod(len(licences) - 1, SLOTS)
            entries.append(issued(licences[-1], shard, idx))
        elif step < 8 and licences:
            name = draw(st.sampled_from(licences))
            entries.append(
                changed(name, *draw(st.sampled_from([("02", "suspend"), ("01", "resume"), ("07", "revoke")])))
            )
        else:
            entries.append(NOISE)
    return entries


@settings(max_examples=25, deadline=None)
@given(logs(), st.data())
def test_batches_do_not_show(entries, data):
    whole = Projection.of(entries, slots=SLOTS)
    parts = Projection(SLOTS)
    while parts.position < len(entries):
        step = data.draw(st.integers(1, 7))
        before = parts.lists
        touched = parts.apply(entries[parts.position : parts.position + step])
        assert {u for u, found in parts.lists.items() if before.get(u) != found} <= touched
    assert (parts.lists, parts.counts(), parts.faults) == (whole.lists, whole.counts(), whole.faults)


@settings(max_examples=25, deadline=None)
@given(logs())
def test_the_lists_are_those_built_from_the_states(entries):
    states, places = {}, {}
    for index, data in enumerate(entries):
        event = read_event(data, index)
        if event is None:
            continue
        if hasattr(event, "status"):
            places[event.licence] = event.status
            states[event.licence] = 0
        elif states[event.licence] != 1:
            states[event.licence] = {"01": 0, "02": 2, "07": 1}[event.state]
    found = Projection.of(entries, slots=SLOTS)
    for name in {p.uri for p in places.values()}:
        mine = {p.idx: states[n] for n, p in places.items() if p.uri == name}
        assert found.lists[name] == StatusList.build(SLOTS, mine)
    assert [found.counts()[s] for s in Status] == [list(states.values()).count(s) for s in Status]


def test_two_revocations_at_once_are_one():
    once = Projection.of([issued("A"), changed("A")], slots=SLOTS)
    twice = Projection.of([issued("A"), changed("A")], slots=SLOTS)
    assert twice.apply([changed("A", "07", "withdraw")]) == frozenset()
    assert twice.lists == once.lists
    assert not twice.faults


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([issued("A"), changed("A"), changed("A", "01", "resume")], "projection_left_invalid"),
        ([issued("A"), changed("A"), changed("A", "02", "suspend")], "projection_left_invalid"),
        ([changed("A")], "projection_licence_unknown"),
        ([issued("A"), issued("A", idx=1)], "projection_issued_twice"),
        ([issued("A"), issued("B")], "projection_slot_shared"),
        ([issued("A", idx=SLOTS)], "projection_index_outside"),
        ([issued("A", status={"uri": uri(1), "idx": True})], "licence_entry_malformed"),
        ([issued("A", status={"uri": uri(1), "idx": -1})], "licence_entry_malformed"),
        ([issued("A", credential="sha256:1")], "licence_entry_malformed"),
        ([issued(5)], "licence_entry_malformed"),
        ([issued("A"), changed("A", "08")], "licence_entry_malformed"),
        ([issued("A"), changed("A", action="eat")], "licence_entry_malformed"),
        ([b' {"kind":"licence.issued"}'], "licence_entry_malformed"),
        ([b'"kind":"licence.status"' + b"[" * 60_000], "licence_entry_malformed"),
    ],
)
def test_what_cannot_be_right_changes_nothing_and_is_told(entries, code):
    sound = Projection.of(entries[:-1], slots=SLOTS)
    found = Projection.of(entries, slots=SLOTS)
    assert [f.code for f in found.faults] == [code]
    assert found.faults[0].where == f"entry {len(entries) - 1}"
    assert found.faults[0].text("zh") != found.faults[0].text("en")
    assert (found.lists, found.counts()) == (sound.lists, sound.counts())
    assert found.position == len(entries)


def test_lists_are_bounded():
    found = Projection.of([issued(f"L{n}", n) for n in range(MAX_SHARDS + 1)], slots=SLOTS)
    assert len(found.lists) == MAX_SHARDS
    assert [f.code for f in found.faults] == ["projection_too_many_lists"]


def test_an_index_of_slots_keeps_what_was_put_first():
    index = SlotIndex()
    assert all(index.put(f"L{n}", n) is None for n in range(5000))
    assert [index.get(f"L{n}") for n in range(5000)] == list(range(5000))
    assert index.put("L7", 9) == 7
    assert (index.get("L7"), index.get("L5000"), len(index)) == (7, None, 5000)


def test_statuses_are_counted():
    packed = StatusList.build(8, {0: 1, 3: 2, 4: 1, 7: 3}).packed
    assert count_statuses(packed) == {Status.VALID: 4, Status.INVALID: 2, Status.SUSPENDED: 1}


def test_twenty_million_entries_of_which_one_in_a_hundred_is_revoked_take_300_kb():
    total = 0
    for seed in range(3):
        revoked = Random(seed).sample(range(SHARD_SLOTS), SHARD_SLOTS // 100)
        total += len(zlib.compress(StatusList.build(SHARD_SLOTS, dict.fromkeys(revoked, 1)).packed, 9))
    assert total / 3 * 20_000_000 / SHARD_SLOTS <= 300_000


def test_the_time_of_an_entry_is_kept():
    event = read_event(changed("A"), 7)
    assert (event.index, event.at - w.ISSUED) == (7, timedelta(hours=2))
    assert read_event(NOISE, 1) is None
