"""Calls by hand: a person's own, through the same decision, with the same receipt."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from audit.entry import Entry
from hub import handcalls
from hub.actors import Actor
from hub.auditing import replay
from hub.handcalls import Asked, CaseMissingError
from hub.invocation import RefusedError
from hub.logged import CALLS, Logged
from hub.people import Duty, People
from hub.recall import Wrong, recipients
from hub.receipts import read
from hub.usage import Usage
from tests.hub.world import CODE, IDS, MATTER, NOW, body

OFFICE = Actor("RS", "administrator")


def asked(**changes):
    return Asked(**{"code": CODE, "matter": MATTER, "keys": {"citizen_id": IDS[0]}, "case": "BJ-1", **changes})


@pytest.fixture
def people(service):
    return People(service.settings, service.control, service.evidence)


@pytest.fixture
def member(people, service):
    def make(duty=Duty.STAFF, department="RS"):
        return people.add(
            service.standing.now().list,
            login=f"{duty}.one",
            name="甲",
            department=department,
            post=f"{duty}-1",
            duties=[duty],
            by=OFFICE,
        )

    return make


def logged(service):
    log = service.evidence.log
    return [Entry.decode(leaf) for leaf in log.entries(0, log.size)]


def test_a_call_by_hand_is_answered_recorded_and_counted(service, member):
    person = member()
    answer = handcalls.call(service, person, asked(fields=("name", "birth")), name="form-1")
    assert answer.content["records"] == [{"name": "张**", "birth": "1990-01-01"}]
    receipt = read(answer.plain()["receipt"])
    entry = receipt.entry
    assert (entry.actor, entry.kind, entry.purpose) == ("RS:staff-1", "invocation.answered", MATTER)
    assert (entry.facts["caller"], entry.facts["proof"], entry.facts["grant"]) == (person.id, "session", "G1")
    assert "credential" not in entry.facts
    assert Usage(service.control, service.evidence.log).today("G1", NOW) == 1


def test_the_log_admits_who_called(service, member, people):
    person = member()
    answer = handcalls.call(service, person, asked(), name="form-1")
    entry = read(answer.plain()["receipt"]).entry
    before = Logged.of(logged(service))
    assert before.credential_fault(entry) == ""
    assert before.grant_faults(entry) == {}
    # Without the entry that registered the person it stands out.
    assert Logged.of(one for one in logged(service) if one.kind != "person.added").credential_fault(entry) == "never"
    people.disable(person.id, by=OFFICE, reason="离职")
    after = Logged.of(logged(service))
    later = Entry(entry.kind, NOW + timedelta(hours=1), entry.actor, "", CODE, MATTER, entry.facts)
    assert after.credential_fault(later) == "disabled"


@pytest.mark.parametrize(
    ("actor", "facts", "why"),
    [
        ("RS:staff-1", {"caller": "P1", "proof": "session"}, ""),
        ("RS:staff-2", {"caller": "P1", "proof": "session"}, "other"),
        ("MZ:staff-1", {"caller": "P1", "proof": "session"}, "other"),
        ("RS:staff-1", {"caller": "P2", "proof": "session"}, "never"),
        ("RS:staff-1", {"caller": "P1", "proof": "session", "credential": "K1"}, "foreign"),
        ("RS:staff-1", {"caller": "P1", "proof": "bearer"}, "never"),
        ("RS", {"caller": "S1", "proof": "session"}, "never"),
    ],
)
def test_a_session_proves_a_person_and_nothing_else(actor, facts, why):
    said = (
        Entry(
            "person.added", NOW, "RS:office", "", "", "", {"person": "P1", "post": "RS:staff-1", "duties": ["staff"]}
        ),
        Entry("client.registered", NOW, "RS:office", "", "", "", {"client": "S1", "department": "RS"}),
    )
    call = Entry("invocation.answered", NOW + timedelta(hours=1), actor, "", CODE, MATTER, facts)
    assert Logged.of(said).credential_fault(call) == why


def test_the_log_knows_who_had_the_duty():
    def said(kind, hours, **facts):
        return Entry(kind, NOW + timedelta(hours=hours), "RS:office", "", "", "", {"person": "P1", **facts})

    def fault(hours, *entries):
        facts = {"caller": "P1", "proof": "session"}
        call = Entry("invocation.answered", NOW + timedelta(hours=hours), "RS:one", "", CODE, MATTER, facts)
        return Logged.of(entries).credential_fault(call)

    staff = said("person.added", 0, post="RS:one", duties=[CALLS])
    clerk = said("person.added", 0, post="RS:one", duties=["window"])
    assert CALLS == Duty.STAFF
    assert (fault(1, staff), fault(1, clerk)) == ("", "duty")
    given, taken = said("person.duties", 2, duties=[CALLS]), said("person.duties", 2, duties=["window"])
    assert (fault(3, clerk, given), fault(3, staff, taken)) == ("", "duty")
    assert fault(2, staff, taken) == ""  # it was under way
    starts, ends = ((NOW + timedelta(hours=hours)).isoformat() for hours in (4, 8))
    lent = said("person.handed_over", 2, delegation="W1", duties=[CALLS], starts=starts, ends=ends)
    assert [fault(hours, clerk, lent) for hours in (3, 5, 9)] == ["duty", "", "duty"]
    withdrawn = said("person.withdrawn", 5, delegation="W1")
    assert [fault(hours, clerk, lent, withdrawn) for hours in (5, 6)] == ["", "duty"]
    other = said("person.handed_over", 2, delegation="W2", duties=["window"], starts=starts, ends=ends)
    assert fault(5, clerk, other) == "duty"
    ended, again = said("person.disabled", 2), said("person.enabled", 3)
    assert (fault(4, staff, ended), fault(4, staff, ended, again)) == ("disabled", "")


def test_the_same_form_is_the_same_call(service, member):
    person = member()
    first = handcalls.call(service, person, asked(), name="form-1")
    size = service.evidence.log.size
    assert handcalls.call(service, person, asked(), name="form-1").body() == first.body()
    assert service.evidence.log.size == size


def test_without_a_case_nothing_is_asked(service, member):
    person = member()
    size = service.evidence.log.size
    with pytest.raises(CaseMissingError):
        handcalls.call(service, person, asked(case=""), name="form-1")
    assert service.evidence.log.size == size


def test_what_the_grant_does_not_give_is_refused_with_a_receipt(service, member):
    with pytest.raises(RefusedError) as caught:
        handcalls.call(service, member(), asked(fields=("address",)), name="form-1")
    assert caught.value.cause.code == "denied"
    assert caught.value.receipt.entry.actor == "RS:staff-1"


def test_another_departments_person_has_that_departments_rights(service, member):
    with pytest.raises(RefusedError) as caught:
        handcalls.call(service, member(department="MZ"), asked(), name="form-1")
    assert "no_grant" in [reason.code for reason in caught.value.cause.reasons] or caught.value.cause.code == "denied"


@pytest.mark.parametrize("duty", [one for one in Duty if one is not Duty.STAFF])
def test_only_department_staff_ask_for_real_data(duty, service, member):
    with pytest.raises(RefusedError) as caught:
        handcalls.call(service, member(duty), asked(), name="form-1")
    assert caught.value.cause.code == "role_missing"


def test_a_rehearsal_shows_nobody_and_records_nothing(service, member):
    person = member()
    resource = service.standing.now().list.by_code[CODE]
    sample = service.trial.rows(service.standing.now().list).sample_keys(resource)["citizen_id"][0]
    size = service.evidence.log.size
    answer = handcalls.rehearse(service, person, asked(keys={"citizen_id": sample}, case=""))
    assert len(answer.content["records"]) == 1
    assert answer.receipt.origin.endswith("/sandbox")
    assert handcalls.rehearse(service, person, asked()).content["records"] == []
    assert service.evidence.log.size == size


def test_a_recall_reaches_the_department_of_whoever_called_by_hand(service, world, member):
    answer = handcalls.call(service, member(), asked(), name="form-1")
    service.invocation.query(world.key, CODE, json.dumps(body()).encode())
    (found,) = recipients(service.office, Wrong(CODE, (("citizen_id", IDS[0]),)))
    assert (found.department, found.calls) == ("RS", 2)
    assert answer.receipt.index in found.entries


def test_it_comes_to_the_same_when_it_is_done_again(service, member):
    answer = handcalls.call(service, member(), asked(), name="form-1")
    assert replay(service.settings, answer.receipt.index).verdict == "same"


def test_claims_are_verified_and_no_value_is_told(service, member):
    answer = handcalls.call(service, member(), asked(claims={"birth": "1990-01-01", "income": "1"}), name="form-1")
    assert answer.content["results"] == {"birth": "match", "income": "mismatch"}


def test_what_was_asked_stands_in_no_text_of_it():
    assert IDS[0] not in repr(asked(claims={"name": "张三"})) + str(asked())
