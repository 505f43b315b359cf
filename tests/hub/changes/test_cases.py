"""Corrections and recalls in the feed: of records that the follower sees, once it has the records themselves."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from catalog.correction import Fault, Ground
from hub import corrections, recall
from hub.actors import Actor
from hub.changes.cases import SETTLED_AFTER
from hub.corrections import Claim
from hub.recall import Wrong
from tests.hub.changes.parts import CODE
from tests.hub.databases import POSTGRESQL, SQLITE
from warehouse.engine import Warehouse

on_both = pytest.mark.parametrize("database", [SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.service(POSTGRESQL))])
CONSUMER, PROVIDER = Actor("RS", "window"), Actor("GA", "data-officer")
INSIDE, OUTSIDE = ("1", "张三", "10.00", "x"), ("3", "李四", "10.00", "x")


@pytest.fixture
def town(town):
    town.give(rows=["county in 1, 2"])
    town.houses.load({"a": INSIDE, "b": OUTSIDE, "c": INSIDE})
    return town


def ask(town, cursor="now", **members):
    body = {"purpose": {"matter": "SX001"}, "cursor": cursor, **members}
    return town.feed.page(town.caller, CODE, json.dumps(body).encode()).content


def settled(town):
    town.clock.now += SETTLED_AFTER


def accepted(town, number, fields=("owner",), fault=Fault.WRONG_VALUE):
    claim = Claim(CODE, fault, "不对", "应更正", "见附件", (("number", number),) if number else (), fields)
    case = corrections.submit(town.office, claim, actor=CONSUMER)
    return corrections.accept(town.office, case.id, actor=PROVIDER, mend_by=town.clock.now.date())


@on_both
def test_an_accepted_correction_of_a_record_in_its_rows_is_told_once_it_is_settled(town):
    start = ask(town)["cursor"]
    case = accepted(town, "a")
    waiting = ask(town, start)
    assert (waiting["events"], waiting["cursor"]) == ([], start)
    settled(town)
    page = ask(town, start)
    (event,) = page["events"]
    assert (event["kind"], event["case"], event["fields"]) == ("correction", case.id, ["owner"])
    assert event["key"] == {"number": "a"}
    assert event["until"] == town.clock.now.date().isoformat()
    assert "张" not in json.dumps(page, ensure_ascii=False)
    assert ask(town, start) == page
    assert ask(town, page["cursor"])["events"] == []


def test_a_record_outside_its_rows_and_a_field_it_does_not_see_are_not_told_of(town):
    start = ask(town)["cursor"]
    accepted(town, "b")
    accepted(town, "c", fields=("secret",))
    settled(town)
    page = ask(town, start)
    assert page["events"] == []
    # But the cursor passes them, so that they are not looked at again and again.
    assert page["cursor"] != start


def test_what_was_not_accepted_is_not_told(town):
    start = ask(town)["cursor"]
    claim = Claim(CODE, Fault.WRONG_VALUE, "不对", "应更正", "见附件", (("number", "a"),), ("owner",))
    case = corrections.submit(town.office, claim, actor=CONSUMER)
    corrections.reject(town.office, case.id, actor=PROVIDER, ground=Ground.CORRECT, answer="经核实无误")
    settled(town)
    assert ask(town, start)["events"] == []


def test_it_comes_after_the_record_itself_and_page_by_page(town):
    start = ask(town)["cursor"]
    town.houses.load({"a": INSIDE, "b": OUTSIDE, "c": INSIDE, "d": INSIDE})
    first, second = accepted(town, "d"), accepted(town, "a")
    settled(town)
    kinds, cursor = [], start
    for _ in range(3):
        page = ask(town, cursor, limit=1)
        kinds += [(event["kind"], event.get("case")) for event in page["events"]]
        cursor = page["cursor"]
    assert kinds == [("insert", None), ("correction", first.id), ("correction", second.id)]
    assert not page["more"]


def test_a_correction_of_the_whole_resource_names_no_record(town):
    start = ask(town)["cursor"]
    accepted(town, "", fields=("county", "secret"), fault=Fault.STRUCTURE)
    settled(town)
    (event,) = ask(town, start)["events"]
    assert event["fields"] == ["county"]
    assert not event.keys() & {"record", "key"}


def recalled(town, number, fields=()):
    since = town.clock.now - timedelta(days=400)
    return recall.issue(town.office, Wrong(CODE, (("number", number),), fields), actor=PROVIDER, since=since)


@on_both
def test_a_recall_is_told_of_the_records_it_sees(town):
    start = ask(town)["cursor"]
    case = recalled(town, "a", ("owner",))
    recalled(town, "b")
    settled(town)
    (event,) = ask(town, start)["events"]
    assert (event["kind"], event["case"], event["fields"]) == ("recall", case.id, ["owner"])
    assert event["key"] == {"number": "a"}


def test_a_recall_is_told_of_a_record_that_it_saw_in_the_period_and_that_is_gone(town, monkeypatch):
    start = ask(town)["cursor"]
    seen = town.houses.house.current_snapshot(CODE)
    town.houses.load({"a": INSIDE, "b": OUTSIDE, "c": OUTSIDE})
    case = recalled(town, "c")
    settled(town)
    assert [event["kind"] for event in ask(town, start)["events"]] == ["delete"]
    # Snapshots have the time of the machine; let the period of the recall reach back to the first one.
    monkeypatch.setattr(Warehouse, "snapshot_at", lambda self, code, moment: seen)
    assert [(e["kind"], e.get("case")) for e in ask(town, start)["events"]] == [("delete", None), ("recall", case.id)]


@on_both
def test_who_begins_now_is_not_told_of_old_cases(town):
    accepted(town, "a")
    settled(town)
    start = ask(town)["cursor"]
    settled(town)
    assert ask(town, start)["events"] == []
    # One that was not settled when it began is told, rather than lost between the two.
    accepted(town, "c")
    start = ask(town)["cursor"]
    settled(town)
    assert [event["kind"] for event in ask(town, start)["events"]] == ["correction"]
