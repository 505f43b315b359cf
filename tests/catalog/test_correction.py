from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import correction as machine
from catalog.correction import FAULTS, GROUNDS, MAX_TEXT_CHARS, Correction, Disputed, Fault, Ground, State
from catalog.model import Field, FieldKind, FieldType
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError
from tests.hub.world import IDS, resource

TODAY = date(2026, 3, 2)
PERSON = IDS[0]
SECRET = "王小明住在人民路 8 号"


def claim(**changes):
    values = {
        "id": "K1",
        "state": State.SUBMITTED,
        "consumer": "RS",
        "provider": "GA",
        "office": "SJ",
        "resource": "306010/000001",
        "list_version": "sha256:0",
        "disputed": Disputed(Fault.WRONG_VALUE, (("citizen_id", PERSON),), ("address",)),
        "wrong": SECRET,
        "right": SECRET,
        "evidence": SECRET,
    }
    return Correction(**{**values, **changes})


def submitted(**changes):
    return machine.submit(claim(**changes), resource())


def take(step, correction, by):
    words = {
        "ask": lambda: machine.ask(correction, by=by, question="哪一年？"),
        "supply": lambda: machine.supply(correction, by=by, reply="2024"),
        "accept": lambda: machine.accept(correction, by=by, mend_by=TODAY, today=TODAY),
        "reject": lambda: machine.reject(correction, by=by, ground=Ground.CORRECT, answer="核实无误"),
        "mended": lambda: machine.mended(correction, by=by, where="7", checked="changed"),
        "withdraw": lambda: machine.withdraw(correction, by=by),
        "appeal": lambda: machine.appeal(correction, by=by, why="仍然有误"),
        "settle": lambda: machine.settle(correction, by=by, upheld=True, verdict="应更正", today=TODAY, mend_by=TODAY),
    }
    return words[step]()


STEPS = ("ask", "supply", "accept", "reject", "mended", "withdraw", "appeal", "settle")
PARTIES = ("RS", "GA", "SJ", "MZ")


def codes(error):
    return [(p.where, p.code) for p in error.value.problems]


def test_from_claim_to_mended_by_way_of_a_question():
    case = submitted()
    for step, by, state in (
        ("ask", "GA", State.ASKED),
        ("supply", "RS", State.SUBMITTED),
        ("accept", "GA", State.ACCEPTED),
        ("mended", "GA", State.MENDED),
    ):
        case = take(step, case, by)
        assert case.state is state
    assert (case.open, case.mended, case.checked) == (False, "7", "changed")


def test_the_office_settles_a_rejection_once():
    case = take("appeal", take("reject", submitted(), "GA"), "RS")
    assert case.open
    upheld = take("settle", case, "SJ")
    assert (upheld.state, upheld.mend_by) == (State.ACCEPTED, TODAY.isoformat())
    with pytest.raises(CaseInvalidError) as error:
        take("appeal", take("mended", upheld, "GA"), "RS")
    assert codes(error) == [("why", "correction_appealed")]
    stands = machine.settle(case, by="SJ", upheld=False, verdict="数据无误", today=TODAY)
    assert (stands.state, stands.open) == (State.DISMISSED, False)


def test_an_appeal_needs_an_office_that_settles_it():
    with pytest.raises(CaseInvalidError) as error:
        take("appeal", take("reject", submitted(office=""), "GA"), "RS")
    assert codes(error) == [("why", "correction_no_office")]


@pytest.mark.parametrize("state", list(State))
def test_allowed_is_exactly_what_is_possible(state):
    """Every step in every state by every department: what `allowed` names succeeds, all else is refused."""
    case = replace(submitted(), state=state)
    for by in PARTIES:
        possible = []
        for step in STEPS:
            try:
                after = take(step, case, by)
            except (NotYoursError, StepNotAllowedError):
                continue
            possible.append(step)
            assert after.state is not state
        assert tuple(possible) == tuple(step for step in STEPS if step in machine.allowed(case, by))


def test_who_may_not_act_learns_nothing_of_the_state():
    with pytest.raises(NotYoursError) as error:
        machine.accept(take("withdraw", submitted(), "RS"), by="MZ", mend_by=TODAY, today=TODAY)
    assert "withdrawn" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"wrong": " "}, [("wrong", "correction_text_missing")]),
        (
            {"right": "", "evidence": ""},
            [("right", "correction_text_missing"), ("evidence", "correction_text_missing")],
        ),
        ({"wrong": "字" * (MAX_TEXT_CHARS + 1)}, [("wrong", "correction_text_long")]),
        (
            {"disputed": Disputed(Fault.WRONG_VALUE, (("citizen_id", PERSON),))},
            [("fields", "correction_field_missing")],
        ),
        ({"disputed": Disputed(Fault.OUTDATED)}, [("key", "correction_key_missing")]),
        ({"disputed": Disputed(Fault.OUTDATED, (("name", SECRET),))}, [("key", "correction_key_unknown")]),
        ({"disputed": Disputed(Fault.OUTDATED, (("citizen_id", ""),))}, [("key.citizen_id", "correction_key_value")]),
        ({"disputed": Disputed(Fault.LATE, (("citizen_id", PERSON),))}, [("key", "correction_key_needless")]),
        (
            {"disputed": Disputed(Fault.OTHER, (("name", SECRET),), (SECRET,)), "wrong": ""},
            [
                ("key", "correction_key_unknown"),
                ("fields", "correction_field_unknown"),
                ("wrong", "correction_text_missing"),
            ],
        ),
    ],
)
def test_everything_to_mend_is_told_at_once_and_quotes_nobody(changes, expected):
    with pytest.raises(CaseInvalidError) as error:
        submitted(**changes)
    assert codes(error) == expected
    told = error.value.text("zh") + error.value.text("en")
    assert SECRET not in told
    assert PERSON not in told


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.STRUCTURE, Fault.OTHER])
def test_a_resource_as_such_can_be_disputed(fault):
    case = submitted(disputed=Disputed(fault), right="", evidence="")
    assert case.disputed.key == ()
    assert case.open


@pytest.mark.parametrize("days", [-1, machine.MAX_MEND_DAYS + 1])
def test_a_promise_is_for_a_day_that_can_be_kept(days):
    with pytest.raises(CaseInvalidError) as error:
        machine.accept(submitted(), by="GA", mend_by=TODAY + timedelta(days=days), today=TODAY)
    assert codes(error) == [("mend_by", "correction_mend_date")]


def test_an_upheld_dispute_needs_a_day_too():
    case = take("appeal", take("reject", submitted(), "GA"), "RS")
    with pytest.raises(CaseInvalidError) as error:
        machine.settle(case, by="SJ", upheld=True, verdict="应更正", today=TODAY)
    assert codes(error) == [("mend_by", "correction_mend_date")]


@given(st.sampled_from(list(State)), st.sampled_from(list(Fault)), st.text(max_size=20), st.integers(-1, 99))
def test_what_is_stored_is_what_is_read_back(state, fault, text, entry):
    case = claim(state=state, disputed=Disputed(fault, (("citizen_id", text),), ("name",)), wrong=text, entry=entry)
    assert Correction.from_plain(case.to_plain()) == case


def field(kind, *size):
    return Field("f", "数据项", FieldType(kind, *size))


@given(st.integers(-(10**18), 10**18), st.integers(0, 4), st.sampled_from(["", "+"]))
def test_equal_integers_have_one_stored_form(number, zeros, sign):
    written = f"-{'0' * zeros}{-number}" if number < 0 else f"{sign}{'0' * zeros}{number}"
    assert machine.stored_form(field(FieldKind.INTEGER), written) == machine.value_text(number)


@given(st.decimals(-(10**6), 10**6, places=2), st.integers(0, 3))
def test_equal_decimals_have_one_stored_form(number, zeros):
    expected = str(abs(number) if number == 0 else number)
    assert machine.stored_form(field(FieldKind.DECIMAL, 12, 2), f"{number}{'0' * zeros}") == expected
    assert Decimal(expected) == number


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FieldKind.INTEGER, "七"),
        (FieldKind.INTEGER, "٣"),
        (FieldKind.INTEGER, "+-3"),
        (FieldKind.DECIMAL, "1.005"),
        (FieldKind.DECIMAL, "NaN"),
        (FieldKind.DECIMAL, "x"),
        (FieldKind.BOOLEAN, "也许"),
        (FieldKind.DATE, "2026-02-30"),
        (FieldKind.STRING, ""),
    ],
)
def test_what_is_no_value_of_the_type_has_no_stored_form(kind, text):
    assert machine.stored_form(field(kind, 12, 2), text) is None


def test_every_fault_ground_and_problem_speaks_both_languages():
    assert FAULTS.keys() == set(Fault)
    assert GROUNDS.keys() == set(Ground)
    for en, zh in (*FAULTS.values(), *GROUNDS.values(), *machine.PROBLEMS.values()):
        assert en.isascii()
        assert not zh.isascii()
