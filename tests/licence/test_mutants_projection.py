"""The fold of the log, place by place: what is touched, counted, bounded and told."""

from __future__ import annotations

import pytest

from audit.entry import Entry
from licence.model import StatusRef
from licence.status import Status
from licence.status.events import Changed, Issued
from licence.status.projection import Projection, SlotIndex, count_statuses
from tests.licence import world as w
from tests.licence.test_status_projection import DIGEST, NOISE, changed, issued, uri

SLOTS = 10


def bound(name, shard=1, idx=0):
    facts = {"licence": name, "credential": DIGEST, "kind": "K", "status": {"uri": uri(shard), "idx": idx}}
    return Entry("licence.bound", w.AT, "a", "", "R1", "", facts).encode()


def fold(*entries, slots=SLOTS):
    return Projection.of(entries, slots=slots)


def faults(projection):
    return [(f.where, f.code, dict(f.params)) for f in projection.faults]


class TestSlotIndex:
    def test_it_grows_when_it_is_three_quarters_full(self):
        index = SlotIndex()
        for n in range(768):
            index.put(f"L{n}", n)
        assert index._capacity == 1024
        index.put("L768", 768)
        assert index._capacity == 2048
        assert (len(index._keys), len(index._numbers)) == (2048, 2048)
        assert [index.get(f"L{n}") for n in range(770)] == [*range(769), None]

    def test_it_tells_how_many_it_holds(self):
        index = SlotIndex()
        assert len(index) == 0
        assert (index.put("A", 3), index.put("A", 4), index.put("B", 5)) == (None, 3, None)
        assert (len(index), index.get("A"), index.get("B"), index.get("C")) == (2, 3, 5, None)

    def test_numbers_below_two_to_the_63_are_kept(self):
        index = SlotIndex()
        index.put("A", 2**63 - 1)
        index.put("B", 0)
        assert (index.get("A"), index.get("B"), index.put("B", 1)) == (2**63 - 1, 0, 0)

    def test_a_place_that_is_taken_is_passed_by_even_at_the_end(self, monkeypatch):
        keys = {"A": 1023, "B": 1023 + 1024, "C": 1023 + 2048, "D": 1023 + 4096}
        monkeypatch.setattr("licence.status.projection._key", keys.__getitem__)
        index = SlotIndex()
        for n, name in enumerate("ABC"):
            assert index.put(name, n) is None
        assert [index.get(name) for name in "ABCD"] == [0, 1, 2, None]
        assert [place for place in range(1024) if index._keys[place]] == [0, 1, 1023]

    def test_no_identifier_is_taken_for_an_empty_place(self, monkeypatch):
        class Zero:
            @staticmethod
            def digest():
                return bytes(32)

        monkeypatch.setattr("licence.status.projection.hashlib.sha256", lambda _: Zero)
        index = SlotIndex()
        assert index.put("A", 5) is None
        assert index.get("A") == 5
        assert [place for place in range(1024) if index._keys[place]] == [1]

    def test_what_is_kept_is_the_first_eight_bytes_of_the_digest(self):
        index = SlotIndex()
        index.put("A", 5)
        assert set(index._keys) == {0, 0x559AEAD08264D579}


class TestSteps:
    def test_each_entry_is_told_with_the_list_it_touches(self):
        made = Projection(SLOTS)
        event, touched = made.step(issued("A", idx=9))
        assert isinstance(event, Issued)
        assert (touched, made.issued, made.position) == (uri(1), 1, 1)
        event, touched = made.step(changed("A"))
        assert isinstance(event, Changed)
        assert (touched, made.changed, made.position) == (uri(1), 1, 2)
        # The same once more counts and touches nothing.
        assert (made.step(changed("A"))[1], made.changed) == ("", 2)
        assert made.step(NOISE) == (None, "")
        assert made.step(changed("B")) == (None, "")
        assert (made.position, made.fault_count) == (5, 1)

    def test_lists_that_nothing_touched_are_not_named(self):
        made = Projection(SLOTS)
        assert made.apply([NOISE]) == frozenset()
        assert made.apply([issued("A", 1), issued("B", 2), NOISE]) == {uri(1), uri(2)}
        assert made.apply([changed("B", "02", "suspend")]) == {uri(2)}

    def test_a_wallets_version_names_the_place_of_its_licence_while_that_is_in_force(self):
        made = fold(issued("A", idx=3), issued("B", idx=4), bound("A", idx=3))
        assert (made.bound, made.faults) == (1, [])
        assert made.step(bound("A", idx=3))[1] == ""
        assert made.bound == 2
        for entry, code in (
            (bound("C", idx=3), "projection_bound_unknown"),
            (bound("A", idx=4), "projection_bound_elsewhere"),
            (bound("A", 2, idx=3), "projection_bound_elsewhere"),
        ):
            assert made.step(entry) == (None, "")
            assert made.faults[-1].code == code
        made.step(changed("A", "02", "suspend"))
        made.step(bound("A", idx=3))
        assert made.faults[-1].code == "projection_bound_not_in_force"
        assert made.bound == 2

    def test_places_are_counted_through_all_lists(self):
        made = fold(issued("A", 1, 9), issued("B", 2, 0), issued("C", 2, 9))
        assert [made.place(name) for name in "ABCD"] == [9, 10, 19, None]
        assert [made.reference(n) for n in (9, 10, 19)] == [
            StatusRef(uri(1), 9), StatusRef(uri(2), 0), StatusRef(uri(2), 9),
        ]  # fmt: skip

    def test_the_bytes_of_a_list_hold_two_bits_for_each_place(self):
        made = fold(issued("A", idx=0), issued("B", idx=5), issued("C", idx=9))
        assert (len(made.packed(uri(1))), made.packed(uri(2))) == (3, b"")
        made.apply([changed("A"), changed("B", "02", "suspend"), changed("C")])
        assert made.packed(uri(1)) == bytes([0b01, 0b1000, 0b0100])
        made.apply([changed("B", "01", "resume")])
        assert made.packed(uri(1)) == bytes([0b01, 0, 0b0100])
        assert made.lists[uri(1)].packed == made.packed(uri(1))
        assert made.counts() == {Status.VALID: 1, Status.INVALID: 2, Status.SUSPENDED: 0}

    @pytest.mark.parametrize("slots", [7, 8, 9])
    def test_a_list_has_as_many_places_as_it_was_given(self, slots):
        made = fold(*(issued(f"L{n}", idx=n) for n in range(slots)), slots=slots)
        assert (made.issued, made.faults) == (slots, [])
        assert [len(shard.taken) for shard in made._shards] == [(slots + 7) // 8]
        assert len(made.packed(uri(1))) == (slots + 3) // 4
        made.step(issued("X", idx=slots))
        assert made.faults[0].code == "projection_index_outside"
        for n in range(slots):
            made.step(issued(f"Y{n}", idx=n))
        assert [f.code for f in made.faults[1:]] == ["projection_slot_shared"] * slots


class TestFaults:
    def test_a_fault_says_where_what_and_how_much(self):
        made = fold(issued("A"), issued("B", idx=10), issued("B"), issued("A", idx=1), changed("C"), bound("C"))
        assert faults(made) == [
            ("entry 1", "projection_index_outside", {"index": "1", "idx": "10", "slots": "10"}),
            ("entry 2", "projection_slot_shared", {"index": "2", "idx": "0", "uri": uri(1)}),
            ("entry 3", "projection_issued_twice", {"index": "3", "licence": "A"}),
            ("entry 4", "projection_licence_unknown", {"index": "4", "licence": "C"}),
            ("entry 5", "projection_bound_unknown", {"index": "5", "licence": "C"}),
        ]
        made.apply(
            [changed("A"), changed("A", "01", "resume"), bound("A"), bound("A", idx=1), b'"kind":"licence.bound"']
        )
        assert faults(made)[5:] == [
            ("entry 7", "projection_left_invalid", {"index": "7", "licence": "A"}),
            ("entry 8", "projection_bound_not_in_force", {"index": "8", "licence": "A"}),
            ("entry 9", "projection_bound_elsewhere", {"index": "9", "licence": "A"}),
            ("entry 10", "licence_entry_malformed", {"index": "10", "fact": "-"}),
        ]
        assert all(f.text("zh") != f.text("en") for f in made.faults)

    def test_a_licence_that_was_refused_takes_no_list(self):
        made = fold(issued("A"), issued("A", 2))
        assert list(made.lists) == [uri(1)]
        assert made.step(issued("B", 2, 3))[1] == uri(2)

    def test_a_thousand_faults_are_kept_and_all_are_counted(self):
        made = fold(*(changed("X") for _ in range(1001)))
        assert (len(made.faults), made.fault_count, made.position) == (1000, 1001, 1001)
        # Whether an entry can be right is told past that too.
        assert made.step(changed("X")) == (None, "")

    def test_256_lists_are_the_most_and_the_refusal_says_so(self):
        made = fold(*(issued(f"L{n}", n) for n in range(257)))
        assert faults(made) == [("entry 256", "projection_too_many_lists", {"index": "256", "limit": "256"})]
        assert made.place("L256") is None
        # A place in a list that is there is still given.
        assert made.step(issued("X", 3, 1))[1] == uri(3)


def test_each_of_four_places_in_a_byte_is_counted():
    assert count_statuses(bytes([0b01100001, 0b11111111, 0b10])) == {
        Status.VALID: 4, Status.INVALID: 2, Status.SUSPENDED: 2,
    }  # fmt: skip
    assert count_statuses(b"") == dict.fromkeys(Status, 0)
