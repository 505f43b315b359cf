"""From application to licence: the whole way, two persons, clocks, crashes and races, and what is kept secret."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from catalog.clock import day_of
from catalog.steps import CaseInvalidError, NotYoursError
from hub.actors import Actor
from hub.control import CaseRow
from hub.deadlines import tray_of
from hub.errors import CaseConflictError, CaseUnknownError, EvidenceUnavailableError, HolderNotFoundError
from hub.licensing.dossiers.errors import DossierHandsError, DossierRefusedError, DossierStepError, DossierUnitError
from hub.licensing.dossiers.views import dossier_plain
from hub.notices import tray
from tests.hub.licensing.dossiers.conftest import (
    CHIEF,
    LAW,
    NAMES,
    ONE,
    REVIEWER,
    STRANGER,
    TWO,
    WHY,
    WINDOW,
    decided,
    entries,
    order,
)
from tests.hub.world import ABSENT, IDS


class DiedError(BaseException):
    pass


def problems(caught):
    return {(p.where, p.code) for p in caught.value.problems}


def test_the_whole_way_from_application_to_licence(office, dossiers):
    start = office.evidence.log.size
    handed = dossiers.apply(order(0, stated={"KZ_XM": "张三", "住址": "别处"}, materials=("CL-2026-1",)), actor=WINDOW)
    case, found = handed.case, handed.prefilled
    assert (case.state, case.answerer, case.rule, case.opener) == ("applied", "RS", "licence.decide", "RS")
    assert case.due_at == office.clocks.due("licence.decide", case.started_at).due
    assert [(line.field, line.same) for line in found.lines] == [
        ("KZ_XM", "match"),
        ("KZ_ZZ", "mismatch"),
        ("KZ_CSRQ", ""),
    ]
    assert (found.outcome, found.differs) == ("ok", ("KZ_ZZ",))
    reviewed = dossiers.review(case.id, actor=REVIEWER, revision=1)
    assert (reviewed.state, reviewed.due_at) == ("reviewed", case.due_at)
    assert "dossier_to_approve" in [n.kind for n in tray(office.control, "RS")]
    assert case.id in [c.id for c, _ in tray_of(office, "RS")]
    approved = dossiers.approve(case.id, actor=CHIEF)
    assert (approved.state, approved.rule) == ("approved", "licence.issue")
    done = dossiers.hand_out(case.id, actor=WINDOW)
    shown = dossier_plain(office, dossiers, done)
    assert (done.state, done.open, shown["licence"][:30]) == ("issued", False, "1.2.156.3005.2.11100000000013338W"[:30])
    row = dossiers.counter.licence(shown["licence"])
    assert (row["state"], row["dossier"]) == ("01", case.id)
    assert done.value["sealed"] == ""
    assert [s["step"] for s in shown["history"]] == ["apply", "review", "approve", "begin_issue", "issue"]
    written = entries(office, start)
    own = [e for e in written if e.kind.startswith("dossier.")]
    assert [e.kind for e in own] == [f"dossier.{s['step']}" for s in shown["history"]]
    assert (
        {e.subject for e in own} == {row["holder_hash"]} == {e.subject for e in written if e.kind == "licence.issued"}
    )
    assert own[-1].facts["licence"] == shown["licence"]
    assert "invocation.answered" in [e.kind for e in written]
    with pytest.raises(DossierStepError):
        dossiers.review(case.id, actor=REVIEWER)
    with pytest.raises(DossierStepError):
        dossiers.look(case.id, actor=REVIEWER)


def test_one_person_is_enough_where_the_kind_says_so(dossiers):
    id_ = dossiers.apply(order(0, ONE), actor=WINDOW).case.id
    with pytest.raises(DossierStepError) as caught:
        dossiers.hand_out(id_, actor=WINDOW)
    assert "review" in str(caught.value)
    dossiers.review(id_, actor=WINDOW)
    assert dossiers.hand_out(id_, actor=WINDOW).state == "issued"


@pytest.mark.parametrize(
    ("again", "twice"), [("window-2", "reviewer"), ("ＷＩＮＤＯＷ-2", "ＲＥＶＩＥＷＥＲ"), (" Window-2 ", " Reviewer ")]
)
def test_the_same_officer_twice_is_refused(dossiers, again, twice):
    id_ = dossiers.apply(order(3), actor=WINDOW).case.id
    with pytest.raises(DossierHandsError):
        dossiers.review(id_, actor=Actor("RS", again))
    dossiers.review(id_, actor=REVIEWER)
    with pytest.raises(DossierHandsError):
        dossiers.approve(id_, actor=Actor("RS", twice))
    with pytest.raises(DossierStepError):  # not decided yet
        dossiers.hand_out(id_, actor=CHIEF)
    assert dossiers.get(id_).state == "reviewed"


def test_another_department_has_no_part_in_it(office, dossiers):
    start = office.evidence.log.size
    for holder in (IDS[3], ABSENT):  # whether somebody is known is not told
        with pytest.raises(DossierUnitError):
            dossiers.apply(order(3, holder=holder), actor=STRANGER)
        with pytest.raises(DossierUnitError):
            dossiers.preview(order(3, holder=holder), actor=STRANGER)
    assert office.evidence.log.size == start
    id_ = dossiers.apply(order(3), actor=WINDOW).case.id
    for step in (
        lambda: dossiers.ask(id_, actor=STRANGER, reason=WHY, revision=9),
        lambda: dossiers.review(id_, actor=STRANGER),
        lambda: dossiers.refuse(id_, actor=STRANGER, reason=WHY, ground=LAW),
        lambda: dossiers.withdraw(id_, actor=STRANGER, reason=WHY),
        lambda: dossiers.hand_out(id_, actor=STRANGER),
        lambda: dossiers.complete(id_, actor=STRANGER, reason=WHY),
        lambda: dossiers.look(id_, actor=STRANGER),
    ):
        with pytest.raises(NotYoursError):
            step()
    with pytest.raises(CaseUnknownError):
        dossiers.review("Z2345678", actor=STRANGER)
    assert dossiers.get(id_).revision == 1


def test_who_is_returned_completes_and_the_term_begins_anew(office, dossiers, monkeypatch):
    case = dossiers.apply(order(3), actor=WINDOW).case
    asked = dossiers.ask(case.id, actor=REVIEWER, reason="缺少住所证明")
    assert (asked.state, asked.rule, asked.due_at, asked.open) == ("returned", "", None, True)
    later = datetime.now(UTC) + timedelta(days=8)
    monkeypatch.setattr(office.evidence, "clock", lambda: later)
    handed = dossiers.complete(
        case.id, actor=WINDOW, reason="已补正", stated={"KZ_ZZ": "x"}, materials=("CL-9",), revision=2
    )
    assert (handed.case.state, handed.case.value["materials"]) == ("applied", ["CL-9"])
    assert handed.prefilled.lines[1].same == "match"
    assert handed.case.started_at == later
    assert dossiers.look(case.id, actor=CHIEF).lines[1].same == "match"


def test_after_the_term_of_asking_it_counts_as_accepted(office, dossiers, monkeypatch):
    case = dossiers.apply(order(3), actor=WINDOW).case
    until = office.clocks.due("licence.return", case.started_at).due.astimezone(UTC)
    monkeypatch.setattr(office.evidence, "clock", lambda: until)
    dossiers.ask(case.id, actor=REVIEWER, reason="缺少证明")  # the last second is in time
    monkeypatch.undo()
    case = dossiers.apply(order(4), actor=WINDOW).case
    monkeypatch.setattr(office.evidence, "clock", lambda: until + timedelta(seconds=1))
    with pytest.raises(CaseInvalidError) as caught:
        dossiers.ask(case.id, actor=REVIEWER, reason="缺少证明")
    assert "三十二条" in caught.value.text("zh")
    assert day_of(until).isoformat() in caught.value.text("en")
    dossiers.refuse(case.id, actor=REVIEWER, reason="不符合条件", ground="《行政许可法》第三十八条")


def test_refused_and_withdrawn_are_ends_and_let_go_of_the_holder(dossiers):
    for end in (
        lambda id_: dossiers.refuse(id_, actor=REVIEWER, reason="不符合条件", ground=LAW),
        lambda id_: dossiers.withdraw(id_, actor=WINDOW, reason="申请人撤回"),
    ):
        id_ = dossiers.apply(order(3), actor=WINDOW).case.id
        case = end(id_)
        assert (case.open, case.value["sealed"]) == (False, "")
        with pytest.raises(DossierStepError):
            dossiers.hand_out(id_, actor=CHIEF)


def test_one_application_at_a_time_and_what_cannot_be_issued_is_told(dossiers):
    id_ = dossiers.apply(order(3), actor=WINDOW).case.id
    with pytest.raises(CaseInvalidError) as caught:
        dossiers.apply(order(3), actor=WINDOW)
    assert problems(caught) == {("holder", "dossier_waiting")}
    assert id_ in str(caught.value)
    assert dossiers.preview(order(2), actor=WINDOW).outcome == "field_empty"
    with pytest.raises(HolderNotFoundError) as missing:
        dossiers.apply(order(holder=ABSENT), actor=WINDOW)
    assert ABSENT not in str(missing.value)


def test_what_cannot_be_issued_stays_open_and_says_why(dossiers):
    id_ = decided(dossiers, 2)  # no address on record
    with pytest.raises(DossierRefusedError):
        dossiers.hand_out(id_, actor=CHIEF)
    case = dossiers.get(id_)
    assert (case.state, case.open, case.value["issuing"]) == ("approved", True, "")
    assert [s.step for s in dossiers.cases.history(id_)][-1] == "issue_failed"
    assert dossiers.withdraw(id_, actor=WINDOW, reason="撤回").state == "withdrawn"


def test_clocks_of_two_machines_that_differ_a_little_stop_nobody(office, dossiers, monkeypatch):
    id_ = dossiers.apply(order(3), actor=WINDOW).case.id
    now = datetime.now(UTC)
    monkeypatch.setattr(office.evidence, "clock", lambda: now - timedelta(hours=1))
    with pytest.raises(DossierRefusedError):
        dossiers.review(id_, actor=REVIEWER)
    monkeypatch.setattr(office.evidence, "clock", lambda: now - timedelta(seconds=30))
    assert dossiers.review(id_, actor=REVIEWER).state == "reviewed"


# --- crashes and races ------------------------------------------------------------------------------------------------


def licences(office, subject):
    return [e for e in entries(office) if e.kind == "licence.issued" and e.subject == subject]


@pytest.mark.parametrize("moment", ["append", "issue", "issued", "close"])
def test_a_crash_while_handing_out_is_mended_by_doing_it_again(office, dossiers, monkeypatch, moment):
    id_ = decided(dossiers, 0)
    counter, transaction = type(dossiers.counter), "hub.cases.Transaction"

    def die(*_given, **_named):
        raise DiedError

    with monkeypatch.context() as patch:
        if moment == "append":  # between the entry and the commit of the first step
            patch.setattr(f"{transaction}._event", die)
        elif moment == "issue":
            patch.setattr(counter, "issue", die)
        elif moment == "issued":
            original = counter.issue
            patch.setattr(counter, "issue", lambda *a, **k: (original(*a, **k), die())[0])
        else:
            act = dossiers._act

            def only_once(self, *given, step, **named):
                return die() if step == "issue" else act.__func__(self, *given, step=step, **named)

            patch.setattr(type(dossiers), "_act", only_once)
        with pytest.raises(DiedError):
            dossiers.hand_out(id_, actor=CHIEF)
    if moment != "append":
        with pytest.raises(CaseInvalidError) as caught:  # no licence for who was refused
            dossiers.withdraw(id_, actor=WINDOW, reason="撤回")
        assert problems(caught) == {("case", "dossier_being_issued")}
    done = dossiers.hand_out(id_, actor=CHIEF)
    assert done.state == "issued"
    assert len(licences(office, done.value["holder"])) == 1
    assert [s.step for s in dossiers.cases.history(id_)].count("issue") == 1


def test_a_crash_in_a_step_leaves_neither_row_nor_history_and_the_step_can_be_taken(office, dossiers, monkeypatch):
    id_ = dossiers.apply(order(3, ONE), actor=WINDOW).case.id
    size = office.evidence.log.size

    def die(*_given, **_named):
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr("hub.cases.Transaction._event", die)  # the entry is durable, the commit does not come
        with pytest.raises(DiedError):
            dossiers.review(id_, actor=REVIEWER)
    assert office.evidence.log.size == size + 1
    assert (dossiers.get(id_).state, len(office.cases.history(id_))) == ("applied", 1)
    assert dossiers.review(id_, actor=REVIEWER).revision == 2


def test_an_issue_that_may_be_tried_again_is_not_given_up(dossiers, monkeypatch):
    id_ = decided(dossiers, 3, ONE)

    def fail(*_given, **_named):
        raise EvidenceUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(type(dossiers.counter), "issue", fail)
        with pytest.raises(EvidenceUnavailableError):
            dossiers.hand_out(id_, actor=CHIEF)
    assert dossiers.get(id_).value["issuing"]
    assert dossiers.hand_out(id_, actor=CHIEF).state == "issued"


def together(*work):
    ready, found = threading.Barrier(len(work)), []

    def run(one):
        ready.wait()
        try:
            found.append(one())
        except Exception as error:  # noqa: BLE001 - handed to the test
            found.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_two_officers_at_once_one_wins_and_the_other_is_told(office, dossiers):
    id_ = dossiers.apply(order(4, ONE), actor=WINDOW).case.id
    found = together(
        lambda: dossiers.review(id_, actor=REVIEWER, revision=1),
        lambda: dossiers.refuse(id_, actor=CHIEF, reason="不符", ground=LAW, revision=1),
    )
    assert sum(isinstance(one, CaseConflictError) for one in found) == 1, found
    assert len(office.cases.history(id_)) == 2
    id_ = decided(dossiers, 3, ONE)
    found = together(*(lambda who=who: dossiers.hand_out(id_, actor=who) for who in (CHIEF, REVIEWER)))
    won = [one for one in found if not isinstance(one, Exception)]
    told = [one for one in found if isinstance(one, (CaseConflictError, DossierStepError))]
    assert (len(won), len(told)) == (1, 1), found
    assert len(licences(office, won[0].value["holder"])) == 1


# --- renewal ----------------------------------------------------------------------------------------------------------


def test_a_renewal_ends_in_the_next_version_and_needs_no_code_typed(office, dossiers):
    before = dossiers.hand_out(decided(dossiers, 3), actor=WINDOW).value["licence"]
    with pytest.raises(CaseInvalidError) as caught:
        dossiers.apply(order(1, predecessor=before), actor=WINDOW)
    assert problems(caught) == {("holder", "dossier_other_holder")}
    id_ = decided(dossiers, 3, holder="", predecessor=before)
    # Who hands out may be the approver: the reviewer is then the second.
    done = dossiers.hand_out(id_, actor=CHIEF)
    after = done.value["licence"]
    assert after.split(".")[-2] == f"{int(before.split('.')[-2]) + 1:03d}"
    assert (dossiers.counter.licence(before)["state"], dossiers.counter.licence(after)["state"]) == ("05", "01")
    with pytest.raises(CaseInvalidError) as ended:
        dossiers.apply(order(3, predecessor=before, change=True), actor=WINDOW)
    assert problems(ended) == {("predecessor", "dossier_predecessor")}


def test_a_renewal_comes_in_its_time(dossiers):
    before = dossiers.hand_out(decided(dossiers, 3, ONE), actor=CHIEF).value["licence"]
    with pytest.raises(CaseInvalidError) as caught:
        dossiers.apply(order(3, ONE, predecessor=before), actor=WINDOW)
    assert problems(caught) == {("predecessor", "dossier_renewal_when")}
    changed = dossiers.apply(order(3, ONE, predecessor=before, change=True), actor=WINDOW).case
    assert changed.value["purpose"] == "change"
    with pytest.raises(CaseInvalidError):
        dossiers.apply(order(3, TWO, predecessor=before), actor=WINDOW)


# --- what is kept secret ----------------------------------------------------------------------------------------------

HOSTILE = (
    "a\x00b",
    "\ud800",
    "\u202e反",
    "x" * 501,
    "  ",
    f"持证人 {IDS[3]} 申请",
    f"持证人 {IDS[3][:6]}-{IDS[3][6:]} 申请",
    "电话 13800138000",
    "a\r\nset-cookie: a=b",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_refused_in_every_field_and_not_repeated(dossiers, text):
    for changes in ({"reason": text}, {"ground": text}, {"materials": (text,)}, {"channel": text}):
        with pytest.raises(CaseInvalidError) as caught:
            dossiers.apply(order(3, **changes), actor=WINDOW)
        said = caught.value.text("zh") + caught.value.text("en")
        assert text.strip() not in said or not text.strip()
        assert IDS[3] not in said
    for changes in ({"holder": text}, {"record": {text: "1"}}, {"stated": {text: "1"}}):
        with pytest.raises(CaseInvalidError):
            dossiers.apply(order(3, **changes), actor=WINDOW)
    id_ = dossiers.apply(order(3), actor=WINDOW).case.id
    for step in (
        lambda: dossiers.ask(id_, actor=REVIEWER, reason=text, ground=LAW),
        lambda: dossiers.refuse(id_, actor=REVIEWER, reason=WHY, ground=text),
        lambda: dossiers.review(id_, actor=REVIEWER, reason=text if text.strip() else "x" * 501),
    ):
        with pytest.raises((CaseInvalidError, DossierRefusedError)):
            step()
    assert dossiers.get(id_).revision == 1


def test_markup_and_formulas_are_kept_as_text(office, dossiers):
    text = "'; DROP TABLE cases; -- <script>=HYPERLINK(1) {0} %s"
    case = dossiers.apply(order(3, reason=text, ground=text), actor=WINDOW).case
    assert (case.value["reason"], dossier_plain(office, dossiers, case)["history"][0]["note"]) == (text, text)


def test_nothing_of_the_holder_is_in_log_rows_bodies_or_notices(office, dossiers, settings):
    id_ = decided(dossiers, 4)
    dossiers.look(id_, actor=CHIEF)
    case = dossiers.hand_out(id_, actor=CHIEF)
    secret = (IDS[4], *NAMES)
    leaves = b"".join(office.evidence.log.entries(0, office.evidence.log.size)).decode()
    with office.control.reading() as connection:
        rows = json.dumps([dict(row.value) for row in connection.execute(CaseRow.__table__.select())])
    notices = "".join(n.text(lang) for n in tray(office.control, "RS", unread_only=False) for lang in ("zh", "en"))
    shown = json.dumps(dossier_plain(office, dossiers, case), ensure_ascii=False)
    for text in (leaves, rows, notices, shown):
        assert not [one for one in secret if one in text]
    own = [e for e in entries(office) if e.kind.startswith("dossier.")]
    for entry in own:
        body = json.dumps(office.evidence.bodies.get(entry.body_digest)[1], ensure_ascii=False)
        assert not [one for one in secret if one in body]


def test_a_sealed_holder_opens_for_its_own_case_alone(dossiers):
    from hub.errors import KeyFileError

    sealed = dossiers.holders.seal("Z1", {"holder": IDS[0]})
    assert dossiers.holders.open("Z1", sealed) == {"holder": IDS[0]}
    for case, text in (("Z2", sealed), ("Z1", sealed[:-4] + "AAAA"), ("Z1", ""), ("Z1", "%")):
        with pytest.raises(KeyFileError) as caught:
            dossiers.holders.open(case, text)
        assert IDS[0] not in str(caught.value)
