"""Batches done again from their evidence: orders, manifests, and files that were handed out."""

from __future__ import annotations

import pytest

from audit.entry import Entry
from hub.auditing import replay
from hub.batches.manifest import NAME
from hub.credentials import KnownCaller
from hub.invocation import RefusedError
from tests.hub.world import CODE, end


def codes(report):
    return [step.code for step in report.steps]


def entry_of(room, kind):
    log = room.evidence.log
    found = [n for n, leaf in enumerate(log.entries(0, log.size)) if Entry.decode(leaf).kind == kind]
    return found[-1]


def again(room, kind):
    return replay(room.world.settings, entry_of(room, kind), warehouse=room.batches.house)


ORDERED = ["body_fits", "list_found", "decision_equal", "request_equal"]


@pytest.fixture
def fetched(granted):
    batch = granted.made()
    caller = KnownCaller("CAAAAAAAA", "RS", "window", proof="signature", credential="K7")
    path, _ = granted.batches.fetch(caller, batch.id, 1)
    return batch, path


@pytest.mark.parametrize("form", ["parquet", "csv.gz"])
def test_all_of_a_batch_comes_to_the_same(granted, form):
    batch = granted.made(form=form, fields=("name", "birth"))
    granted.batches.fetch(granted.caller, batch.id, 1)
    ordered = again(granted, "batch.ordered")
    assert codes(ordered) == ["entry_read", *ORDERED, "rows_equal", "files_equal"]
    made = again(granted, "batch.ready")
    assert codes(made) == ["entry_read", "entry_read", "order_found", *ORDERED, "files_equal"]
    taken = again(granted, "batch.fetched")
    assert codes(taken)[-1] == "part_equal"
    assert {ordered.verdict, made.verdict, taken.verdict} == {"same"}
    assert "5 rows" in taken.text("en")
    assert "5 行" in ordered.text("zh")


def test_a_file_that_was_fetched_is_made_again_when_it_is_gone_and_the_grant_was_revoked(granted, fetched):
    batch, _ = fetched
    end(granted.world.settings, granted.control, granted.evidence, "G2")
    granted.batches.remove(batch.id)
    assert codes(again(granted, "batch.fetched"))[-1] == "part_equal"
    assert codes(again(granted, "batch.ordered"))[-1] == "files_none"
    gone = again(granted, "batch.ready")
    assert (codes(gone)[-1], gone.verdict) == ("files_gone", "incomplete")


def test_who_fetched_is_recorded_as_of_a_call(granted, fetched):
    facts = granted.entries("batch.fetched")[-1].facts
    assert (facts["caller"], facts["proof"], facts["credential"]) == ("CAAAAAAAA", "signature", "K7")
    assert facts["order"] == entry_of(granted, "batch.ordered")


def test_files_that_are_not_what_was_made_are_seen(granted, fetched):
    _, path = fetched
    path.write_bytes(path.read_bytes() + b"x")
    for kind in ("batch.ordered", "batch.ready", "batch.fetched"):
        report = again(granted, kind)
        assert (codes(report)[-1], report.verdict) == ("files_differ", "different")
    (path.parent / NAME).write_bytes(b"{}")
    assert codes(again(granted, "batch.ready"))[-1] == "files_differ"


def test_a_file_that_the_snapshot_does_not_hold_is_seen(granted, fetched, monkeypatch):
    granted.batches.remove(fetched[0].id)
    index = entry_of(granted, "batch.fetched")
    true = Entry.decode

    def lying(data):
        entry = true(data)
        lie = {"rows": 4, "digest": "sha256:" + "0" * 64} if entry.kind == "batch.fetched" else {}
        return Entry(**{**{n: getattr(entry, n) for n in entry.__dataclass_fields__}, "facts": {**entry.facts, **lie}})

    monkeypatch.setattr(Entry, "decode", staticmethod(lying))
    report = replay(granted.world.settings, index, warehouse=granted.batches.house)
    assert (codes(report)[-1], report.verdict) == ("part_differs", "different")


def test_other_bytes_with_the_same_rows_are_no_contradiction(granted, fetched, monkeypatch):
    granted.batches.remove(fetched[0].id)
    monkeypatch.setattr("hub.batches.again.file_digest", lambda path: "sha256:" + "0" * 64)
    report = again(granted, "batch.fetched")
    assert (codes(report)[-1], report.verdict) == ("part_other_bytes", "incomplete")


def test_a_refused_order_is_decided_again(granted):
    with pytest.raises(RefusedError):
        granted.order(fields=("nothing",))
    denied = again(granted, "batch.denied")
    assert (codes(denied)[-1], denied.verdict) == ("nothing_answered", "same")
    assert "decision_equal" in codes(denied)
    with pytest.raises(RefusedError):
        granted.order(code="nothing")
    assert codes(again(granted, "batch.denied"))[-1] == "nothing_decided"


def test_an_order_whose_body_went_can_not_be_done_again(granted):
    granted.order()
    (entry,) = granted.entries("batch.ordered")
    granted.evidence.bodies.erase(entry.body_digest)
    report = again(granted, "batch.ordered")
    assert (codes(report)[-1], report.verdict) == ("body_gone", "incomplete")


def test_an_entry_of_before_names_no_order(granted):
    facts = {"batch": "B1", "caller": "C1", "grant": "G2", "part": 1, "rows": 1, "digest": "sha256:"}
    granted.evidence.append("batch.fetched", actor="RS", resource=CODE, facts=facts)
    assert codes(again(granted, "batch.fetched"))[-1] == "order_unnamed"
    ordered = granted.order()
    facts |= {"order": ordered.log_index}
    granted.evidence.append("batch.fetched", actor="RS", resource=CODE, facts=facts)
    report = again(granted, "batch.fetched")
    assert (codes(report)[-1], report.verdict) == ("order_differs", "different")
