"""One record's way: owed by the list, read from its department, kept, called, proven, and decided again."""

import dataclasses
import json
from pathlib import Path

import pytest

from audit.entry import Entry
from audit.log import Log
from hub.auditing import replay, verify_log
from hub.client import CallDeniedError
from hub.demo.story import CALLED, MATTER, Story
from hub.ingestion import run_here
from hub.scheduler import free_port
from hub.settings import Settings
from warehouse.engine import Warehouse

# One resource of each disposition, from three kinds of system; the national divisions have a bench of their own.
POPULATION, COMPANIES, CLINICS, REPORTS = CALLED, "3040010001", "3090010001", "3040010002"
LOADED = (POPULATION, COMPANIES, CLINICS, REPORTS)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    settings = dataclasses.replace(Settings.at(tmp_path_factory.mktemp("record") / "var"), api_port=free_port())
    story = Story(settings, scale=0.02)
    story.build_city()
    story.open_systems()
    story.publish()
    yield story
    story.stop()


def load(story, run):
    for code in LOADED:
        run_here(story.settings, code, run)
    return {report.resource: report for report in story.reports(run)}


def test_the_way_of_one_record(story):
    manifest = story.build_city()

    # What the departments hold arrives, and what is faulty is beside it with its reason.
    first = load(story, "day-1")
    for code in LOADED:
        expected, report = manifest.resources[code], first[code]
        reasons = {}
        for reason, rows in report.reasons.items():
            reasons[reason.partition(":")[0]] = reasons.get(reason.partition(":")[0], 0) + rows
        assert (report.read, report.accepted, report.rejected) == (expected.rows, expected.accepted, expected.rejected)
        assert reasons == dict(expected.rejects)
        assert report.outcome == "loaded"
        assert set(report.seconds) == {"extract", "check", "commit", "index"}
    warehouse = Warehouse(story.settings.warehouse)
    for code in LOADED:
        assert warehouse.count(code) == manifest.table_rows(code)
        assert len(warehouse.rejected(story.list_.by_code[code])) == manifest.resources[code].rejected

    # A second run changes nothing, and says so.
    snapshots = {code: warehouse.current_snapshot(code) for code in LOADED}
    again = load(story, "day-1-again")
    assert {report.outcome for report in again.values()} == {"unchanged"}
    assert {report.changed for report in again.values()} == {0}
    assert {code: warehouse.current_snapshot(code) for code in LOADED} == snapshots

    # A late correction, a delete and a new batch arrive, each once.
    changes = story.next_day()
    second = load(story, "day-2")
    for code in LOADED:
        change, report = changes.resources.get(code), second[code]
        told = (report.inserted, report.updated, report.deleted)
        assert told == ((change.inserted, change.updated, change.deleted) if change else (0, 0, 0)), code
        assert warehouse.count(code) == story.build_city().table_rows(code)
    assert any(change.updated for change in changes.resources.values())
    assert any(change.deleted for change in changes.resources.values())

    # The civil-affairs bureau calls; the answer is signed, masked, and proven.
    story.give_grants()
    story.serve()
    person = story.someone()
    with story.client("en") as client:
        called = client.query(CALLED, {"citizen_id": person}, matter=MATTER, case="2026-MZ-000001")
        with pytest.raises(CallDeniedError) as denied:
            client.query(CALLED, {"citizen_id": person}, matter=MATTER, fields=["nation"])
        verified = client.verify(CALLED, {"citizen_id": person}, {"sex": called.records[0]["sex"]}, matter=MATTER)
    assert len(called.records) == 1
    assert called.records[0]["phone"].startswith("*")
    assert called.plain["masked"] == {"address": "county", "phone": "keep_last_4"}
    assert denied.value.reasons == ("field_not_granted",)
    assert verified.results == {"sex": "match"}
    story.stop()

    entry = called.receipt["entry"]
    with Log.open(story.settings.log) as log:
        leaf = log.entry(entry)
        proof = log.prove(entry)
    assert Entry.decode(leaf).facts["answer_digest"] == called.receipt["leaf"]["facts"]["answer_digest"]
    pinned = (story.settings.public / "log.vkey").read_text().strip()
    from audit.notes import VerifierKey

    assert proof.verify(leaf, [VerifierKey.from_text(pinned)]).size > entry

    # The auditor recomputes everything and decides again, the granted call and the refused one.
    report = verify_log(story.settings)
    assert report.faults == ()
    assert report.entries_by_kind["load.committed"] == len(LOADED) + sum(r.changed > 0 for r in second.values())
    assert replay(story.settings, entry).verdict == "same"
    assert replay(story.settings, entry + 1).verdict == "same"

    # Nothing that anyone may read names the person.
    public = b"".join(p.read_bytes() for p in Path(story.settings.log).rglob("*") if p.is_file())
    for secret in (person, str(called.records[0]["name"])):
        assert secret.encode() not in public
        assert secret not in json.dumps([dataclasses.asdict(r) for r in second.values()], default=str)
