from __future__ import annotations

from datetime import timedelta

import pytest

from audit.entry import Entry
from audit.searchindex import Newest
from audit.searching import Query
from hub.auditsearch import Desk, Found, lookup_of, replay_all
from hub.errors import EvidenceUnavailableError
from hub.evidence import log_verifiers
from tests.hub.auditing.conftest import MONDAY
from tests.hub.world import CODE, EMPTY_CODE, IDS, MATTER


def found(desk, **query):
    desk.cover()
    return [hit.index for hit in desk.search(Query(**query))]


def last(service):
    return Entry.decode(service.evidence.log.entry(service.evidence.log.size - 1))


def test_calls_are_found_by_everything_that_their_entries_say(service, world, calls, desk):
    one, other = calls(), calls(keys={"citizen_id": IDS[1]})
    refused, unknown = calls(purpose={"matter": "SX002"}), calls(key="wrong")
    many = calls(keys=[{"citizen_id": IDS[0]}, {"citizen_id": IDS[2]}])
    person = service.evidence.subject({"citizen_id": IDS[0]})
    assert found(desk(), subjects=(person,), kinds=("invocation.",)) == [one, refused, many]
    assert found(desk(), outcomes=("denied",)) == [refused, unknown]
    assert found(desk(), kinds=("invocation.answered",), resources=(CODE,), purposes=(MATTER,)) == [one, other, many]
    assert found(desk(), actors=("unknown",)) == [unknown]
    assert found(desk(), kinds=("invocation.",), since=MONDAY + timedelta(seconds=1)) == []


def test_every_question_is_recorded_before_it_is_answered(service, desk, calls):
    calls()
    person = service.evidence.subject({"citizen_id": IDS[0]})
    given = desk()
    hits = given.search(Query(subjects=(person,), actors=("RS",)), reading=True)
    entry = last(service)
    assert (entry.kind, entry.actor, entry.subject) == ("audit.searched", "RS:auditor", person)
    assert entry.facts == {"view": "search", "query": {"actors": ["RS"]}, "size": given.log.size}
    assert len(list(hits)) == 1
    # Whoever looks for the person finds who looked for them.
    assert found(desk(), subjects=(person,), kinds=("audit.searched",)) == [service.evidence.log.size - 2]


def test_what_cannot_be_recorded_is_not_answered(service, desk, monkeypatch):
    def unavailable(*args, **kwargs):
        raise EvidenceUnavailableError

    given = desk()
    monkeypatch.setattr(service.evidence, "append", unavailable)
    with pytest.raises(EvidenceUnavailableError):
        given.search(Query())
    with pytest.raises(EvidenceUnavailableError):
        given.draw("seed", 5, Query())


def test_the_newest_are_found_first_and_asking_for_them_is_recorded(service, desk, calls, monkeypatch):
    made = [calls(), calls(keys={"citizen_id": IDS[1]}), calls(purpose={"matter": "SX002"})]
    query, person = Query(kinds=("invocation.",)), service.evidence.subject({"citizen_id": IDS[0]})
    found = desk().newest(query, skip=1, limit=2)
    assert (found.total, found.more, [hit.index for hit in found.hits]) == (3, False, made[1::-1])
    assert last(service).facts["query"] == {"kinds": ["invocation."]}
    assert [
        hit.index for hit in desk().newest(Query(subjects=(person,), outcomes=("answered",)), skip=0, limit=9).hits
    ] == [made[0]]
    # Where the index cannot be written, the log itself says the same.
    given = desk()
    monkeypatch.setattr(Desk, "cover", lambda self: False)
    found = given.newest(query, skip=1, limit=2)
    assert (found.total, found.more, [hit.index for hit in found.hits]) == (3, False, made[1::-1])


def test_what_a_false_index_names_is_not_shown(service, desk, calls, monkeypatch):
    calls()
    given = desk()
    monkeypatch.setattr(given.index, "newest", lambda query, skip, limit: Newest(2, False, [0, 1]))
    assert given.newest(Query(kinds=("invocation.",)), skip=0, limit=9) == Found(2, more=False, hits=[])


def test_over_copied_files_nothing_is_recorded(service, world, desk, calls):
    one = calls()
    desk()
    size = service.evidence.log.size
    away = Desk.away(world.settings.log, log_verifiers(world.settings))
    assert [hit.index for hit in away.search(Query(kinds=("invocation.",)))] == [one]
    assert service.evidence.log.size == size


def test_an_index_that_cannot_be_written_is_done_without(service, world, calls, tmp_path):
    one = calls()
    service.evidence.publish()
    away = Desk.away(world.settings.log, log_verifiers(world.settings), tmp_path / "none" / "index")
    assert not away.cover()
    assert [hit.index for hit in away.search(Query(kinds=("invocation.",)), reading=True)] == [one]


def test_values_are_hashed_in_the_form_in_which_they_are_looked_up(world):
    wide = "".join(chr(ord(c) + 0xFEE0) for c in IDS[0].lower())
    assert lookup_of(world.list, {"citizen_id": f" {wide} "}) == {"citizen_id": IDS[0]}
    assert lookup_of(world.list, {"birth": "1990/1/5"}, EMPTY_CODE) == {"birth": "1990-01-05"}
    assert lookup_of(world.list, {"nothing": " x "}) == {"nothing": "x"}


def test_a_sample_is_done_again_entry_by_entry(service, world, desk, calls):
    for number in range(3):
        calls(keys={"citizen_id": IDS[number]})
    given = desk()
    drawn = given.draw("2026", 100, Query(kinds=("invocation.", "grant.given")))
    assert last(service).facts["seed"] == "2026"
    results = {one.index: one for one in replay_all(world.settings, given.log, drawn)}
    assert sorted(one.verdict for one in results.values()) == ["logged", "same", "same", "same"]
    service.evidence.bodies.erase(Entry.decode(given.log.entry(max(drawn))).body_digest)
    again = {one.index: one.verdict for one in replay_all(world.settings, given.log, drawn)}
    assert again[max(drawn)] == "incomplete"
    assert results[max(drawn)].to_plain()["verdict"] == "same"
