from __future__ import annotations

import contextlib
import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import CatalogError
from catalog.model import Field, FieldKind, FieldType
from catalog.rows import (
    MAX_RULE_CHARS,
    MAX_RULES,
    MAX_VALUES,
    RowOp,
    RowRule,
    RowRuleError,
    check_rules,
    holds,
    parse_rule,
    row_test,
    rules_from_plain,
    rules_to_plain,
)

from .conftest import make_resource

RESOURCE = make_resource(
    fields=(
        Field("id", "编号", FieldType(FieldKind.STRING, 18), key=True),
        Field("county_code", "行政区划代码", FieldType(FieldKind.STRING, 12)),
        Field("region_no", "区划号", FieldType(FieldKind.INTEGER)),
        Field("status", "状态", FieldType(FieldKind.STRING), codes=("1", "2")),
        Field("age", "年龄", FieldType(FieldKind.INTEGER)),
        Field("amount", "金额", FieldType(FieldKind.DECIMAL, 12, 2)),
        Field("birth_date", "出生日期", FieldType(FieldKind.DATE)),
        Field("changed", "变更时间", FieldType(FieldKind.DATETIME)),
        Field("married", "是否已婚", FieldType(FieldKind.BOOLEAN)),
    ),
    region_field="county_code",
)


def test(text, **row):
    return holds([parse_rule(text)], RESOURCE, row)


test.__test__ = False


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("county_code in 341202,341203", RowRule("county_code", RowOp.IN, ("341202", "341203"))),
        ("county_code prefix 3412", RowRule("county_code", RowOp.PREFIX, ("3412",))),
        ("birth_date <= 1966-01-01", RowRule("birth_date", RowOp.AT_MOST, ("1966-01-01",))),
        ("age>=60", RowRule("age", RowOp.AT_LEAST, ("60",))),
        ("  age  ≥  60 ", RowRule("age", RowOp.AT_LEAST, ("60",))),
        ("age≤60", RowRule("age", RowOp.AT_MOST, ("60",))),
        ("状态 = 在业", RowRule("状态", RowOp.IN, ("在业",))),
        ("status IN 1，2、3", RowRule("status", RowOp.IN, ("1", "2", "3"))),
        ('name in "甲, 乙", "say ""hi""", " x ", ""', RowRule("name", RowOp.IN, ("甲, 乙", 'say "hi"', " x ", ""))),
        ("in in in", RowRule("in", RowOp.IN, ("in",))),
    ],
)
def test_a_rule_is_read_as_people_write_it(text, rule):
    assert parse_rule(text) == rule
    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "county_code",
        "county_code in",
        "county_code in ,",
        "county_code in 1,",
        "county_code in 1,,2",
        "county_codein 1",
        "county_code like 34%",
        "county_code != 1",
        "age > 3",
        "age >= 1, 2",
        'name in "a',
        'name in a"b',
        'name in "a"b',
        "in 3412",
        "age in 1 " + "2" * MAX_RULE_CHARS,
    ],
)
def test_what_is_no_rule_is_refused_with_what_is_possible(text):
    with pytest.raises(RowRuleError) as caught:
        parse_rule(text)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CatalogError)
    for lang in ("en", "zh"):
        assert "FIELD prefix A" in caught.value.text(lang)
    assert len(caught.value.text("en")) < 400
    assert caught.value.text("en") != caught.value.text("zh")


@pytest.mark.parametrize(
    ("field", "op", "values"),
    [("", RowOp.IN, ("1",)), ("a b", RowOp.IN, ("1",)), ("a", RowOp.IN, ()), ("a", RowOp.AT_MOST, ("1", "2"))],
)
def test_a_rule_that_cannot_be_is_not_made(field, op, values):
    with pytest.raises(RowRuleError):
        RowRule(field, op, values)


_names = st.from_regex(r"[a-z甲乙_][a-z0-9_甲乙]{0,8}", fullmatch=True)
_values = st.text(max_size=8) | st.sampled_from(
    ["341202", '"', ",", "，", " ", "", "\n", "''", "in", ">=", "1966-01-01"]
)


@st.composite
def rules(draw):
    op = draw(st.sampled_from(RowOp))
    most = 1 if op in (RowOp.AT_LEAST, RowOp.AT_MOST) else 4
    return RowRule(draw(_names), op, tuple(draw(st.lists(_values, min_size=1, max_size=most))))


@given(rules())
def test_writing_and_reading_a_rule_are_inverse(rule):
    assert parse_rule(str(rule)) == rule


@given(st.lists(rules(), max_size=4).map(tuple))
def test_rules_are_stored_and_read_back(found):
    assert rules_from_plain(json.loads(json.dumps(rules_to_plain(found)))) == found


def test_what_was_stored_is_read_back_however_long():
    long = RowRule("id", RowOp.IN, tuple(str(n) * 6 for n in range(2 * MAX_RULE_CHARS // 6)))
    assert rules_from_plain(rules_to_plain([long])) == (long,)


@pytest.mark.parametrize("plain", ["age in 1", [1], [None], [["age in 1"]], ["age"]])
def test_a_stored_form_that_is_none_is_refused(plain):
    with pytest.raises(ValueError, match="no row rule"):
        rules_from_plain(plain)


@given(st.text(max_size=30))
def test_reading_any_text_gives_a_rule_or_its_error(text):
    rule = None
    with contextlib.suppress(RowRuleError):
        rule = parse_rule(text)
    assert rule is None or parse_rule(str(rule)) == rule


# Whether a row fits.


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("age in 7", {"age": 7}, True),
        ("age in 007", {"age": 7}, True),
        ("age in ７", {"age": "7"}, True),
        ("age in 7", {"age": True}, False),
        ("age >= 10", {"age": 9}, False),  # as text 9 would come after 10
        ("age >= 10", {"age": 10}, True),
        ("age <= -3", {"age": -4}, True),
        ("age in 1.0", {"age": 1}, False),
        ("amount in 1.5", {"amount": "1.50"}, True),
        ("amount >= 10", {"amount": "9.99"}, False),
        ("amount <= 10", {"amount": "10.00"}, True),
        ("amount <= NaN", {"amount": "1.00"}, False),
        ("amount <= 1", {"amount": "NaN"}, False),
        ("birth_date <= 1966-01-01", {"birth_date": "1966-01-01"}, True),
        ("birth_date <= 1966-01-01", {"birth_date": "1966-01-02"}, False),
        ("birth_date <= 1966-02-30", {"birth_date": "1900-01-01"}, False),
        ("changed <= 2026-01-31", {"changed": "2026-01-31T23:59:59"}, True),
        ("changed >= 2026-01-31", {"changed": "2026-01-31T00:00:00"}, True),
        ("changed >= 2026-02-01", {"changed": "2026-01-31T23:59:59"}, False),
        ("changed <= 2026-01-31T08:00", {"changed": "2026-01-31T08:00:01"}, False),
        ("changed <= 2026-01-31 08:00:00", {"changed": "2026-01-31T08:00:00"}, True),
        ("changed in 2026-01-31, 2026-02-02T01:00:00", {"changed": "2026-01-31T05:00:00"}, True),
        ("changed in 2026-01-31, 2026-02-02T01:00:00", {"changed": "2026-02-02T05:00:00"}, False),
        ("married in 是", {"married": True}, True),
        ("married in true", {"married": False}, False),
        ("status in 1, 2", {"status": "2"}, True),
        ("status in 1, 2", {"status": "12"}, False),
        ("status >= 1", {"status": "2"}, False),  # texts have no order that means anything
        ("birth_date prefix 1966", {"birth_date": "1966-01-01"}, False),
        ("id prefix 34, 35", {"id": "35x"}, True),
        ('id prefix ""', {"id": "35x"}, False),
        ("region_no prefix 3412", {"region_no": 341202}, True),
        ("nosuch in 1", {"nosuch": "1"}, False),
    ],
)
def test_values_compare_by_the_type_of_the_field(text, row, expected):
    assert test(text, **row) is expected


@pytest.mark.parametrize(
    ("given_code", "stored", "expected"),
    [
        ("341200", "341202", True),
        ("341200", "341302", False),
        ("340000", "341202", True),
        ("341202", "341202", True),
        ("341202", "341200", False),
        ("341000", "341002", True),  # 34 10 00: the nought of 10 is none of a level left out
        ("341000", "341102", False),
        ("341202000000", "341202001005", True),
        ("341202001000", "341202001105", True),
        ("341202001000", "341202002105", False),
        ("３４１２", "341202", True),
        ("000000", "341202", False),
    ],
)
def test_a_region_covers_what_lies_in_it(given_code, stored, expected):
    assert test(f"county_code prefix {given_code}", county_code=stored) is expected
    # Of a field that holds no region a prefix is what is written.
    assert test(f"id prefix {given_code}", id=given_code + "9") is True


def test_all_rules_must_hold_and_none_restrict_nothing():
    both = [parse_rule("age >= 60"), parse_rule("county_code prefix 3412")]
    assert holds(both, RESOURCE, {"age": 60, "county_code": "341202"})
    assert not holds(both, RESOURCE, {"age": 60, "county_code": "341302"})
    assert not holds(both, RESOURCE, {"age": 59, "county_code": "341202"})
    assert holds([], RESOURCE, {})


wires = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["2026-01-31", "1.5", "341202"])
)


@given(st.lists(rules(), min_size=1, max_size=3), st.dictionaries(_names, wires))
def test_it_is_total_and_null_never_holds(found, row):
    kinds = list(FieldKind)
    fields = tuple(
        Field(name, name, FieldType(kinds[position % len(kinds)], 12, 2))
        for position, name in enumerate(dict.fromkeys(rule.field for rule in found))
    )
    resource = make_resource(fields=fields, region_field=fields[0].name)
    assert holds(found, resource, row) in (True, False)
    assert not holds(found, resource, dict.fromkeys(row))
    assert not holds(found, resource, {})
    check_rules(found, resource)


@given(st.integers(-(2**63), 2**63), st.integers(-(2**63), 2**63))
def test_whole_numbers_compare_as_numbers(limit, value):
    assert test(f"age >= {limit}", age=value) is (value >= limit)
    assert test(f"age <= {limit}", age=value) is (value <= limit)
    assert test(f"age = {limit}", age=value) is (value == limit)


@given(st.decimals(-(10**9), 10**9, places=2), st.decimals(-(10**9), 10**9, places=2))
def test_decimals_compare_as_numbers(limit, value):
    assert test(f"amount >= {limit:f}", amount=f"{value:f}") is (value >= limit)
    assert test(f"amount = {limit:f}", amount=f"{value:f}") is (Decimal(value) == limit)


@given(st.dates(), st.integers(-400, 400))
def test_dates_compare_as_dates(limit, days):
    try:
        value = limit + timedelta(days=days)
    except OverflowError:
        value = date.max
    assert test(f"birth_date <= {limit.isoformat()}", birth_date=value.isoformat()) is (value <= limit)


def test_the_prepared_test_is_the_same():
    prepared = row_test([parse_rule("age >= 60")], RESOURCE)
    assert [prepared({"age": age}) for age in (59, 60, None)] == [False, True, False]


# Whether rules fit a resource.


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nosuch in 1", "row_field_unknown"),
        ("married >= true", "row_op_unfit"),
        ("status <= 2", "row_op_unfit"),
        ("birth_date prefix 19", "row_op_unfit"),
        ("age in many", "row_value_invalid"),
        ("birth_date <= 1966/01/01", "row_value_invalid"),
        ("birth_date <= 1966-02-30", "row_value_invalid"),
        ("changed >= 2026-01-31T25:00:00", "row_value_invalid"),
        ("amount <= 1e9", "row_value_invalid"),
        ("married in maybe", "row_value_invalid"),
        ('id prefix ""', "row_value_invalid"),
        ("status in 3", "row_value_not_a_code"),
        ("county_code prefix 34120", "row_region_level"),
        ("county_code prefix 安徽", "row_region_level"),
        ("county_code in 3412021", "row_region_level"),
        ("county_code prefix 000000", "row_region_level"),
        ("id in " + ",".join(["1"] * (MAX_VALUES + 1)), "row_rules_too_many"),
    ],
)
def test_a_rule_that_does_not_fit_is_named_with_the_mend(text, code):
    fine = parse_rule("age >= 60")
    (found,) = check_rules([fine, parse_rule(text)], RESOURCE)
    assert (found.where, found.code) == ("rows[1]", code)
    assert found.text("en") != found.text("zh")


def test_rules_that_fit_have_no_problem():
    texts = ["county_code prefix 341200", "age >= 60", "changed <= 2026-01-31", "married = 是", "status in 1, 2"]
    assert check_rules([parse_rule(text) for text in texts], RESOURCE) == ()


def test_every_fault_is_named_in_one_pass():
    found = check_rules([parse_rule("age in a, b"), parse_rule("nosuch in 1")], RESOURCE)
    assert [(p.where, p.code) for p in found] == [
        ("rows[0]", "row_value_invalid"),
        ("rows[0]", "row_value_invalid"),
        ("rows[1]", "row_field_unknown"),
    ]
    assert check_rules([parse_rule("age >= 1")] * (MAX_RULES + 1), RESOURCE)[0].code == "row_rules_too_many"
