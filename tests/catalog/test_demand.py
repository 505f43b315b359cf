"""The demand's states: every step by the right hands, every other step refused, and nothing personal kept."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import demand as machine
from catalog.demand import STEPS, Answer, Demand, DemandState, met_by, names_a_person, worth_keeping
from catalog.load import load
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError

LIST = replace(load(Path(__file__).parents[2] / "demo" / "responsibilities.yaml"), office="SZJ")
TODAY = date(2026, 3, 2)


def submitted(**changes):
    values = {"id_": "D1", "consumer": "MZJ", "words": "殡葬火化信息", "purpose": "停发养老待遇前核对"}
    return machine.submit(LIST, **{**values, **changes})


def claimed():
    return machine.claim(submitted(), department="WJW")


def codes(caught):
    return [(p.where, p.code) for p in caught.value.problems]


def test_from_asking_to_what_met_it():
    demand = machine.answer(claimed(), LIST, Answer("met", resource="3010010001"), by="WJW", today=TODAY)
    assert (demand.state, demand.resource, demand.holder) == (DemandState.MET, "3010010001", "WJW")
    refused = machine.answer(claimed(), LIST, Answer("refused", ground="《某法》第三条"), by="WJW", today=TODAY)
    assert (refused.state, refused.ground) == (DemandState.REFUSED, "《某法》第三条")
    planned = machine.answer(claimed(), LIST, Answer("planned", planned_on=date(2026, 9, 1)), by="WJW", today=TODAY)
    again = machine.answer(planned, LIST, Answer("met", resource="3010010001"), by="WJW", today=TODAY)
    assert (again.state, again.planned_on) == (DemandState.MET, None)


def test_the_office_assigns_and_only_the_office():
    assigned = machine.assign(claimed(), LIST, by="SZJ", department="GAJ")
    assert assigned.holder == "GAJ"
    with pytest.raises(NotYoursError):
        machine.assign(submitted(), LIST, by="GAJ", department="GAJ")
    with pytest.raises(NotYoursError):
        machine.assign(submitted(), replace(LIST, office=""), by="", department="GAJ")
    for department, code in (("XXX", "demand_department_unknown"), ("MZJ", "demand_department_own")):
        with pytest.raises(CaseInvalidError) as caught:
            machine.assign(submitted(), LIST, by="SZJ", department=department)
        assert codes(caught) == [("department", code)]


def test_each_step_has_its_hands():
    with pytest.raises(NotYoursError):
        machine.claim(submitted(), department="MZJ")
    with pytest.raises(NotYoursError):
        machine.answer(claimed(), LIST, Answer("refused", ground="《某法》"), by="GAJ", today=TODAY)
    with pytest.raises(NotYoursError):
        machine.withdraw(claimed(), by="WJW")
    assert machine.withdraw(claimed(), by="MZJ", why="不再需要").state is DemandState.WITHDRAWN


@pytest.mark.parametrize("state", DemandState)
def test_in_every_state_only_its_own_steps_are_possible(state):
    demand = replace(claimed(), state=state)
    steps = {
        "claim": lambda: machine.claim(demand, department="GAJ"),
        "assign": lambda: machine.assign(demand, LIST, by="SZJ", department="GAJ"),
        "answer": lambda: machine.answer(demand, LIST, Answer("refused", ground="《某法》"), by="WJW", today=TODAY),
        "withdraw": lambda: machine.withdraw(demand, by="MZJ"),
    }
    for name, step in steps.items():
        if name in STEPS[state]:
            assert isinstance(step(), Demand)
        else:
            with pytest.raises(StepNotAllowedError, match=state.value):
                step()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"words": " ", "purpose": "x" * 1_001},
            [("words", "demand_text_missing"), ("purpose", "demand_text_too_long")],
        ),
        ({"consumer": "ZZZ"}, [("consumer", "demand_department_unknown")]),
        ({"matter": "no"}, [("matter", "demand_matter_unknown")]),
        ({"matter": "341200-SZJ-0001"}, [("matter", "demand_matter_foreign")]),
        ({"suspected": "MZJ"}, [("suspected", "demand_department_own")]),
        ({"suspected": "ZZZ"}, [("suspected", "demand_department_unknown")]),
        ({"words": "张某 110105199001011234 的婚姻"}, [("words", "demand_personal")]),
    ],
)
def test_a_demand_says_all_that_is_to_be_mended(changes, expected):
    with pytest.raises(CaseInvalidError) as caught:
        submitted(**changes)
    assert codes(caught) == expected
    for found in caught.value.problems:
        assert found.text("zh") != found.text("en")
        assert "{" not in found.text("zh") + found.text("en")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer("maybe"), ("outcome", "demand_outcome_unknown")),
        (Answer("met"), ("resource", "demand_resource_unknown")),
        (Answer("met", resource="3080010002"), ("resource", "demand_resource_not_shared")),
        (Answer("refused"), ("ground", "demand_ground_missing")),
        (Answer("planned"), ("planned_on", "demand_date_missing")),
        (Answer("planned", planned_on=TODAY), ("planned_on", "demand_date_wrong")),
        (Answer("planned", planned_on=date(2039, 1, 1)), ("planned_on", "demand_date_wrong")),
    ],
)
def test_an_answer_needs_what_makes_it_one(answer, expected):
    with pytest.raises(CaseInvalidError) as caught:
        machine.answer(claimed(), LIST, answer, by="WJW", today=TODAY)
    assert codes(caught) == [expected]
    assert caught.value.text("zh") != caught.value.text("en")


def test_plain_form_round_trips():
    planned = machine.answer(claimed(), LIST, Answer("planned", planned_on=date(2026, 9, 1)), by="WJW", today=TODAY)
    for demand in (submitted(), planned):
        assert Demand.from_plain(demand.to_plain()) == demand


# What must not be kept.


@pytest.mark.parametrize(
    "text",
    [
        "110105199001011234",
        "11010519491231002X 的户口",
        "１３８００１３８０００",
        "138 0013 8000",
        "138-0013-8000",
        "0558-2345678",
        "6222 0212 3456 7890 123",
        "someone@example.org",
        "皖K12345",
        "皖K·D12345",
        "91341200MA2XXXXX1X 1234567",
        "123.45.67",
    ],
)
def test_a_search_that_may_name_a_person_is_not_kept(text):
    assert worth_keeping(text) == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  殡葬　火化 ", "殡葬 火化"),
        ("ＧＪＪ", "gjj"),
        ("12345 热线", "12345 热线"),
        ("2025 年度低保名单", "2025 年度低保名单"),
        ("", ""),
        ("12345", ""),
        ("?!", ""),
        ("医", ""),
        ("很" * 101, ""),
    ],
)
def test_what_is_kept_is_kept_in_one_form(text, kept):
    assert worth_keeping(text) == kept


@given(st.text(max_size=120), st.integers(10**10 + 3 * 10**9, 10**10 + 10**10 - 1), st.text(max_size=20))
def test_no_mobile_number_survives_in_any_text(before, number, after):
    joined = before + str(number) + after
    assert str(number) not in worth_keeping(joined)
    assert names_a_person(f"甲{number}乙")


@given(st.text(max_size=300))
def test_what_is_kept_is_short_and_holds_no_long_number(text):
    kept = worth_keeping(text)
    assert len(kept) <= 100
    assert not re.search(r"\d{7}", kept)


def test_codes_of_resources_and_hotlines_are_no_persons():
    assert not names_a_person("资源 3010010001 的更新周期改为实时")
    assert not names_a_person("12345 热线工单")


# What may meet it.


def test_a_demand_finds_what_is_on_the_list():
    assert met_by(submitted(words="机动车驾驶证"), LIST)[0].resource == "3010020002"
    assert met_by(submitted(words="公积金缴存情况"), LIST)[0].resource == "3060010002"
    assert [s.resource for s in met_by(submitted(words="婚姻登记信息", consumer="JTJ"), LIST)] == ["3120020001"]
    assert met_by(submitted(), LIST) == ()
    assert met_by(submitted(words="信息数据"), LIST) == ()


def test_what_is_not_shared_meets_nothing():
    assert "3080010002" not in [s.resource for s in met_by(submitted(words="中小学生学籍"), LIST)]


def test_a_new_list_may_meet_an_old_demand():
    resource = replace(LIST.by_code["3120010001"], code="3120030001", name="殡葬火化信息")
    newer = replace(LIST, resources=(*LIST.resources, resource))
    found = met_by(submitted(), newer)
    assert [(s.resource, s.likeness) for s in found] == [("3120030001", 1.0)]
