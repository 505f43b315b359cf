"""Several sets of keys in one call."""

from __future__ import annotations

import json

import pytest

from audit.entry import Entry
from hub.auditing import replay
from hub.invocation import RefusedError
from hub.requests import MAX_SETS
from hub.usage import Usage
from tests.hub.world import ABSENT, CODE, IDS, NOW, body


def ask(service, world, sets, **changes):
    return service.invocation.query(world.key, CODE, json.dumps(body(keys=sets, **changes)).encode())


def by(*people):
    return [{"citizen_id": person} for person in people]


def test_each_set_is_answered_in_its_place(service, world):
    answer = ask(service, world, by(IDS[1], ABSENT, IDS[0], IDS[1]), fields=["name"])
    names = [[record["name"] for record in one["records"]] for one in answer.content["answers"]]
    assert names == [["欧阳**"], [], ["张**"], ["欧阳**"]]
    assert "records" not in answer.content
    assert answer.content["masked"] == {"name": "surname"}


def test_the_entry_names_every_subject_and_counts_as_many_uses(service, world):
    answer = ask(service, world, by(IDS[0], IDS[1]))
    entry = Entry.decode(answer.receipt.leaf)
    assert (entry.subject, entry.facts["count"]) == ("", 2)
    assert entry.facts["subjects"] == [service.evidence.subject({"citizen_id": one}) for one in IDS[:2]]
    assert Usage(service.control, service.evidence.log).today("G1", NOW) == 2


def test_it_is_answered_alike_when_it_is_done_again(service, world):
    answer = ask(service, world, by(*IDS, ABSENT))
    assert replay(world.settings, answer.receipt.index).verdict == "same"


def test_one_set_may_fit_too_many_and_the_others_are_answered(service, world, monkeypatch):
    monkeypatch.setattr("hub.answers.MAX_RECORDS", 2)
    monkeypatch.setattr("hub.invocation.MAX_RECORDS", 2)
    answer = ask(service, world, [{"household": "H2"}, {"household": "H1"}])
    first, second = answer.content["answers"]
    assert first == {"problem": "too_many_records"}
    assert len(second["records"]) == 2
    assert replay(world.settings, answer.receipt.index).verdict == "same"


@pytest.mark.parametrize(
    "sets",
    [
        [],
        [{}],
        [{"citizen_id": IDS[0]}, {"household": "H1"}],
        [{"citizen_id": IDS[0]}, "x"],
        [{"citizen_id": IDS[0]}] * (MAX_SETS + 1),
    ],
)
def test_sets_that_do_not_belong_together_are_refused(service, world, sets):
    with pytest.raises(RefusedError) as caught:
        ask(service, world, sets)
    assert caught.value.cause.code == "request_invalid"
    assert not any(one in str(caught.value.cause) for one in IDS)


def test_a_swap_of_the_index_between_two_sets_is_never_mixed(service, world, monkeypatch):
    from warehouse.lookup import Found, Lookup

    look, snapshots = Lookup.look, iter([1, 2, 3, 3])

    def swapped(self, field, value, limit=100):
        return Found(next(snapshots), look(self, field, value, limit).rows)

    monkeypatch.setattr(Lookup, "look", swapped)
    sets = [{"citizen_id": IDS[n], "household": "H1"} for n in (0, 1)]
    answer = ask(service, world, sets)
    assert answer.content["snapshot"] == "3"
    assert [len(one["records"]) for one in answer.content["answers"]] == [1, 1]


def test_sets_of_several_fields_are_compared_whole(service, world):
    answer = ask(service, world, [{"citizen_id": IDS[0], "household": "H1"}, {"citizen_id": IDS[0], "household": "H2"}])
    assert [len(one["records"]) for one in answer.content["answers"]] == [1, 0]
    assert replay(world.settings, answer.receipt.index).verdict == "same"
