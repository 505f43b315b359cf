from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from licence.errors import EventRefusedError, IdentifierError
from licence.identifiers import mint
from licence.lifecycle.dossier import MAX_EVENTS, Event, Phase, Step, advance, next_version, open_dossier, replay
from licence.lifecycle.states import State
from licence.status import Status
from tests.licence.world import AGRICULTURE, ISSUED, KIND

UNIT = KIND.issuer
ID = str(mint(type_code=KIND.code, issuer=AGRICULTURE, serial="1"))
ID2 = str(mint(type_code=KIND.code, issuer=AGRICULTURE, serial="1", version=2))
TWO = replace(KIND, approvals=2)


def event(step, hours=0, officer="a", second="b", **changes):
    if step is Step.ISSUE:
        changes.setdefault("licence", ID)
    if step in {Step.RENEW, Step.CHANGE}:
        changes.setdefault("licence", ID2)
    values = {"unit": UNIT, "at": ISSUED + timedelta(hours=hours), "reason": "申请", "ground": "第十条", **changes}
    return Event(step=step, officer=officer, second=second, **values)


def walk(*steps, kind=KIND, start=None):
    found = start or open_dossier(kind)
    officers = {Step.APPLY: "clerk", Step.REVIEW: "reviewer", Step.APPROVE: "chief"}
    for hours, step in enumerate(steps):
        found = advance(found, event(step, hours, officers.get(step, "a")))
    return found


def refused(dossier, what):
    with pytest.raises(EventRefusedError) as caught:
        advance(dossier, what)
    for lang in ("en", "zh"):
        assert "<" not in caught.value.text(lang)
    return caught.value


ISSUE = (Step.APPLY, Step.REVIEW, Step.ISSUE)
ISSUE_BY_TWO = (Step.APPLY, Step.REVIEW, Step.APPROVE, Step.ISSUE)


def test_from_application_to_licence():
    found = walk(*ISSUE)
    assert (found.phase, found.licence, found.status) == (State.VALID, ID, Status.VALID)
    assert walk(Step.APPLY, Step.REVIEW).status is None
    assert walk(*ISSUE_BY_TWO, kind=TWO).phase is State.VALID


@pytest.mark.parametrize(
    ("step", "state"),
    [
        (Step.SUSPEND, State.SUSPENDED),
        (Step.RENEW, State.LAPSED),
        (Step.CHANGE, State.LAPSED),
        (Step.TRANSFER, State.TRANSFERRED),
        (Step.REVOKE, State.REVOKED),
        (Step.CANCEL, State.CANCELLED),
        (Step.LAPSE, State.LAPSED),
        (Step.WITHDRAW, State.WITHDRAWN),
    ],
)
def test_steps_of_a_licence(step, state):
    found = walk(*ISSUE, step)
    assert found.phase is state
    assert found.successor == (ID2 if step in {Step.RENEW, Step.CHANGE} else "")
    if state is not State.SUSPENDED:
        assert found.possible() == ()
        for further in Step:
            error = refused(found, event(further, 9))
            assert error.code == "event_not_possible"
            assert "终态" in error.text("zh")


def test_the_refusal_says_what_is_possible():
    error = refused(walk(Step.APPLY), event(Step.ISSUE))
    assert error.code == "event_not_possible"
    assert "受理" in error.text("zh")
    for step in (Step.RETURN, Step.REVIEW, Step.REFUSE, Step.ABANDON):
        assert step.value in error.text("en")
        assert step.zh in error.text("zh")


def test_a_review_is_not_an_approval_where_two_decide():
    reviewed = walk(Step.APPLY, Step.REVIEW, kind=TWO)
    assert Step.ISSUE not in reviewed.possible()
    assert refused(reviewed, event(Step.ISSUE, 5)).code == "event_not_possible"
    assert Step.APPROVE not in walk(Step.APPLY, Step.REVIEW).possible()


@pytest.mark.parametrize("same", ["clerk", "CLERK", " clerk ", "ｃｌｅｒｋ"])
def test_who_took_it_in_does_not_review(same):
    applied = walk(Step.APPLY, kind=TWO)
    assert refused(applied, event(Step.REVIEW, 1, same)).code == "event_same_person"
    assert advance(applied, event(Step.REVIEW, 1, "x")).phase is Phase.REVIEWED
    # One person may do all of it where the kind asks for no more.
    assert advance(walk(Step.APPLY), event(Step.REVIEW, 1, same)).phase is Phase.REVIEWED


def test_who_reviewed_does_not_approve():
    reviewed = walk(Step.APPLY, Step.REVIEW, kind=TWO)
    assert refused(reviewed, event(Step.APPROVE, 2, "Reviewer")).code == "event_same_person"


def test_a_return_does_not_wash_clean():
    # The clerk's application comes back, another takes it in again: the clerk still may not review it.
    again = advance(walk(Step.APPLY, Step.RETURN, kind=TWO), event(Step.APPLY, 5, "other"))
    assert refused(again, event(Step.REVIEW, 6, "clerk")).code == "event_same_person"
    reviewed = advance(walk(Step.APPLY, Step.REVIEW, Step.RETURN, Step.APPLY, kind=TWO), event(Step.REVIEW, 6, "z"))
    assert refused(reviewed, event(Step.APPROVE, 7, "reviewer")).code == "event_same_person"


@pytest.mark.parametrize("step", [Step.SUSPEND, Step.REVOKE, Step.WITHDRAW, Step.RENEW, Step.TRANSFER, Step.CANCEL])
def test_later_decisions_need_a_second_person_too(step):
    licence = walk(*ISSUE_BY_TWO, kind=TWO)
    assert refused(licence, event(step, 9, second="")).code == "event_without"
    assert refused(licence, event(step, 9, "a", second="A ")).code == "event_same_person"
    assert advance(licence, event(step, 9, "a", second="b")).phase is not State.VALID
    assert advance(walk(*ISSUE), event(step, 9, second="")).phase is not State.VALID


def test_a_term_runs_out_without_a_second_person():
    assert advance(walk(*ISSUE_BY_TWO, kind=TWO), event(Step.LAPSE, 9, second="")).phase is State.LAPSED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"unit": "forestry"}, "event_other_unit"),
        ({"reason": " "}, "event_without"),
        ({"ground": ""}, "event_without"),
        ({"officer": "\n"}, "event_without"),
        ({"reason": "x" * 501}, "event_without"),
        ({"at": ISSUED - timedelta(seconds=1)}, "event_before_last"),
        ({"at": datetime(2030, 1, 1)}, "event_time_not_aware"),  # noqa: DTZ001 - what is refused
        ({"licence": ID2}, "event_wrong_licence"),
    ],
)
def test_what_a_step_must_say(changes, code):
    assert refused(walk(*ISSUE), replace(event(Step.REVOKE, 5), **changes)).code == code


@pytest.mark.parametrize(
    "licence", ["", "x", ID[:-1] + "!", str(mint(type_code=AGRICULTURE + "001", issuer=AGRICULTURE, serial="1"))]
)
def test_what_is_issued_is_an_identifier_of_the_kind(licence):
    assert refused(walk(Step.APPLY, Step.REVIEW), event(Step.ISSUE, 5, licence=licence)).code == "event_wrong_licence"


def test_a_new_version_follows_its_predecessor():
    other = str(mint(type_code=KIND.code, issuer=AGRICULTURE, serial="2", version=2))
    for wrong in ("", ID, other, str(next_version(ID2))):
        assert refused(walk(*ISSUE), event(Step.RENEW, 5, licence=wrong)).code == "event_wrong_licence"
    fresh = walk(Step.APPLY, Step.REVIEW, start=open_dossier(KIND, predecessor=ID))
    assert refused(fresh, event(Step.ISSUE, 5, licence=ID)).code == "event_wrong_licence"
    assert advance(fresh, event(Step.ISSUE, 5, licence=ID2)).licence == ID2


def test_the_last_version():
    last = str(mint(type_code=KIND.code, issuer=AGRICULTURE, serial="1", version=999))
    with pytest.raises(IdentifierError):
        next_version(last)
    licence = walk(Step.APPLY, Step.REVIEW)
    licence = advance(licence, event(Step.ISSUE, 5, licence=last))
    assert refused(licence, event(Step.RENEW, 6)).code == "event_wrong_licence"


def test_codes_of_operations_are_told_apart():
    assert len({s.operation_code for s in Step}) == len({s.zh for s in Step}) == len(Step)


def test_a_history_is_bounded():
    found = walk(*ISSUE)
    more = [event(Step.SUSPEND if i % 2 == 0 else Step.RESUME, 9) for i in range(MAX_EVENTS)]
    with pytest.raises(EventRefusedError) as caught:
        replay(found, more)
    assert caught.value.code == "history_too_long"
    full = replay(found, more[: MAX_EVENTS - 3])
    assert len(full.events) == MAX_EVENTS
    assert refused(full, more[0]).code == "history_too_long"


# An independent statement of the rules: what leads where, told by hand.
TABLE = {
    "new": "apply>applied",
    "applied": "return>returned review>reviewed refuse>refused abandon>application withdrawn",
    "returned": "apply>applied refuse>refused abandon>application withdrawn",
    "reviewed": "return>returned {decide} refuse>refused abandon>application withdrawn",
    "approved": "issue>01 abandon>application withdrawn",
    "01": "suspend>02 renew>05 change>05 transfer>06 revoke>03 cancel>04 lapse>05 withdraw>07",
    "02": "resume>01 revoke>03 cancel>04 lapse>05 withdraw>07",
}


def allowed(phase, persons):
    text = TABLE.get(phase, "").replace("{decide}", "issue>01" if persons == 1 else "approve>approved")
    text = text.replace("application withdrawn", "application_withdrawn")
    return {s: p.replace("_", " ") for s, _, p in (item.partition(">") for item in text.split())}


class LifeCycle(RuleBasedStateMachine):
    """Any steps by any officers: what the table and the two-person rule allow happens, all else is refused."""

    def __init__(self):
        super().__init__()
        self.dossier = None
        self.phase, self.hours = "new", 0
        self.took_in, self.reviewed = set(), set()

    @rule(
        step=st.sampled_from(Step),
        officer=st.sampled_from("abc"),
        second=st.sampled_from(["", "a", "b"]),
        unit=st.sampled_from([UNIT] * 9 + ["forestry"]),
        hours=st.sampled_from([0, 1, 1, 1, -1]),
        persons=st.sampled_from([1, 2]),
        likely=st.booleans(),
    )
    def take(self, step, officer, second, unit, hours, persons, likely):  # noqa: PLR0917 - hypothesis passes names
        if self.dossier is None:
            self.empty = open_dossier(replace(KIND, approvals=persons))
            self.dossier, self.persons = self.empty, persons
        table = allowed(self.phase, self.persons)
        if likely and table:
            step = Step(sorted(table)[list(Step).index(step) % len(table)])
        what = event(step, self.hours + hours, officer, second, unit=unit)
        good = step.value in table and unit == UNIT and (hours >= 0 or not self.dossier.events)
        if self.persons == 2:
            good &= not (step is Step.REVIEW and officer in self.took_in)
            good &= not (step is Step.APPROVE and officer in self.reviewed)
            if self.phase in {"01", "02"} and step is not Step.LAPSE:
                good &= second not in {"", officer}
        if not good:
            before = self.dossier
            refused(before, what)
            assert self.dossier == before
            return
        self.dossier = advance(self.dossier, what)
        self.phase, self.hours = table[step.value], self.hours + hours
        self.took_in |= {officer} if step is Step.APPLY else set()
        self.reviewed |= {officer} if step is Step.REVIEW else set()

    @invariant()
    def stands_where_the_table_says(self):
        if self.dossier is not None:
            assert self.dossier.phase.value == self.phase
            assert {s.value for s in self.dossier.possible()} == set(allowed(self.phase, self.persons))
            assert replay(self.empty, self.dossier.events) == self.dossier


LifeCycle.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLifeCycle = LifeCycle.TestCase
