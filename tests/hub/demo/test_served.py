"""What a stranger is shown of the served hub: each step ends as it must, and would say so if it did not."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex

import httpx
import pytest

from hub.auditing import verify_log
from hub.cli import main
from hub.cli.demo_next import commands
from hub.client import CallDeniedError
from hub.demo import orders
from hub.demo.calls import BEYOND, CALLED, FORGERIES, keep
from hub.demo.errors import DemoProcessError
from hub.demo.follow import FOLLOWED, RESIDENTS, TENANCIES
from hub.demo.processes import Process
from hub.demo.story import Story
from hub.demo.systems import ALL, PENSIONS, WINDOW
from hub.ingestion import run_here
from hub.scheduler import free_port
from hub.settings import Settings
from tests.hub.demo.conftest import SCALE

UNITS, COMPANIES = "3140010001", "3040010001"
BASEMENTS, CARDS = "3110010001", "3120010001"
LOADED = (RESIDENTS, UNITS, TENANCIES, COMPANIES, BASEMENTS, CARDS)
# Commands whose subject is what does not hold: their exit codes say so.
TELLING = {"tampered.licence.json": 10, "tampered.pdf": 10, "receipt-changed.json": 10}


def load(story, run):
    for code in LOADED:
        run_here(story.settings, code, run)


def begun(home, port):
    return Story(dataclasses.replace(Settings.at(home), api_port=port), scale=SCALE)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("served") / "var"


@pytest.fixture(scope="module")
def story(home):
    story = begun(home, free_port())
    story.build_city()
    story.open_systems()
    story.publish()
    load(story, "day-1")
    story.give_grants()
    story.serve()
    story.register("en")
    yield story
    story.stop()


@pytest.fixture(scope="module")
def calls(story):
    return story.calls("en")


@pytest.fixture(scope="module")
def person(story):
    """Before the second day, on which the eldest may be struck off."""
    return story.someone()


@pytest.fixture(scope="module")
def answered(calls, person):
    return calls.main(person)


def test_systems_are_registered_once_and_sign(story, answered):
    again = story.register("en")
    assert [one.system for one in again] == list(ALL)
    assert not any(one.new for one in again)
    assert len({one.client for one in again} | {one.key_id for one in again}) == 2 * len(ALL)
    # Who is said to have called is the system that signed.
    assert answered.receipt["leaf"]["facts"]["caller"] == again[0].client
    assert answered.records[0]["phone"].startswith("*******")
    assert oct((story.settings.caller_key.parent / f"{WINDOW.name}.pem").stat().st_mode)[-3:] == "600"


def test_a_lost_registration_of_a_key_is_made_up_for(story, tmp_path):
    systems = dataclasses.replace(story.systems, folder=tmp_path)
    first = systems.register(WINDOW)
    assert (first.new, systems.register(WINDOW)) == (False, dataclasses.replace(first, new=False))
    assert systems.key(WINDOW).public != story.systems.key(WINDOW).public


def test_claims_come_out_in_all_three_ways(story, calls):
    claims, called = calls.verify(story.eldest(2)[1:])
    assert dict(called.results) == {"name": "match", "birth_date": "match", "phone": "unknown", "sex": "mismatch"}
    assert " " in claims["name"]
    assert "年" in claims["birth_date"]


def test_several_are_answered_under_one_receipt(story, calls):
    persons = story.eldest(3)
    called = calls.several(persons)
    assert [len(one["records"]) for one in called.answers] == [1, 1, 1]
    assert called.receipt["leaf"]["facts"]["outcome"] == "answered"


def test_what_is_denied_was_explained_before(story, calls):
    explained = calls.explained()
    assert explained["allowed"] is False
    assert [reason["code"] for reason in explained["reasons"]] == ["field_not_granted"]
    denied = calls.beyond(story.someone())
    assert (denied.code, BEYOND in denied.said) == ("denied", True)


def test_a_call_sent_twice_has_one_receipt(story, calls):
    first, second = calls.twice(story.someone())
    assert first.receipt == second.receipt
    third, _ = calls.twice(story.someone())
    assert third.receipt != first.receipt


def test_who_holds_no_grant_meets_nobody(story, calls):
    denied, called = calls.newcomer(story.someone())
    assert denied.code == "denied"
    assert called.records[0]["name"].startswith("样")
    assert called.receipt["log"].endswith("/sandbox")
    with story.systems.client(PENSIONS) as client, pytest.raises(CallDeniedError):
        client.query(CALLED, {"citizen_id": story.someone()}, matter="341200-MZJ-0001")


def test_nothing_forged_is_answered(story, calls):
    tried = calls.forgeries(story.someone())
    assert tuple(one.what for one in tried) == FORGERIES
    assert all(one.refused for one in tried), tried
    assert all(one.code.startswith("signature_") for one in tried), tried


def test_an_answer_is_kept_and_one_changed_byte_shows(story, answered):
    kept = keep(answered, story.processes.url, story.papers, story.systems.pinned, "en")
    assert kept.held
    assert "another answer" in kept.refused
    data, changed = kept.file.read_bytes(), kept.changed.read_bytes()
    assert sum(one != other for one, other in zip(data, changed, strict=True)) == 1
    assert f"index {answered.receipt['entry']}" in kept.proof.read_text()


def test_a_batch_is_made_once_and_found_again(story):
    fetched = orders.fetch(story.systems, story.papers / "batch")
    assert (fetched.new, fetched.whole) == (True, True)
    assert set(fetched.rows.columns) == set(orders.FIELDS)
    assert max(map(str, fetched.rows["birth_date"])) <= "1966-03-02"
    assert fetched.rows["address"].str.endswith("***").all()
    again = orders.fetch(story.systems, story.papers / "batch")
    assert (again.new, again.whole, again.order["id"]) == (False, True, fetched.order["id"])
    part = next(fetched.folder.glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    assert orders.fetch(story.systems, story.papers / "batch").whole


def test_a_follower_is_called_and_told_of_the_second_day(story):
    assert story.follower.begin() == list(FOLLOWED)
    assert story.follower.begin() == []
    hook = story.follower.listen()
    assert hook["state"] == "active"
    assert story.follower.listen()["id"] == hook["id"]
    changes = story.next_day().resources
    load(story, "day-2")
    told = story.follower.pages()
    assert told[RESIDENTS] == {"update": changes[RESIDENTS].updated, "delete": changes[RESIDENTS].deleted}
    assert told[TENANCIES] == {"insert": changes[TENANCIES].inserted, "update": changes[TENANCIES].updated}
    called = story.follower.called(hook["id"])
    assert {one["kind"]: one["state"] for one in called} == {"challenge": "delivered", "changes": "delivered"}
    taken = story.follower.receiver.taken
    assert [one["type"] for one in taken] == ["challenge", "changes"]
    assert story.follower.receiver.refused == 0
    assert not any(story.follower.pages().values())


def test_the_receiver_believes_the_hub_alone(story):
    story.follower.listen()
    receiver = story.follower.receiver
    before = len(receiver.taken), receiver.refused
    assert httpx.post(receiver.url, json={"type": "changes"}, trust_env=False).status_code == 401
    assert (len(receiver.taken), receiver.refused) == (before[0], before[1] + 1)


def test_an_auditor_finds_proves_and_draws(story, answered, person):
    auditor, entry = story.auditor, answered.receipt["entry"]
    hits = auditor.search(CALLED, person)
    assert entry in [hit.index for hit in hits]
    assert {hit.entry.resource for hit in hits} == {CALLED}
    file, report = auditor.pack([hit.index for hit in hits], json.dumps(answered.plain).encode())
    assert (report.verdict, len(report.entries)) == ("holds", len(hits))
    assert oct(file.stat().st_mode)[-3:] == "600"
    drawn = auditor.sample()
    assert {one.verdict for one in drawn} <= {"same", "logged"}
    assert len(drawn) > 5
    old, new = auditor.growth()
    assert old.size < new.size
    report = auditor.witnessed(story.processes.witness_key, entry)
    assert report.faults == ()
    assert report.witnessed > entry
    assert isinstance(auditor.anomalies(), list)


def test_a_person_is_told_who_asked(story, answered, person):
    told = story.auditor.told(person)
    assert answered.receipt["entry"] in [use.entry for use in told.uses]
    assert told.refused >= 1


def test_what_is_suggested_works(story, answered, monkeypatch, capfd):
    keep(answered, story.processes.url, story.papers, story.systems.pinned, "en")
    orders.fetch(story.systems, story.papers / "batch")
    story.auditor.pack([answered.receipt["entry"]], json.dumps(answered.plain).encode())
    story.auditor.witnessed(story.processes.witness_key, answered.receipt["entry"])
    story.give_seals()
    story.licences.handle()
    story.documents.make()
    story.judge()
    story.audit_licences()
    monkeypatch.setenv("ZHENGTONG_HOME", str(story.settings.home))
    given = commands(story, hook=story.follower.listen()["id"], serving=True)
    assert len(given) >= 24
    ended = {}
    for command, _ in given:
        words = shlex.split(command)
        ended[command] = main(words[1:])
    expected = {one: next((code for name, code in TELLING.items() if name in one), 0) for one in ended}
    assert ended == expected, capfd.readouterr().err[-2000:]
    # What needs the API is told to those alone who have it before them.
    offline = [one for one, _ in commands(story, hook="W", serving=False)]
    assert not [one for one in offline if one.startswith(("zhengtong call", "zhengtong batch list"))]


# Last, since it stops what the others are answered by: what is marked slow would come first.
def test_all_of_it_is_found_by_the_next_demonstration(story, home):
    order = orders.fetch(story.systems, story.papers / "batch").order["id"]
    hook, systems = story.follower.listen(), [one.client for one in story.register("en")]
    key, witness = story.settings.caller_key.read_text(), story.processes.witness_key
    story.stop()
    assert verify_log(story.settings).faults == ()
    second = begun(home, story.settings.api_port)
    try:
        second.serve()
        assert [(one.client, one.new) for one in second.register("en")] == [(client, False) for client in systems]
        assert second.settings.caller_key.read_text() == key
        assert second.processes.witness_key == witness
        assert second.follower.begin() == []
        found = second.follower.listen()
        assert (found["id"], found["url"], found["state"]) == (hook["id"], hook["url"], "active")
        assert orders.fetch(second.systems, second.papers / "batch").order["id"] == order
        assert not any(second.follower.pages().values())
        entry = second.calls("en").main(second.someone()).receipt["entry"]
        assert second.auditor.witnessed(witness, entry).witnessed > entry
    finally:
        second.stop()


def test_a_process_that_ends_at_once_is_said_to(tmp_path):
    log = tmp_path / "log"
    process = Process("serve", ["no-such-command"], url="http://127.0.0.1:9/", log=log, environ=dict(os.environ))
    process.begin()
    with pytest.raises(DemoProcessError, match=str(log)):
        process.wait()
    assert "no-such-command" in log.read_text()
    process.stop()
