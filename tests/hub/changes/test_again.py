"""Pages of changes done again from their evidence."""

from __future__ import annotations

import json

import pytest

from audit.entry import Entry
from hub.auditing import replay
from hub.invocation import RefusedError
from tests.hub.changes.parts import CODE
from tests.hub.world import end

ROW = ("1", "张三", "10.00", "x")
SAME = ["entry_read", "body_fits", "list_found", "decision_equal", "request_equal", "page_equal"]


def ask(town, **members):
    body = {"purpose": {"matter": "SX001", "case": "BJ-1"}, **members}
    return town.feed.page(town.caller, CODE, json.dumps(body).encode())


def codes(report):
    return [step.code for step in report.steps]


@pytest.fixture
def pages(town):
    """Three pages: the first at the end of the feed, and two over one load."""
    town.give()
    town.houses.load({"a": ROW, "b": ROW})
    first = ask(town)
    town.houses.load({"a": ("2", "张三", "10.00", "x"), "c": ROW})
    second = ask(town, cursor=first.content["cursor"], limit=2)
    third = ask(town, cursor=second.content["cursor"], limit=2)
    return [page.receipt.index for page in (first, second, third)]


def test_a_page_is_told_again_whatever_happened_since(town, pages):
    town.houses.load({"a": ("3", "李四", "11.00", "x")})
    end(town.settings, town.control, town.evidence, "G1")
    for index in pages:
        report = replay(town.settings, index)
        assert (codes(report), report.verdict) == (SAME, "same")
    assert "2 events" in replay(town.settings, pages[1]).text("en")


def test_a_feed_that_says_something_else_is_seen(town, pages, monkeypatch):
    from hub.changes.events import Viewer

    true = Viewer.shown
    monkeypatch.setattr(Viewer, "shown", lambda *args: {**true(*args), "county": "9"})
    report = replay(town.settings, pages[1])
    assert (codes(report)[-1], report.verdict) == ("page_differs", "different")


def test_changes_that_are_not_kept_any_more_are_said_to_be_gone(town, pages, monkeypatch):
    from warehouse.feed import Extent

    monkeypatch.setattr(Extent, "span_of", lambda self, seq: None)
    report = replay(town.settings, pages[1])
    assert (codes(report)[-1], report.verdict) == ("changes_missing", "incomplete")


def test_a_refusal_is_decided_again(town, pages):
    del pages
    with pytest.raises(RefusedError) as caught:
        ask(town, fields=["secret"])
    report = replay(town.settings, caught.value.receipt.index)
    assert (codes(report)[-1], report.verdict) == ("nothing_answered", "same")
    with pytest.raises(RefusedError) as caught:
        ask(town, limit=0)
    assert codes(replay(town.settings, caught.value.receipt.index))[-1] == "nothing_decided"


def test_a_sample_does_pages_again(town, pages):
    from audit.pinned import PinnedLog
    from hub.auditsearch import replay_all

    town.evidence.publish()
    log = PinnedLog(town.settings.log, [town.evidence.verifier])
    drawn = list(replay_all(town.settings, log, range(log.size)))
    assert {one.index: one.verdict for one in drawn if one.index in pages} == dict.fromkeys(pages, "same")
    assert {one.verdict for one in drawn} == {"same", "logged"}


def test_a_page_whose_body_went_is_said_to_be_gone(town, pages):
    entry = Entry.decode(town.evidence.log.entry(pages[1]))
    town.evidence.bodies.erase(entry.body_digest)
    assert codes(replay(town.settings, pages[1]))[-1] == "body_gone"
