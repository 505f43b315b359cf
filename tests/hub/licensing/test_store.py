"""The store of sealed licences: what is appended is found again, torn tails are harmless, damage is named."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.licensing.errors import StoreDamagedError
from hub.licensing.store import HEAD, MAGIC, MAX_RECORD_BYTES, Place, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", segment_bytes=1000)


def test_what_is_appended_is_read_again_by_another_process_too(store):
    places = store.append([b"one", b"two", b"three"])
    again = Store(store.folder, segment_bytes=1000)
    assert [again.read(place) for place in places] == [b"one", b"two", b"three"]
    assert store.append([]) == []
    (more,) = again.append([b"four"])
    (last,) = store.append([b"five"])
    assert [store.read(p) for p in (more, last, *places)] == [b"four", b"five", b"one", b"two", b"three"]
    assert store.walk(1).records == 5


@settings(max_examples=25)
@given(groups=st.lists(st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=5), max_size=8))
def test_any_groups_come_back(tmp_path_factory, groups):
    store = Store(tmp_path_factory.mktemp("s"), segment_bytes=1000)
    kept = [(place, content) for group in groups for place, content in zip(store.append(group), group, strict=True)]
    assert all(store.read(place) == content for place, content in kept)
    states = [store.walk(segment) for segment in store.segments()]
    assert sum(state.records for state in states) == len(kept)
    assert not any(state.torn for state in states)


def test_segments_are_full_at_their_size_and_for_their_owner_alone(store):
    places = [store.append([b"x" * 300])[0] for _ in range(7)]
    assert [p.segment for p in places] == [1, 1, 2, 2, 3, 3, 4] or len({p.segment for p in places}) > 2
    assert all(store.path(s).stat().st_size <= 1000 for s in store.segments())
    assert {stat.S_IMODE(store.path(s).stat().st_mode) for s in store.segments()} == {0o600}
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("torn", [1, HEAD.size - 1, HEAD.size, HEAD.size + 5])
def test_after_a_torn_tail_the_next_segment_takes_over(store, torn):
    (first,) = store.append([b"first"])
    tail = HEAD.pack(b"ZTLR", 50, b"\0" * 32) + b"half"
    with store.path(1).open("ab") as file:
        file.write((tail + b"\0" * 10)[:torn])
    again = Store(store.folder, segment_bytes=1000)
    (second,) = again.append([b"second"])
    assert second.segment == 2
    assert again.walk(1).torn
    assert [again.read(first), again.read(second)] == [b"first", b"second"]


def test_what_the_disk_refused_is_taken_back(store, monkeypatch):
    (first,) = store.append([b"first"])
    size = store.path(1).stat().st_size

    def refuse(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            store.append([b"second"])
    assert store.path(1).stat().st_size == size
    (third,) = store.append([b"third"])
    assert third.segment == 1
    assert store.read(first) == b"first"


def test_each_flipped_byte_of_a_record_is_found(store):
    (place, other) = store.append([b"some licence", b"another"])
    whole = store.path(1).read_bytes()
    for at in range(place.offset, place.offset + HEAD.size + place.length):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        store.path(1).write_bytes(damaged)
        with pytest.raises(StoreDamagedError) as found:
            store.read(place)
        assert "00000001.segment" in found.value.text("zh")
        assert store.read(other) == b"another"


@pytest.mark.parametrize("place", [Place(9, len(MAGIC), 3), Place(1, 5, 3), Place(1, len(MAGIC), 4), Place(1, 900, 3)])
def test_a_place_that_holds_no_such_record_is_damage(store, place):
    store.append([b"one"])
    with pytest.raises(StoreDamagedError):
        store.read(place)


@pytest.mark.parametrize("content", [b"", b"x" * (MAX_RECORD_BYTES + 1)])
def test_what_no_record_holds_is_refused_before_anything_is_kept(store, content):
    with pytest.raises(ValueError, match="record"):
        store.append([b"good", content])
    assert store.segments() == []


def test_two_processes_at_once_lose_nothing(store):
    other = Store(store.folder, segment_bytes=1000)

    def run(which):
        keeper, name = which
        return [(p, c) for i in range(40) for c in [f"{name}{i}".encode()] for p in keeper.append([c])]

    with ThreadPoolExecutor(2) as pool:
        kept = [one for run_ in pool.map(run, [(store, "a"), (other, "b")]) for one in run_]
    assert len({place for place, _ in kept}) == 80
    assert all(store.read(place) == content for place, content in kept)
