"""Decisions on licences: two persons, the issuing unit alone, reason and ground, crashes, reliance; and lapsing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from catalog.steps import CaseError, CaseInvalidError, NotYoursError, StepNotAllowedError
from hub.actors import Actor
from hub.control import LicenceRow
from hub.control.copy_models import LicenceCopyRow
from hub.deadlines import tray_of
from hub.errors import CaseConflictError, LicenceUnknownError
from hub.licensing import Licensing
from hub.licensing.dossiers import lapsing
from hub.licensing.dossiers.errors import DossierHandsError, DossierStepError, DossierUnitError
from hub.licensing.dossiers.views import decision_plain
from hub.notices import tray
from licence.errors import SignerError
from licence.lifecycle import Action
from tests.hub.licensing.dossiers.conftest import CHIEF, LAW, ONE, REVIEWER, STRANGER, WINDOW, decided, entries
from tests.hub.licensing.dossiers.test_dossiers import DiedError, problems, together
from tests.hub.world import IDS

WHY = "经核查，持证人已不符合条件"


@pytest.fixture
def licence(dossiers):
    """A licence that two persons decide about."""
    return dossiers.hand_out(decided(dossiers, 0), actor=WINDOW).value["licence"]


@pytest.fixture
def card(dossiers):
    return dossiers.hand_out(decided(dossiers, 1, ONE), actor=WINDOW).value["licence"]


@pytest.fixture
def licensing(dossiers):
    return dossiers.counter._office


def state(dossiers, identifier):
    return dossiers.counter.licence(identifier)["state"]


def test_two_officers_decide_and_the_second_is_another(office, dossiers, licence):
    case = dossiers.propose(licence, "suspend", actor=REVIEWER, reason=WHY, ground=LAW)
    assert (case.state, case.rule, case.answerer) == ("proposed", "licence.confirm", "RS")
    assert state(dossiers, licence) == "01"
    assert case.id in [c.id for c, _ in tray_of(office, "RS")]
    assert "decision_to_confirm" in [n.kind for n in tray(office.control, "RS")]
    for same in (REVIEWER, Actor("RS", "ＲＥＶＩＥＷＥＲ")):
        with pytest.raises(DossierHandsError):
            dossiers.confirm(case.id, actor=same)
    done = dossiers.confirm(case.id, actor=CHIEF, revision=1)
    assert (done.state, state(dossiers, licence)) == ("done", "02")
    change = dossiers.counter.licence(licence)["history"][-1]
    assert (change["action"], change["officer"], change["second"]) == ("suspend", "reviewer", "chief")
    own = [e for e in entries(office) if e.kind.startswith("decision.")]
    assert [e.kind for e in own] == ["decision.propose", "decision.confirm", "decision.take_effect"]
    assert (own[-1].facts["first"], own[-1].facts["second"]) == ("reviewer", "chief")
    assert WHY not in str([e.plain() for e in entries(office)])
    with pytest.raises(StepNotAllowedError):
        dossiers.confirm(case.id, actor=CHIEF)
    shown = decision_plain(office, dossiers, done)
    assert [s["step"] for s in shown["history"]] == ["propose", "confirm", "take_effect"]


def test_one_decides_where_the_kind_says_so(dossiers, card):
    assert dossiers.propose(card, "suspend", actor=WINDOW, reason=WHY, ground=LAW).state == "done"
    with pytest.raises(DossierStepError) as caught:
        dossiers.propose(card, "transfer", actor=WINDOW, reason=WHY, ground=LAW)
    assert "resume" in str(caught.value)
    assert dossiers.propose(card, "withdraw", actor=WINDOW, reason=WHY, ground=LAW).state == "done"
    assert state(dossiers, card) == "07"


def test_another_department_is_told_that_it_is_another_and_not_how_the_licence_stands(office, dossiers, licence, card):
    dossiers.propose(card, "revoke", actor=WINDOW, reason=WHY, ground=LAW)
    with pytest.raises(DossierStepError):
        dossiers.propose(card, "resume", actor=WINDOW, reason=WHY, ground=LAW)
    dossiers.propose(licence, "suspend", actor=REVIEWER, reason=WHY, ground=LAW)
    size = office.evidence.log.size
    for one in (card, licence):
        for action, words in (("resume", {"reason": WHY, "ground": LAW}), ("suspend", {"reason": "", "ground": ""})):
            with pytest.raises(DossierUnitError) as caught:
                dossiers.propose(one, action, actor=STRANGER, **words)
            told = caught.value.text("en") + caught.value.text("zh")
            assert not [word for word in ("revoked", "撤销", "valid", "有效", "now") if word in told], told
    assert office.evidence.log.size == size


def test_only_the_issuing_unit_with_reason_and_ground(dossiers, licence):
    with pytest.raises(DossierUnitError):
        dossiers.propose(licence, "revoke", actor=STRANGER, reason=WHY, ground=LAW)
    for words in ({"reason": " ", "ground": LAW}, {"reason": WHY, "ground": ""}, {"reason": "x" * 501, "ground": LAW}):
        with pytest.raises(CaseInvalidError):
            dossiers.propose(licence, "revoke", actor=REVIEWER, **words)
    with pytest.raises(CaseInvalidError) as caught:
        dossiers.propose(licence, "expire", actor=REVIEWER, reason=WHY, ground=LAW)
    assert problems(caught) == {("action", "decision_action")}
    with pytest.raises(LicenceUnknownError):
        dossiers.propose("1.2.3", "revoke", actor=REVIEWER, reason=WHY, ground=LAW)
    case = dossiers.propose(licence, "revoke", actor=REVIEWER, reason=WHY, ground=LAW)
    for step in (
        lambda: dossiers.confirm(case.id, actor=STRANGER, revision=7),
        lambda: dossiers.drop(case.id, actor=STRANGER, reason=WHY),
    ):
        with pytest.raises(NotYoursError):
            step()
    with pytest.raises(CaseInvalidError) as waiting:
        dossiers.propose(licence, "cancel", actor=CHIEF, reason=WHY, ground=LAW)
    assert problems(waiting) == {("licence", "decision_waiting")}
    assert dossiers.drop(case.id, actor=REVIEWER, reason="有误").state == "dropped"
    with pytest.raises(StepNotAllowedError):
        dossiers.confirm(case.id, actor=CHIEF)
    assert state(dossiers, licence) == "01"


def test_a_licence_that_has_moved_on_is_not_decided_about(dossiers, licensing, licence):
    case = dossiers.propose(licence, "suspend", actor=REVIEWER, reason=WHY, ground=LAW)
    order = {"by": "RS", "reason": "另案", "ground": LAW, "officer": "a", "second": "b"}
    licensing.change(licence, Action.CANCEL, **order)
    with pytest.raises(DossierStepError):
        dossiers.confirm(case.id, actor=CHIEF)
    assert dossiers.decision(case.id).state == "proposed"
    dossiers.drop(case.id, actor=REVIEWER, reason="已注销")


@pytest.mark.parametrize("moment", ["change", "changed", "close"])
def test_a_crash_while_it_is_carried_out_is_mended_by_confirming_again(office, dossiers, licence, monkeypatch, moment):
    case = dossiers.propose(licence, "revoke", actor=REVIEWER, reason=WHY, ground=LAW)
    counter = type(dossiers.counter)

    def die(*_given, **_named):
        raise DiedError

    original, act = counter.change, type(dossiers)._decided
    with monkeypatch.context() as patch:
        if moment == "change":
            patch.setattr(counter, "change", die)
        elif moment == "changed":
            patch.setattr(counter, "change", lambda *a, **k: (original(*a, **k), die())[0])
        else:
            patch.setattr(
                type(dossiers),
                "_decided",
                lambda self, *a, step, **k: die() if step == "take_effect" else act(self, *a, step=step, **k),
            )
        with pytest.raises(DiedError):
            dossiers.confirm(case.id, actor=CHIEF)
    assert dossiers.decision(case.id).state == "confirmed"
    with pytest.raises(StepNotAllowedError):  # what was agreed to is not given up
        dossiers.drop(case.id, actor=REVIEWER, reason="有误")
    assert dossiers.confirm(case.id, actor=CHIEF).state == "done"
    assert state(dossiers, licence) == "03"
    changes = [e for e in entries(office) if e.kind == "licence.status" and e.facts["licence"] == licence]
    assert [e.facts["state"] for e in changes] == ["03"]


def test_what_could_not_be_carried_out_is_closed_as_void(dossiers, licensing, licence, monkeypatch):
    case = dossiers.propose(licence, "suspend", actor=REVIEWER, reason=WHY, ground=LAW)
    original = type(dossiers.counter).change

    def first(*given, **named):  # somebody else is quicker
        order = {"by": "RS", "reason": "另案", "ground": LAW, "officer": "a", "second": "b"}
        licensing.change(licence, Action.CANCEL, **order)
        return original(*given, **named)

    monkeypatch.setattr(type(dossiers.counter), "change", first)
    with pytest.raises(CaseError) as caught:
        dossiers.confirm(case.id, actor=CHIEF)
    closed = dossiers.decision(case.id)
    assert (closed.state, closed.open, closed.value["why"]) == ("void", False, caught.value.text("zh"))


def test_of_two_who_confirm_at_once_one_wins(office, dossiers, licence):
    case = dossiers.propose(licence, "suspend", actor=REVIEWER, reason=WHY, ground=LAW)
    found = together(
        lambda: dossiers.confirm(case.id, actor=CHIEF, revision=1),
        lambda: dossiers.confirm(case.id, actor=WINDOW, revision=1),
    )
    assert sum(isinstance(one, CaseConflictError) for one in found) == 1, found
    assert sum(e.kind == "licence.status" for e in entries(office)) == 1


def test_who_relied_on_a_licence_is_shown_before_it_is_decided(dossiers, office, licence):
    now = datetime.now(UTC)
    # Whatever else a copy's row needs to be one is no matter here.
    row = {c.name: "" for c in LicenceCopyRow.__table__.columns if not c.nullable and c.type.python_type is str}
    row |= {"licence": licence, "made_at": now, "log_index": 0}
    copies = [
        {"id": "1", "department": "MZ", "valid_until": now + timedelta(days=1), "withdrawn_at": None},
        {"id": "2", "department": "MZ", "valid_until": now + timedelta(days=1), "withdrawn_at": None},
        {"id": "3", "department": "GA", "valid_until": now + timedelta(days=1), "withdrawn_at": now},
        {"id": "4", "department": "GA", "valid_until": now - timedelta(days=1), "withdrawn_at": None},
    ]
    with office.control.writing() as connection:
        connection.execute(sa.insert(LicenceCopyRow), [row | copy for copy in copies])
    case = dossiers.propose(licence, "revoke", actor=REVIEWER, reason=WHY, ground=LAW)
    relied = decision_plain(office, dossiers, case)["relied_on"]
    assert relied == {"copies": [{"department": "MZ", "in_force": 2}], "copies_in_force": 2}
    with pytest.raises(LicenceUnknownError):
        dossiers.relied_on("1.2.3")


# --- lapsing ----------------------------------------------------------------------------------------------------------


def end(licensing, *identifiers, at):
    with licensing.control.writing() as connection:
        query = sa.update(LicenceRow).where(LicenceRow.identifier.in_(identifiers))
        connection.execute(query.values(valid_until=at))


@pytest.fixture
def ended(dossiers, licensing, licence, card):
    """Three licences whose validity has ended, one of them suspended, and one that goes on."""
    third = dossiers.hand_out(decided(dossiers, 3, ONE), actor=WINDOW).value["licence"]
    other = dossiers.hand_out(decided(dossiers, 4, ONE), actor=WINDOW).value["licence"]
    dossiers.propose(card, "suspend", actor=WINDOW, reason=WHY, ground=LAW)
    end(licensing, licence, card, third, at=datetime.now(UTC) - timedelta(seconds=1))
    return (licence, card, third), other


def test_what_has_ended_lapses_in_groups_with_one_publication(office, dossiers, licensing, ended, monkeypatch):
    monkeypatch.setattr(lapsing, "LICENCES_PER_GROUP", 2)
    over, other = ended
    start = office.evidence.log.size
    assert lapsing.lapse_due(licensing) == 3
    assert ([state(dossiers, one) for one in over], state(dossiers, other)) == (["05"] * 3, "01")
    written = entries(office, start)
    assert [e.kind for e in written] == ["licence.status"] * 3 + ["status.published"]
    assert not [e for e in written if any(secret in str(e.plain()) for secret in IDS)]
    start = office.evidence.log.size
    assert lapsing.lapse_due(licensing) == 0
    assert office.evidence.log.size == start
    with pytest.raises(DossierStepError):
        dossiers.propose(over[0], "suspend", actor=REVIEWER, reason=WHY, ground=LAW)


def test_a_crash_between_entries_and_commit_leaves_it_to_the_next_run(office, dossiers, licensing, ended, monkeypatch):
    def die(*_given, **_named):
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(lapsing, "_stale", die)
        with pytest.raises(DiedError):
            lapsing.lapse_due(licensing)
    assert [state(dossiers, one) for one in ended[0]] == ["01", "02", "01"]
    with monkeypatch.context() as patch:
        patch.setattr(Licensing, "publish_status", die)
        with pytest.raises(DiedError):
            lapsing.lapse_due(licensing)
    start = office.evidence.log.size
    # The rows are done; what they left is a list that does not tell the truth yet.
    assert lapsing.lapse_due(licensing) == 0
    assert [e.kind for e in entries(office, start)] == ["status.published"]


def test_one_whose_last_change_lies_ahead_stops_nobody(dossiers, licensing, ended, monkeypatch):
    monkeypatch.setattr(lapsing, "LICENCES_PER_GROUP", 1)
    (first, *_), _ = ended
    row = dossiers.counter.licence(first)
    ahead = [{**row["history"][-1], "at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}]
    with licensing.control.writing() as connection:
        connection.execute(sa.update(LicenceRow).where(LicenceRow.identifier == first).values(history=ahead))
    assert lapsing.lapse_due(licensing) == 2
    assert state(dossiers, first) == "01"


def test_the_task_lapses_what_is_due(settings, dossiers, licensing, ended, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    assert lapsing.lapse_due_once() == {"lapsed": 3}


def test_a_signer_that_is_gone_voids_no_decision_and_confirming_again_closes_it(dossiers, licence, licensing):
    case = dossiers.propose(licence, "suspend", actor=REVIEWER, reason=WHY, ground=LAW)

    def gone(name):
        raise SignerError("signer_gone", detail="no token is in the slot")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(licensing, "publish_status", gone)
        with pytest.raises(SignerError):
            dossiers.confirm(case.id, actor=CHIEF)
    assert dossiers.decision(case.id).open
    assert state(dossiers, licence) == "02"
    assert dossiers.confirm(case.id, actor=CHIEF).state == "done"
    # The list is behind until the periodic task finds that it is.
    assert licensing.refresh() == ["1"]
