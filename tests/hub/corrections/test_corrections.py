from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from catalog.clock import SHANGHAI
from catalog.correction import Fault, Ground
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError
from hub import corrections
from hub.control import DisputeMark, Notice
from hub.corrections import Claim
from hub.disputes import marks
from hub.errors import CaseConflictError, CaseUnknownError, ResourceUnknownError
from hub.notices import NOTICES, tray
from tests.hub.corrections.conftest import CONSUMER, HUB_OFFICE, PERSON, PROVIDER, STRANGER, STREET
from tests.hub.world import ABSENT, CODE, EMPTY_CODE, IDS, NOW, PEOPLE

WORDS = "欧阳的住址不对，应为人民路 8 号，见户口簿"


def claim(**changes):
    values = {
        "resource": CODE,
        "fault": Fault.WRONG_VALUE,
        "wrong": WORDS,
        "right": WORDS,
        "evidence": WORDS,
        "key": (("citizen_id", PERSON),),
        "fields": ("address",),
    }
    return Claim(**{**values, **changes})


def marks_of(office, code=CODE):
    with office.control.reading() as connection:
        return marks(connection, code)


def codes(error):
    return [(p.where, p.code) for p in error.value.problems]


def test_while_a_correction_is_open_its_record_is_marked(scene):
    office = scene.office
    before = office.control.generation()
    case = corrections.submit(office, claim(), actor=CONSUMER)
    (mark,) = marks_of(office)
    assert (mark.case, mark.fields, mark.since) == (case.id, ("address",), NOW)
    assert mark.record == office.evidence.subject({"citizen_id": PERSON})
    assert office.control.generation() == before + 1
    corrections.ask(office, case.id, actor=PROVIDER, question="哪一年迁入？")
    assert marks_of(office) == (mark,)
    assert office.control.generation() == before + 1
    corrections.withdraw(office, case.id, actor=CONSUMER)
    assert marks_of(office) == ()
    assert office.control.generation() == before + 2


def test_a_record_written_in_another_way_is_the_same_record(scene):
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in PERSON).lower()
    corrections.submit(scene.office, claim(key=(("citizen_id", f" {full_width} "),)), actor=CONSUMER)
    (mark,) = marks_of(scene.office)
    assert mark.record == scene.office.evidence.subject({"citizen_id": PERSON})


@pytest.mark.parametrize(
    ("changes", "record", "fields"),
    [
        ({"fault": Fault.NOT_THIS_PERSON, "fields": ("name",)}, True, ()),
        ({"fault": Fault.MISSING_RECORD, "fields": (), "key": (("citizen_id", ABSENT),)}, True, ()),
        ({"fault": Fault.OUTDATED, "fields": ("name", "address")}, True, ("name", "address")),
        ({"fault": Fault.LATE, "fields": (), "key": ()}, False, ()),
    ],
)
def test_what_is_marked_follows_from_what_is_wrong(scene, changes, record, fields):
    corrections.submit(scene.office, claim(**changes), actor=CONSUMER)
    (mark,) = marks_of(scene.office)
    assert (bool(mark.record), mark.fields) == (record, fields)


def test_each_step_tells_the_others_and_runs_its_clock(scene):
    office = scene.office
    case = corrections.submit(office, claim(), actor=CONSUMER)
    assert (case.answerer, case.rule) == ("GA", "correction.reply")
    assert case.due_at == office.clocks.due("correction.reply", NOW).due
    case = corrections.ask(office, case.id, actor=PROVIDER, question="哪一年迁入？")
    assert (case.answerer, case.rule) == ("RS", "application.supplement")
    case = corrections.supply(office, case.id, actor=CONSUMER, reply="去年")
    case = corrections.reject(office, case.id, actor=PROVIDER, ground=Ground.CORRECT, answer="核实无误")
    assert (case.open, case.rule, case.due_at) == (False, "", None)
    case = corrections.appeal(office, case.id, actor=CONSUMER, why="户口簿为准")
    assert (case.open, case.answerer, case.rule) == (True, "MZ", "dispute.office")
    assert len(marks_of(office)) == 1
    case = corrections.settle(
        office, case.id, actor=HUB_OFFICE, upheld=True, verdict="以户口簿为准", mend_by=NOW.date()
    )
    assert (case.state, case.answerer) == ("accepted", "GA")
    told = {
        department: [n.kind for n in reversed(tray(office.control, department)) if n.case_id == case.id]
        for department in ("GA", "RS", "MZ")
    }
    assert told == {
        "GA": ["correction_opened", *["correction_settled"] * 3],
        "RS": ["correction_settled"] * 3,
        "MZ": ["correction_settled"],
    }
    steps = [step.step for step in office.cases.history(case.id)]
    assert steps == ["submit", "ask", "supply", "reject", "appeal", "settle"]
    kinds = [Entry.decode(office.evidence.log.entry(s.log_index)).kind for s in office.cases.history(case.id)]
    assert kinds == [f"correction.{step}" for step in steps]


def test_what_people_wrote_is_nowhere_but_in_the_case(scene):
    """Not in the public log, not in a notice: neither the words, nor the key, nor the person's data."""
    office = scene.office
    case = corrections.submit(office, claim(), actor=CONSUMER)
    corrections.ask(office, case.id, actor=PROVIDER, question=WORDS)
    corrections.supply(office, case.id, actor=CONSUMER, reply=WORDS)
    corrections.reject(office, case.id, actor=PROVIDER, ground=Ground.NOT_SHOWN, answer=WORDS)
    corrections.appeal(office, case.id, actor=CONSUMER, why=WORDS)
    case = corrections.settle(office, case.id, actor=HUB_OFFICE, upheld=False, verdict=WORDS)
    assert case.value["verdict"] == WORDS
    public = b"".join(office.evidence.log.entries(0, office.evidence.log.size)).decode()
    with office.control.reading() as connection:
        notices = connection.execute(sa.select(Notice.__table__)).all()
    said = "".join(NOTICES[n.kind][lang].format(**n.params) for n in notices for lang in (0, 1)) + json.dumps(
        [dict(n.params) for n in notices], ensure_ascii=False
    )
    assert len(notices) > 5
    for secret in (WORDS, "人民路", PERSON, *PEOPLE[0][1:4]):
        assert secret not in public
        assert secret not in said


def test_only_who_may_call_or_did_may_dispute(scene):
    office = scene.office
    with pytest.raises(corrections.NotAUserError):
        corrections.submit(office, claim(), actor=HUB_OFFICE)
    entry = scene.query().receipt.index
    scene.world.clock.now = scene.world.grant.expires + timedelta(days=1)
    with pytest.raises(corrections.NotAUserError):
        corrections.submit(office, claim(), actor=CONSUMER)
    # Its grant has ended; what it got from it, it may still dispute.
    assert corrections.submit(office, claim(entry=entry), actor=CONSUMER).state == "submitted"
    assert marks_of(office)


def test_an_entry_must_be_an_answer_of_ones_own(scene):
    office = scene.office
    answered = scene.query().receipt.index
    for actor, entry, code in (
        (HUB_OFFICE, answered, CODE),
        (CONSUMER, answered, EMPTY_CODE),
        (CONSUMER, 0, CODE),
        (CONSUMER, 10**6, CODE),
        (CONSUMER, -7, CODE),
    ):
        with pytest.raises(CaseInvalidError) as error:
            corrections.submit(office, claim(entry=entry, resource=code), actor=actor)
        assert codes(error) == [("entry", "correction_entry")]
    assert not marks_of(office)


def test_the_record_may_be_named_by_the_answer_alone(scene):
    entry = scene.query(keys={"birth": "1990-01-01"}, fields=["name"]).receipt.index
    case = corrections.submit(scene.office, claim(entry=entry, key=()), actor=CONSUMER)
    assert case.value["disputed"]["key"] == [["citizen_id", PERSON]]


@pytest.mark.parametrize("keys", [{"household": "H1"}, {"birth": "1980-01-01"}], ids=["two", "none"])
def test_an_answer_about_several_or_no_records_names_none(scene, keys):
    entry = scene.query(keys=keys).receipt.index
    with pytest.raises(CaseInvalidError) as error:
        corrections.submit(scene.office, claim(entry=entry, key=()), actor=CONSUMER)
    assert codes(error) == [("entry", "correction_entry_records")]


def test_strangers_neither_act_nor_read(scene):
    office = scene.office
    case = corrections.submit(office, claim(), actor=CONSUMER)
    for actor in (STRANGER, CONSUMER):
        with pytest.raises(NotYoursError):
            corrections.reject(office, case.id, actor=actor, ground=Ground.CORRECT, answer="x")
    with pytest.raises(NotYoursError):
        corrections.get(office, case.id, "XX")
    assert corrections.get(office, case.id, "GA").revision == 1
    with pytest.raises(CaseUnknownError):
        corrections.get(office, "K0", "GA")
    with pytest.raises(ResourceUnknownError):
        corrections.submit(office, claim(resource="x"), actor=CONSUMER)


def test_who_has_seen_an_older_revision_is_told_so(scene):
    office = scene.office
    case = corrections.submit(office, claim(), actor=CONSUMER)
    corrections.ask(office, case.id, actor=PROVIDER, question="？", revision=1)
    with pytest.raises(CaseConflictError):
        corrections.withdraw(office, case.id, actor=CONSUMER, revision=1)
    assert corrections.withdraw(office, case.id, actor=CONSUMER, revision=2).state == "withdrawn"


def test_of_two_answers_at_once_one_is_given(scene):
    office = scene.office
    case = corrections.submit(office, claim(), actor=CONSUMER)
    ready = threading.Barrier(2)
    outcomes = []

    def answer():
        ready.wait()
        try:
            outcomes.append(corrections.accept(office, case.id, actor=PROVIDER, mend_by=NOW.date(), revision=1).state)
        except CaseConflictError:
            outcomes.append("conflict")

    threads = [threading.Thread(target=answer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted", "conflict"]
    assert len(office.cases.history(case.id)) == 2


def test_a_step_that_cannot_be_recorded_changes_nothing(scene, monkeypatch):
    """Neither case nor mark nor notice: a crash at any write leaves the correction as it was."""
    office = scene.office
    case = corrections.submit(office, claim(), actor=CONSUMER)

    class BoomError(Exception):
        pass

    def fail(*_, **__):
        raise BoomError

    for place in ("insert_once", "raise_generation"):
        with monkeypatch.context() as patch:
            patch.setattr(corrections, place, fail)
            with pytest.raises(BoomError):
                corrections.submit(office, claim(), actor=CONSUMER)
    with monkeypatch.context() as patch:
        patch.setattr(corrections, "_tell", fail)
        with pytest.raises(BoomError):
            corrections.withdraw(office, case.id, actor=CONSUMER)
    assert [c.id for c in office.cases.find("correction")] == [case.id]
    assert office.cases.get(case.id, "correction").state == "submitted"
    assert [mark.case for mark in marks_of(office)] == [case.id]
    assert [n.case_id for n in tray(office.control, "GA") if n.kind == "correction_opened"] == [case.id]


def accepted(scene, **changes):
    case = corrections.submit(scene.office, claim(**changes), actor=CONSUMER)
    return corrections.accept(scene.office, case.id, actor=PROVIDER, mend_by=NOW.date())


def test_mending_is_compared_with_the_table(own_scene):
    scene, office = own_scene, own_scene.office
    entry = scene.query().receipt.index
    case = accepted(scene, entry=entry)
    old = str(scene.world.snapshot)
    for where, code in (
        (old, "correction_mended_early"),
        ("12345", "correction_mended_where"),
        ("nightly", "correction_mended_where"),
    ):
        with pytest.raises(CaseInvalidError) as error:
            corrections.mended(office, case.id, actor=PROVIDER, where=where)
        assert codes(error) == [("where", code)]
    # Another person's record was changed, and of this one another field.
    married = (*PEOPLE[0][:4], "否", *PEOPLE[0][5:])
    other = str(scene.load(married, (*PEOPLE[1][:3], "新址", *PEOPLE[1][4:]), name="other.parquet"))
    with pytest.raises(CaseInvalidError) as error:
        corrections.mended(office, case.id, actor=PROVIDER, where=other)
    assert codes(error) == [("where", "correction_mended_same")]
    assert STREET not in error.value.text("zh")
    right = str(scene.load((*PEOPLE[0][:3], "新址 8 号", *PEOPLE[0][4:]), name="right.parquet"))
    done = corrections.mended(office, case.id, actor=PROVIDER, where=right)
    assert (done.state, done.open) == ("mended", False)
    assert (done.value["mended"], done.value["checked"]) == (right, "changed")
    assert marks_of(office) == ()
    # The office finds that it is still wrong; mending is then measured from what is loaded now.
    corrections.appeal(office, case.id, actor=CONSUMER, why="门牌号仍有误")
    corrections.settle(office, case.id, actor=HUB_OFFICE, upheld=True, verdict="应更正", mend_by=NOW.date())
    with pytest.raises(CaseInvalidError) as error:
        corrections.mended(office, case.id, actor=PROVIDER, where=right)
    assert codes(error) == [("where", "correction_mended_early")]


def test_a_missing_record_is_mended_when_it_is_there(own_scene):
    scene, office = own_scene, own_scene.office
    case = accepted(scene, fault=Fault.MISSING_RECORD, fields=(), key=(("citizen_id", ABSENT),))
    still = str(scene.load((*PEOPLE[1][:3], "新址", *PEOPLE[1][4:]), name="still.parquet"))
    with pytest.raises(CaseInvalidError) as error:
        corrections.mended(office, case.id, actor=PROVIDER, where=still)
    assert codes(error) == [("where", "correction_mended_same")]
    there = str(scene.load((ABSENT, "钱七", "1999-09-09", None, None, None, "H3"), name="there.parquet"))
    assert corrections.mended(office, case.id, actor=PROVIDER, where=there).value["checked"] == "changed"


def test_mending_before_accepting_is_no_step(scene):
    case = corrections.submit(scene.office, claim(), actor=CONSUMER)
    with pytest.raises(StepNotAllowedError):
        corrections.mended(scene.office, case.id, actor=PROVIDER, where=str(scene.world.snapshot))
    with pytest.raises(NotYoursError):
        corrections.mended(scene.office, case.id, actor=CONSUMER, where="1")


def test_a_list_of_corrections_names_nobody(scene):
    case = corrections.submit(scene.office, claim(), actor=CONSUMER)
    told = json.dumps(corrections.line(case), ensure_ascii=False)
    assert not [secret for secret in (WORDS, *IDS) if secret in told]
    assert corrections.view(case, "GA")["allowed"] == ["ask", "accept", "reject"]
    with scene.office.control.reading() as connection:
        assert connection.execute(sa.select(DisputeMark.case_id)).scalars().all() == [case.id]


def test_the_day_that_was_promised_is_the_day_one_is_reminded_of(scene):
    office = scene.office
    case = corrections.submit(office, claim(), actor=CONSUMER)
    promised = NOW.date() + timedelta(days=30)
    accepted = corrections.accept(office, case.id, actor=PROVIDER, mend_by=promised)
    assert accepted.rule == "correction.promised"
    assert accepted.due_at.astimezone(SHANGHAI).isoformat() == f"{promised}T23:59:59+08:00"
    assert accepted.remind_at.astimezone(SHANGHAI).isoformat() == f"{promised}T00:00:00+08:00"
    entry = Entry.decode(office.evidence.log.entry(office.evidence.log.size - 1))
    assert entry.facts["due"] == f"{promised}T15:59:59+00:00"
