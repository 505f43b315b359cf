"""Bodies go when their time is over, or somebody has them erased; entries, proofs and receipts stay as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from audit.entry import Entry
from audit.errors import BodyDamagedError
from audit.expiry import fate_of, names, ranges_of
from audit.pack import check_pack
from audit.searching import Query
from audit.verifiers import Trust
from hub import receipts, upkeep
from hub.auditing import replay, verify_log
from hub.auditsearch import Desk
from hub.errors import QueryInvalidError
from hub.keeping import expiring
from hub.keeping.errors import BodyHeldError, HoldUnknownError
from hub.keeping.holds import erase, hold, in_force, release
from hub.packing import pack
from hub.settings import Settings
from tests.hub.world import CODE, IDS, NOW, body

DAY = timedelta(days=1)
GROUND = "市监察委〔2026〕3 号"


def codes(report):
    return [step.code for step in report.steps]


def entry(service, index):
    return Entry.decode(service.evidence.log.entry(index))


def kept(service, index):
    return service.evidence.bodies.get(entry(service, index).body_digest) is not None


def kinds(service, kind):
    log = service.evidence.log
    return [one for one in map(Entry.decode, log.entries(0, log.size)) if one.kind == kind]


@pytest.fixture
def office(service):
    """The office of a deployment that keeps bodies for forty days."""
    return replace(service.office, settings=replace(service.settings, body_days=40))


@pytest.fixture
def begin_segment(service):
    """Begins a new segment, as time or size would; to be called."""

    def begin():
        with service.evidence.bodies._writer.exclusive() as tail:
            service.evidence.bodies._writer.roll(tail)

    return begin


@pytest.fixture
def old(calls, world, begin_segment):
    """An entry of forty-two days ago, and one of today in another segment."""
    first = calls()
    begin_segment()
    world.clock.now = NOW + 42 * DAY
    return first, calls()


def test_what_is_due_goes_and_the_log_says_how_much(service, office, calls, world):
    first = calls()
    world.clock.now = NOW + 41 * DAY
    assert expiring.expire(office).expired == 0
    assert kinds(service, "bodies.expired") == []
    world.clock.now = NOW + 41 * DAY + timedelta(seconds=1)
    done = expiring.expire(office)
    assert done.expired > 0
    assert not kept(service, first)
    (said,) = kinds(service, "bodies.expired")
    assert said.facts == {
        "before": (NOW + timedelta(seconds=1)).isoformat(), "count": done.expired, "days": 40, "held": 0,
    }  # fmt: skip
    assert expiring.expire(office).to_plain() == {"moved": 0, "expired": 0, "held": 0}
    assert len(kinds(service, "bodies.expired")) == 1


def test_what_is_younger_stays_with_all_that_it_names(service, office, calls, world, begin_segment):
    first = calls()
    world.clock.now = NOW + 39 * DAY
    begin_segment()
    second = calls()
    world.clock.now = NOW + 42 * DAY
    assert expiring.expire(office).expired > 0
    assert (kept(service, first), kept(service, second)) == (False, True)
    assert replay(world.settings, second).verdict == "same"


@pytest.mark.parametrize("days", [0, -1])
def test_without_a_term_bodies_are_kept_for_ever(service, office, calls, world, days):
    first = calls()
    world.clock.now = NOW + 5000 * DAY
    assert expiring.expire(replace(office, settings=replace(office.settings, body_days=days))).expired == 0
    assert kept(service, first)


def test_the_term_is_that_of_snapshots_unless_it_is_said(tmp_path):
    home = {"ZHENGTONG_HOME": str(tmp_path)}
    assert Settings.from_environment(home).body_days == 1095
    assert Settings.from_environment({**home, "ZHENGTONG_AUDIT_DAYS": "400"}).body_days == 400
    said = {**home, "ZHENGTONG_AUDIT_DAYS": "400", "ZHENGTONG_BODY_RETENTION_DAYS": "0"}
    assert Settings.from_environment(said).body_days == 0


@pytest.mark.parametrize("way", ["expired", "erased"])
def test_every_proof_stays_valid_and_all_that_needed_the_body_says_why_not(service, office, world, desk, way):
    raw = json.dumps(body()).encode()
    answer = service.invocation.query(world.key, CODE, raw)
    index = answer.receipt.index
    service.evidence.publish()
    proof = service.evidence.log.prove(index)
    world.clock.now = NOW + 42 * DAY
    if way == "expired":
        expiring.expire(office)
    else:
        assert erase(desk(), [index], GROUND)[1] == 1
    said = service.evidence.log.size - 1
    service.evidence.publish()
    assert not kept(service, index)
    assert verify_log(world.settings).faults == ()
    assert service.evidence.log.prove(index, proof.checkpoint).to_text() == proof.to_text()
    receipts.check(answer.receipt, [service.signer.verifier])
    subject = service.evidence.subject({"citizen_id": IDS[0]})
    found = [hit.index for hit in desk().find(Query(subjects=(subject,), kinds=("invocation.answered",)))]
    assert found == [index]
    report = replay(world.settings, index)
    assert (codes(report)[-1], report.verdict) == (f"body_{way}", "incomplete")
    assert "2026-04-13" in report.text("zh")
    assert f"entry {said}" in report.text("en")
    keys = {"log": service.evidence.verifier.to_text()}
    data = pack(desk(), world.settings, [index], query=Query(), keys=keys)
    checked = check_pack(data, Trust([service.evidence.verifier]))
    assert (checked.verdict, list(checked.entries)) == ("holds", [index, said])
    assert [note.code for note in checked.notes] == [f"body_{way}"]
    assert "2026-04-13" in checked.notes[0].text("en")


def test_held_bodies_outlive_their_time_and_go_when_they_are_released(service, office, old, desk, world):
    first, _ = old
    number = hold(desk(), [first], (), GROUND)
    done = expiring.expire(office)
    assert done.held == 2  # its body, and what it has in common with others of its day
    assert kept(service, first)
    assert replay(world.settings, first).verdict == "same"
    with pytest.raises(BodyHeldError):
        erase(desk(), [first], GROUND)
    release(desk(), number, "案件办结")
    assert in_force(desk()) == ()
    world.clock.now += 42 * DAY
    assert expiring.expire(office).expired > 0
    assert not kept(service, first)
    with pytest.raises(HoldUnknownError):
        release(desk(), number, "案件办结")


def test_a_person_is_held_as_looked_up_with_what_is_to_come(service, office, calls, desk, world):
    first = calls()
    hold(desk(), (), [service.evidence.subject({"citizen_id": IDS[0]})], GROUND)
    second, other = calls(), calls(keys={"citizen_id": IDS[1]})
    world.clock.now = NOW + 42 * DAY
    expiring.expire(office)
    assert [kept(service, one) for one in (first, second, other)] == [True, True, False]
    (one,) = in_force(desk())
    assert (one.ground, one.by, one.ranges) == (GROUND, "RS:auditor", [])
    with pytest.raises(BodyHeldError):
        erase(desk(), [second], GROUND)


def test_a_crash_while_bodies_go_is_made_good_by_the_next_run(service, office, old, monkeypatch):
    first, _ = old
    true = type(service.evidence.bodies).expire

    def dying(self, before):
        true(self, before)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(service.evidence.bodies), "expire", dying)
    with pytest.raises(KeyboardInterrupt):
        expiring.expire(office)
    assert (kept(service, first), kinds(service, "bodies.expired")) == (False, [])
    monkeypatch.undo()
    assert expiring.expire(office).expired == 0
    assert len(kinds(service, "bodies.expired")) == 1
    expiring.expire(office)
    assert len(kinds(service, "bodies.expired")) == 1


def test_bodies_of_earlier_versions_are_moved_and_one_that_is_damaged_holds_up_no_other(service, office, monkeypatch):
    moved = []
    monkeypatch.setattr(type(service.evidence.bodies), "migrate", lambda self: moved.append(1) or 3)
    assert expiring.expire(office).moved == 3

    def damaged(self):
        raise BodyDamagedError(where="x", problem="it has another digest")

    monkeypatch.setattr(type(service.evidence.bodies), "migrate", damaged)
    service.evidence.clock.now += 42 * DAY
    with pytest.raises(BodyDamagedError):
        expiring.expire(office)
    assert len(kinds(service, "bodies.expired")) == 1


def test_nothing_is_held_or_erased_without_a_ground_or_what(desk, calls):
    one = calls()
    for numbers, ground in (([], GROUND), ([one], " "), ([one], "x" * 201), ([one], "a\nb")):
        with pytest.raises(QueryInvalidError):
            hold(desk(), numbers, (), ground)
        with pytest.raises(QueryInvalidError):
            erase(desk(), numbers, ground)


def test_over_copied_files_nothing_is_erased(service, calls, world):
    one = calls()
    service.evidence.publish()
    away = Desk.away(world.settings.log, [service.evidence.verifier])
    with pytest.raises(QueryInvalidError):
        erase(away, [one], GROUND)


def test_the_scheduler_does_it_for_the_deployment_of_the_environment(world, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    monkeypatch.setenv("ZHENGTONG_CONTROL_URL", world.settings.control_url)
    assert upkeep.expire_bodies_once() == {"moved": 0, "expired": 0, "held": 0}


def test_by_the_command_line(run, service, calls):
    one, other = calls(), calls(keys={"citizen_id": IDS[1]})
    code, told, _ = run(
        "audit", "hold", "--person", f"citizen_id={IDS[0]}", "--ground", GROUND, "--by", "RS:a", "--json"
    )
    number = json.loads(told)["hold"]
    assert code == 0
    code, told, _ = run("audit", "holds", "--by", "RS:a")
    assert (code, GROUND in told, IDS[0] in told) == (0, True, False)
    assert run("audit", "erase", str(one), "--ground", GROUND, "--by", "RS:a")[0] == 6
    code, told, _ = run("audit", "erase", str(other), "--ground", GROUND, "--by", "RS:a", "--json")
    assert (code, json.loads(told)["erased"]) == (0, 1)
    assert run("audit", "release", number, "--ground", GROUND, "--by", "RS:a")[0] == 0
    assert run("audit", "release", number, "--ground", GROUND, "--by", "RS:a")[0] == 3
    code, told, _ = run("audit", "status", "--json")
    assert json.loads(told)["body_days"] == 1095
    assert code in (0, 20)
    assert kept(service, one)


def test_words_of_entries_are_read_whatever_form_they_have():
    assert ranges_of([3, 1, 2, 9, 9]) == [[1, 3], [9, 9]]
    assert names([[1, 3]], 2)
    for wrong in (None, 7, "x", [[1]], [["a", 3]], [3]):
        assert not names(wrong, 3)
    common = {"at": NOW, "actor": "", "subject": "", "resource": "", "purpose": ""}
    one = Entry(kind="x", facts={}, **common)
    later = [(5, Entry(kind="bodies.expired", facts={"before": "nonsense"}, **common))]
    assert fate_of(3, one, later) is None
