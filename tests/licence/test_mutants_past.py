"""Histories handed to a verifier: which of them speaks for a past time, and what is noted of each."""

from __future__ import annotations

from datetime import timedelta

import pytest

from licence.model import StatusRef
from licence.past import past_tokens
from licence.status.history import StatusHistory, to_json
from tests.licence import world as w
from tests.licence.test_status_history import make

HOUR = timedelta(hours=1)
LISTED = StatusRef(w.STATUS_URI, w.IDX)


@pytest.fixture(scope="module")
def versions(world):
    return make(world)


@pytest.fixture(scope="module")
def text(versions):
    return to_json(w.STATUS_URI, versions)


def told(notes):
    return [(n.code, dict(n.params)) for n in notes]


def test_the_version_in_force_then_is_given_with_its_place_in_the_log(world, versions, text):
    tokens, notes = past_tokens([text], LISTED, world.trust, w.ISSUED + 1.5 * HOUR)
    assert tokens == [("history 1", versions[1].token)]
    place = {
        "source": "history 1",
        "logged": "2025-03-01T09:01:00Z",
        "index": "1",
        "origin": "log.city.example",
    }
    assert told(notes) == [("status_closed", place)]


def test_the_last_version_is_only_the_last_known(world, versions, text):
    tokens, notes = past_tokens([text], LISTED, world.trust, w.ISSUED + 3 * HOUR)
    assert tokens == [("history 1", versions[2].token)]
    assert [n.code for n in notes] == ["status_last_known"]


def test_other_lists_are_passed_over_and_a_broken_one_is_noted_by_its_place(world, versions, text):
    other = to_json("https://other.example/status/1", versions)
    at = w.ISSUED + HOUR / 2
    tokens, notes = past_tokens([other, "junk", text], LISTED, world.trust, at)
    assert tokens == [("history 3", versions[0].token)]
    (code, params), (following, _) = told(notes)
    assert (code, params["source"], following) == ("status_token_ignored", "history 2", "status_closed")
    assert params["why"] == "json_invalid"
    assert "claim" in params


def test_why_a_history_says_nothing_is_told(world, text):
    tokens, notes = past_tokens([text], LISTED, world.trust, w.ISSUED - HOUR)
    assert tokens == []
    code, params = told(notes)[0]
    assert (code, params["why"], params["claim"]) == ("status_token_ignored", "history_before_first", "")
    assert params["first"] == "2025-03-01T08:01:00Z"


def test_evidence_speaks_only_for_the_version_whose_token_it_holds(world, versions):
    at = w.ISSUED + 1.5 * HOUR
    evidence = StatusHistory.verified(w.STATUS_URI, versions, world.trust).evidence_at(at)
    handed_on = to_json(w.STATUS_URI, evidence)
    assert past_tokens([handed_on], LISTED, world.trust, at)[0] == [("history 1", versions[1].token)]
    tokens, notes = past_tokens([handed_on], LISTED, world.trust, w.ISSUED + 3 * HOUR)
    assert tokens == []
    assert dict(notes[0].params)["why"] == "history_token_missing"


def test_times_of_the_log_are_told_to_the_second(world):
    times = [w.ISSUED + n * HOUR + timedelta(minutes=1, microseconds=5) for n in range(3)]
    _, notes = past_tokens([to_json(w.STATUS_URI, make(world, times=times))], LISTED, world.trust, w.ISSUED + HOUR / 2)
    assert dict(notes[0].params)["logged"] == "2025-03-01T08:01:00Z"
