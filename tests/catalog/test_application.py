"""Applications: what a list lets a department ask for, every problem at once, and the steps to the end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import application as machine
from catalog import masks as mask_rules
from catalog.application import Application, FieldWish, State, check_application, draft, from_plain, to_plain
from catalog.eligibility import changed
from catalog.model import (
    Cadence,
    Department,
    Disposition,
    Domain,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    Matter,
    Need,
    Prohibition,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
)
from catalog.rows import RowOp, RowRule, parse_rule
from catalog.steps import CaseInvalidError, NotYoursError, SameHandsError, StepNotAllowedError
from catalog.terms import MAX_TERM_DAYS, Less, Terms, excess, lessened, minimum, terms_from_plain, terms_to_plain

STRING = FieldType(FieldKind.STRING)
TODAY = date(2026, 3, 2)
WINDOW, CHIEF, REVIEWER, SECOND, OFFICE = "RS:window", "RS:chief", "GA:reviewer", "GA:second", "SJ:office"


def a_resource(code="R1", **changes):
    values = {
        "code": code,
        "name": "人口基础信息",
        "name_en": "Population",
        "provider": "GA",
        "abstract": "户籍人口",
        "format": ResourceFormat.DATABASE,
        "share_type": ShareType.CONDITIONAL,
        "share_condition": "",
        "share_ground": "",
        "share_method": ShareMethod.SERVICE,
        "cadence": Cadence.DAILY,
        "open": False,
        "published_on": date(2026, 1, 1),
        "disposition": Disposition.REPLACE,
        "source": SourceRef("ga", "people"),
        "fields": (
            Field("id", "证件号码", FieldType(FieldKind.STRING, 18), key=True, lookup=True, mask=Mask.CITIZEN_ID),
            Field("name", "姓名", STRING),
            Field("county", "行政区划", FieldType(FieldKind.STRING, 6)),
            Field("born", "出生日期", FieldType(FieldKind.DATE)),
            Field("health", "健康状况", STRING, grade=4),
            Field("secret", "内部标记", STRING, share_type=ShareType.NOT_SHARED, share_condition="《保密法》第九条"),
        ),
        "region_field": "county",
    }
    return InformationResource(**{**values, **changes})


def free(resource):
    """The same, shared without condition."""
    fields = tuple(replace(f, share_type=ShareType.UNCONDITIONAL) for f in resource.fields[:4])
    return replace(resource, share_type=ShareType.UNCONDITIONAL, fields=fields)


def a_line(resource, consumers=("RS",), purposes=("*",)):
    return Responsibility(
        resource,
        "GA",
        consumers,
        purposes,
        "《办法》第三条",
        ShareMethod.SERVICE,
        Cadence.DAILY,
        date(2026, 6, 1),
        Domain.GOVERNMENT,
    )


def a_list(**changes):
    values = {
        "city": "示例市",
        "title": "清单",
        "year": 2026,
        "batch": 1,
        "departments": tuple(Department(c, c, c, "11100000000013338W") for c in ("GA", "RS", "MZ", "SJ")),
        "resources": (
            a_resource(),
            free(a_resource("R2")),
            a_resource("R3", share_type=ShareType.NOT_SHARED, share_ground="《档案法》第二十条"),
            a_resource("R4", fields=(Field("id", "号码", STRING, key=True),)),
        ),
        "responsibilities": (
            a_line("R1", purposes=("SX1", "SX3")),
            *(a_line(code) for code in ("R2", "R3", "R4")),
        ),
        "matters": (
            Matter("SX1", "退休审批", "Retirement", "RS"),
            Matter("SX2", "失业登记", "Unemployment", "RS"),
            Matter("SX3", "补贴", "Allowance", "RS"),
            Matter("SX9", "户籍", "Register", "GA"),
        ),
        "office": "SJ",
        "needs": (
            Need("SX1", "R1", ("name", "born"), ("verify",), "户口簿"),
            Need("SX3", "R1", ("county", "born"), ("query",), "居住证"),
        ),
    }
    return ResponsibilityList(**{**values, **changes})


LIST = a_list()
GOOD = draft(LIST, applicant="RS", resource="R1", purposes=("SX1",), rows=(parse_rule("county prefix 3412"),))


def found(list_=LIST, **changes):
    return {p.code for p in check_application(list_, replace(GOOD, **changes), TODAY)}


def submitted(application=GOOD, list_=LIST):
    return machine.submit(application, list_, by=WINDOW, on=TODAY)


def codes(caught):
    return {p.code for p in caught.value.problems}


# What may be asked for.


def test_the_minimum_comes_from_the_matter():
    least = minimum(LIST, "SX1", "R1")
    assert (least.fields, least.actions, least.replaces) == (("name", "born"), ("verify",), ("户口簿",))
    assert minimum(LIST, "SX2", "R1").fields == ()
    assert tuple(w.name for w in GOOD.fields) == ("name", "born")
    assert GOOD.actions == ("verify",)
    assert GOOD.ground == "《办法》第三条"
    assert check_application(LIST, GOOD, TODAY) == ()
    both = draft(LIST, applicant="RS", resource="R1", purposes=("SX1", "SX3"), fields=[FieldWish("born", "更严")])
    assert [w.name for w in both.fields] == ["name", "born", "county"]
    assert both.fields[1].reason == "更严"


def test_a_field_beyond_the_minimum_needs_a_reason():
    assert found(fields=(*GOOD.fields, FieldWish("county"))) == {"reason_missing"}
    assert found(fields=(*GOOD.fields, FieldWish("county", "   "))) == {"reason_missing"}
    assert found(fields=(*GOOD.fields, FieldWish("county", "核对居住地"))) == set()
    assert found(fields=(*GOOD.fields, FieldWish("health", "核对"))) == {"statement_missing"}
    assert found(fields=(*GOOD.fields, FieldWish("health", "核对", "专人专机"))) == set()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"applicant": "XX"}, "applicant_unknown"),
        ({"applicant": "MZ"}, "not_on_line"),
        ({"resource": "R9"}, "application_resource_unknown"),
        ({"resource": "R3"}, "application_not_shared"),
        ({"purposes": ()}, "matter_missing"),
        ({"purposes": ("SX8",)}, "matter_unknown"),
        ({"purposes": ("*",)}, "matter_unknown"),
        ({"purposes": ("SX2",)}, "matter_not_on_line"),
        ({"purposes": ("SX1", "SX1")}, "named_twice"),
        ({"purposes": tuple(f"S{n}" for n in range(51))}, "too_many"),
        ({"fields": ()}, "field_missing"),
        ({"fields": (FieldWish("nothing"),)}, "wish_field_unknown"),
        ({"fields": (FieldWish("secret", "好奇"),)}, "wish_field_not_shared"),
        ({"fields": (FieldWish("name"), FieldWish("name"))}, "named_twice"),
        ({"fields": tuple(FieldWish(f"f{n}") for n in range(1_000))}, "too_many"),
        ({"actions": ()}, "action_missing"),
        ({"actions": ("steal",)}, "action_unknown"),
        ({"resource": "R4", "fields": (FieldWish("id", "核对"),), "rows": ()}, "lookup_impossible"),
        ({"rows": (RowRule("nothing", RowOp.IN, ("1",)),)}, "row_field_unknown"),
        ({"rows": (parse_rule("born prefix 19"),)}, "row_op_unfit"),
        ({"volume_per_day": -1}, "volume_invalid"),
        ({"volume_per_day": 10**10}, "volume_invalid"),
        ({"term_days": 0}, "term_none"),
        ({"term_days": MAX_TERM_DAYS + 1}, "term_too_long"),
        ({"ground": " "}, "ground_missing"),
        ({"ground": "长" * 301}, "text_too_long"),
        ({"reason": "王某 13812345678 急用"}, "text_personal"),
        ({"list_version": "sha256:0"}, "list_changed"),
    ],
)
def test_each_fault_is_named(changes, code):
    assert code in found(**changes)
    for one in check_application(LIST, replace(GOOD, **changes), TODAY):
        assert one.text("en") != one.text("zh")


def test_all_faults_are_named_at_once():
    assert found(
        purposes=("SX2",),
        fields=(FieldWish("nothing"), FieldWish("secret")),
        term_days=9_999,
        ground="",
        actions=("x",),
    ) == {
        "matter_not_on_line",
        "wish_field_unknown",
        "wish_field_not_shared",
        "term_too_long",
        "ground_missing",
        "action_unknown",
    }


def test_a_batch_needs_nothing_to_look_up_by():
    asked = replace(GOOD, resource="R4", fields=(FieldWish("id", "核对"),), rows=(), actions=("batch",))
    assert check_application(LIST, asked, TODAY) == ()


def test_what_is_not_shared_yet_waits():
    assert found(a_list(resources=(a_resource(published_on=date(2026, 3, 3)),)), list_version="") == {
        "application_not_published"
    }


def test_a_prohibition_is_told_with_its_ground():
    ban = Prohibition("R1", ("RS",), ("SX1",), "《个保法》第二十八条", ("name",))
    list_ = a_list(prohibitions=(ban,))
    problems = check_application(list_, replace(GOOD, list_version=""), TODAY)
    assert [p.code for p in problems] == ["application_prohibited"]
    assert "《个保法》" in problems[0].text("en")
    assert check_application(list_, replace(GOOD, purposes=("SX3",), list_version=""), TODAY) != problems
    whole = a_list(prohibitions=(replace(ban, fields=(), purposes=("*",)),))
    assert found(whole, list_version="") == {"application_prohibited"}


def test_the_provider_may_apply_for_its_own_matters():
    own = draft(LIST, applicant="GA", resource="R1", purposes=("SX9",), fields=[FieldWish("name", "签发")])
    assert check_application(LIST, own, TODAY) == ()
    assert "matter_not_on_line" in {p.code for p in check_application(LIST, replace(own, purposes=("SX1",)), TODAY)}


# The steps.


def test_an_application_is_asked_supplied_and_granted():
    one = submitted()
    assert (one.state, one.provider, one.office, one.answerer) == (State.SUBMITTED, "GA", "SJ", "GA")
    assert one.clock == "application.reply.conditional"
    two = machine.ask(one, "用于哪些县？", by=REVIEWER)
    assert (two.answerer, two.clock) == ("RS", "application.supplement")
    amended = replace(GOOD, volume_per_day=50)
    three = machine.supply(two, "全市", LIST, by=CHIEF, on=TODAY, amended=amended)
    assert (three.state, three.volume_per_day, three.applied_by) == (State.SUBMITTED, 50, (WINDOW, CHIEF))
    assert three.exchanges[0].answer == "全市"
    four = machine.approve(three, LIST, by=REVIEWER, grant="G1")
    assert (four.state, four.grant, four.open, four.clock) == (State.GRANTED, "G1", False, "")
    assert four.terms == three.asked
    assert from_plain(json.loads(json.dumps(to_plain(four)))) == four


def test_less_may_be_agreed_to_and_more_may_not():
    one = submitted()
    less = Less(fields=("born",), masks=(("born", Mask.YEAR),), quota_per_day=10, term_days=30)
    given_ = machine.approve(one, LIST, by=REVIEWER, grant="G1", less=less)
    assert given_.terms == Terms(
        fields=("born",),
        actions=("verify",),
        purposes=("SX1",),
        term_days=30,
        masks=(("born", Mask.YEAR),),
        rows=GOOD.rows,
        quota_per_day=10,
    )
    for more in (
        Less(fields=("name", "county")),
        Less(fields=()),
        Less(actions=("query", "verify")),
        Less(purposes=("SX1", "SX3")),
        Less(term_days=366),
        Less(term_days=0),
        Less(quota_per_day=-1),
        Less(masks=(("county", Mask.NULL),)),
    ):
        with pytest.raises(CaseInvalidError):
            machine.approve(one, LIST, by=REVIEWER, grant="G1", less=more)


def test_a_mask_weaker_than_the_lists_is_named():
    asked = Terms(fields=("id",), actions=("query",), purposes=("SX1",), term_days=1)
    weaker = excess(Less(masks=(("id", Mask.KEEP_LAST_4),)), asked, LIST.by_code["R1"])
    assert [p.code for p in weaker] == ["terms_mask_weaker"]
    assert excess(Less(masks=(("id", Mask.REDACT),)), asked, LIST.by_code["R1"]) == ()


@pytest.mark.parametrize("step", ["ask", "approve", "refuse"])
def test_who_applied_does_not_decide_even_where_both_are_one_department(step):
    own = draft(LIST, applicant="GA", resource="R1", purposes=("SX9",), fields=[FieldWish("name", "签发")])
    one = machine.submit(own, LIST, by=REVIEWER, on=TODAY)
    act = {
        "ask": lambda by: machine.ask(one, "何用？", by=by),
        "approve": lambda by: machine.approve(one, LIST, by=by, grant="G1"),
        "refuse": lambda by: machine.refuse(one, by=by, ground="《办法》"),
    }[step]
    with pytest.raises(SameHandsError):
        act(REVIEWER)
    with pytest.raises(NotYoursError):
        act(WINDOW)
    assert act(SECOND).state is not State.SUBMITTED


def test_who_supplied_does_not_decide_either():
    own = draft(LIST, applicant="GA", resource="R1", purposes=("SX9",), fields=[FieldWish("name", "签发")])
    one = machine.ask(machine.submit(own, LIST, by="GA:a", on=TODAY), "何用？", by="GA:b")
    two = machine.supply(one, "签发", LIST, by="GA:c", on=TODAY)
    for by in ("GA:a", "GA:c"):
        with pytest.raises(SameHandsError):
            machine.approve(two, LIST, by=by, grant="G1")


def test_only_the_applicant_submits_supplies_disputes_and_withdraws():
    with pytest.raises(NotYoursError):
        machine.submit(GOOD, LIST, by=REVIEWER, on=TODAY)
    one = submitted()
    with pytest.raises(NotYoursError):
        machine.withdraw(one, by=REVIEWER)
    refused = machine.refuse(one, by=REVIEWER, ground="《办法》第五条")
    with pytest.raises(NotYoursError):
        machine.dispute(refused, "不同意", by=REVIEWER)
    assert machine.withdraw(one, by=CHIEF).state is State.WITHDRAWN


def test_a_refusal_needs_a_citation():
    with pytest.raises(CaseInvalidError) as caught:
        machine.refuse(submitted(), by=REVIEWER, ground=" ", note="不给")
    assert codes(caught) == {"citation_missing"}


def test_what_has_a_condition_is_not_agreed_to_by_rule():
    with pytest.raises(NotYoursError):
        machine.approve_by_rule(submitted(), LIST, by="hub:rule", grant="G1")
    wish = draft(LIST, applicant="RS", resource="R2", purposes=("SX1",), fields=[FieldWish("name", "核对")])
    one = machine.submit(wish, LIST, by=WINDOW, on=TODAY)
    assert one.clock == "application.reply.unconditional"
    assert machine.approve_by_rule(one, LIST, by="hub:rule", grant="G1").state is State.GRANTED
    mixed = replace(LIST.by_code["R2"], fields=LIST.by_code["R1"].fields)
    list_ = a_list(resources=(mixed,), responsibilities=(a_line("R2"),), needs=())
    two = machine.submit(replace(wish, list_version=""), list_, by=WINDOW, on=TODAY)
    assert two.clock == "application.reply.conditional"


def disputed(tier):
    """An application that was refused and has reached *tier*."""
    one = machine.refuse(submitted(), by=REVIEWER, ground="《办法》第五条")
    for reached in range(1, tier + 1):
        one = machine.dispute(one, "不同意", by=WINDOW)
        if reached < tier:
            one = machine.settle(one, LIST, by=SECOND if reached == 1 else OFFICE, ground="《办法》第五条")
    return one


@pytest.mark.parametrize(
    ("tier", "state", "by", "clock"),
    [
        (1, State.CONSULTING, REVIEWER, "dispute.consult"),
        (2, State.MEDIATING, OFFICE, "dispute.office"),
        (3, State.DECIDING, "SJ:chief", "dispute.government"),
    ],
)
def test_a_dispute_goes_through_three_tiers(tier, state, by, clock):
    one = disputed(tier)
    assert (one.state, one.tier, one.clock, one.answerer) == (state, tier, clock, by.split(":")[0])
    with pytest.raises(NotYoursError):
        machine.settle(one, LIST, by="MZ:x", grant="G1", document="皖政〔2026〕1号")
    won = machine.settle(one, LIST, by=by, grant="G1", less=Less(fields=("born",)), document="皖政〔2026〕1号")
    assert (won.state, won.terms.fields, won.grant) == (State.GRANTED, ("born",), "G1")
    lost = machine.settle(one, LIST, by=by, ground="《办法》", document="皖政〔2026〕1号")
    assert lost.state is (State.FINAL if tier == 3 else State.UPHELD)
    assert lost.possible == (() if tier == 3 else ("dispute",))
    with pytest.raises(CaseInvalidError):
        machine.settle(one, LIST, by=by, grant="G1", less=Less(fields=("county",)), document="皖政〔2026〕1号")


def test_the_governments_decision_has_a_number():
    with pytest.raises(CaseInvalidError) as caught:
        machine.settle(disputed(3), LIST, by="SJ:chief", ground="《办法》")
    assert codes(caught) == {"document_missing"}


def test_who_refused_does_not_mediate():
    list_ = a_list(office="GA")
    one = machine.submit(replace(GOOD, list_version=""), list_, by=WINDOW, on=TODAY)
    one = machine.dispute(machine.refuse(one, by=REVIEWER, ground="《办法》"), "不同意", by=WINDOW)
    one = machine.dispute(machine.settle(one, list_, by=REVIEWER, ground="《办法》"), "不同意", by=WINDOW)
    with pytest.raises(SameHandsError):
        machine.settle(one, list_, by=REVIEWER, ground="《办法》")
    assert machine.settle(one, list_, by=SECOND, ground="《办法》").state is State.UPHELD


def test_a_tier_is_passed_over_only_when_its_time_is_up():
    with pytest.raises(StepNotAllowedError):
        machine.dispute(disputed(1), "不同意", by=WINDOW)
    assert machine.dispute(disputed(1), "超期", by=WINDOW, overdue=True).state is State.MEDIATING
    with pytest.raises(StepNotAllowedError):
        machine.dispute(disputed(3), "超期", by=WINDOW, overdue=True)


def test_without_an_office_there_is_no_second_tier():
    list_ = a_list(office="")
    one = machine.submit(replace(GOOD, list_version=""), list_, by=WINDOW, on=TODAY)
    one = machine.dispute(machine.refuse(one, by=REVIEWER, ground="《办法》"), "不同意", by=WINDOW)
    with pytest.raises(CaseInvalidError) as caught:
        machine.dispute(machine.settle(one, list_, by=SECOND, ground="《办法》"), "不同意", by=WINDOW)
    assert codes(caught) == {"office_missing"}


STEPS = {
    "ask": lambda a: machine.ask(a, "何用？", by=REVIEWER),
    "supply": lambda a: machine.supply(a, "办事", LIST, by=WINDOW, on=TODAY),
    "approve": lambda a: machine.approve(a, LIST, by=REVIEWER, grant="G1"),
    "refuse": lambda a: machine.refuse(a, by=REVIEWER, ground="《办法》"),
    "withdraw": lambda a: machine.withdraw(a, by=WINDOW),
    "dispute": lambda a: machine.dispute(a, "不同意", by=WINDOW),
    "settle": lambda a: machine.settle(
        a, LIST, by="SJ:x" if a.tier > 1 else SECOND, ground="《办法》", document="皖政〔2026〕1号"
    ),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_any_row_of_steps_stays_within_the_machine(steps):
    """A step that is not possible changes nothing; one that is leaves a case that can be stored and read back."""
    one = submitted()
    for step in steps:
        possible = one.possible
        try:
            after = STEPS[step](one)
        except StepNotAllowedError:
            assert step not in possible or step == "dispute"
            continue
        assert step in possible
        assert from_plain(json.loads(json.dumps(to_plain(after)))) == after
        assert bool(after.answerer) == bool(after.clock) == after.open
        one = after
    assert one.state is not State.GRANTED or one.terms is not None


names = st.lists(st.sampled_from(["id", "name", "county", "born"]), min_size=1, unique=True).map(tuple)


@st.composite
def all_terms(draw):
    fields = draw(names)
    masked = draw(st.lists(st.sampled_from(fields), unique=True))
    return Terms(
        fields=fields,
        actions=tuple(draw(st.lists(st.sampled_from(["query", "verify"]), min_size=1, unique=True))),
        purposes=tuple(draw(st.lists(st.sampled_from(["SX1", "SX3"]), min_size=1, unique=True))),
        term_days=draw(st.integers(1, 5)),
        masks=tuple((name, draw(st.sampled_from([m for m in Mask if m is not Mask.NONE]))) for name in masked),
        rows=tuple(draw(st.lists(st.sampled_from([parse_rule("county in 341202"), parse_rule("born <= 1966-01-01")])))),
        quota_per_day=draw(st.integers(0, 3)),
    )


lesses = st.builds(
    Less,
    fields=st.none() | names,
    actions=st.none() | st.just(("query",)),
    purposes=st.none() | st.just(("SX1",)),
    term_days=st.none() | st.integers(-1, 6),
    masks=st.lists(st.tuples(st.sampled_from(["id", "name"]), st.sampled_from(list(Mask))), max_size=2).map(tuple),
    rows=st.lists(st.just(parse_rule("county prefix 34")), max_size=1).map(tuple),
    quota_per_day=st.none() | st.integers(-1, 4),
)


@given(all_terms(), lesses)
def test_terms_without_excess_lie_within_what_was_asked(asked, less):
    if excess(less, asked, LIST.by_code["R1"]):
        return
    has = lessened(asked, less)
    for name in ("fields", "actions", "purposes"):
        assert getattr(has, name)
        assert set(getattr(has, name)) <= set(getattr(asked, name))
    assert set(asked.rows) <= set(has.rows)
    assert 1 <= has.term_days <= asked.term_days
    assert has.quota_per_day <= asked.quota_per_day or not asked.quota_per_day
    assert not (asked.quota_per_day and not has.quota_per_day)
    for name, mask in has.masks:
        assert mask_rules.stricter(dict(asked.masks).get(name, Mask.NONE), mask) is mask
    assert all(name in dict(has.masks) for name, _ in asked.masks if name in has.fields)
    assert lessened(asked, Less()).fields == asked.fields
    assert terms_from_plain(json.loads(json.dumps(terms_to_plain(has)))) == has


# A newer list.


def with_fields(*fields):
    return a_list(batch=2, resources=(a_resource(fields=fields), *LIST.resources[1:]))


FIELDS = LIST.by_code["R1"].fields


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        (a_list(batch=2), set()),
        (with_fields(*FIELDS[:2], *FIELDS[3:]), set()),
        (with_fields(*FIELDS[:3], *FIELDS[4:]), {"change_field_gone"}),
        (with_fields(FIELDS[0], replace(FIELDS[1], mask=Mask.SURNAME), *FIELDS[2:]), {"change_field"}),
        (a_list(resources=LIST.resources[1:]), {"application_resource_unknown"}),
        (a_list(responsibilities=LIST.responsibilities[1:]), {"change_lines"}),
        (a_list(prohibitions=(Prohibition("R1", ("*",), ("*",), "《办法》", ("secret",)),)), {"change_prohibitions"}),
        (
            a_list(resources=(a_resource(provider="MZ"), *LIST.resources[1:])),
            {"change_resource"},
        ),
    ],
)
def test_what_a_newer_list_changes_is_told_and_nothing_else(newer, expected):
    assert {p.code for p in changed(LIST, newer, GOOD)} == expected


def test_what_was_just_submitted_can_be_asked_decided_on_or_withdrawn():
    assert Application("RS", "R1", ("SX1",), ()).possible == ("ask", "approve", "refuse", "withdraw")
