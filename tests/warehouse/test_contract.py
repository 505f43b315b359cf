from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import CatalogError
from catalog.identifiers import (
    USCC_ALPHABET,
    check_citizen_id,
    check_uscc,
    citizen_id_check_char,
    org_code_check_char,
    uscc_check_char,
)
from catalog.model import Check, Disposition, FieldKind, FieldType
from tests.warehouse.conftest import PAIR, field, make_resource
from warehouse.contract import citizen_id_holds, uscc_holds
from warehouse.errors import ContractInvalidError
from warehouse.normal import fixed_form, normalised, typed
from warehouse.reasons import REASONS, Reason
from warehouse.schema import contract_digest, table_name

CON = duckdb.connect()
DIGITS = st.text("0123456789", min_size=17, max_size=17)
DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(lambda d: f"{d:%Y%m%d}")


def ask(expression, *values):
    return CON.execute(f"SELECT {expression} FROM (SELECT ?::VARCHAR AS x)", list(values)).fetchone()[0]


PIECES = st.sampled_from(["[0-9]", "[A-Z]", "[0-9X]", "[0-9A-Za-z]", "1", "K", "x", "[MF]"])
TIMES = st.sampled_from(["", "{1}", "{3}", "{12}"])
FIXED = st.lists(st.tuples(PIECES, TIMES).map("".join), min_size=1, max_size=5).map("".join)


@given(FIXED, st.data())
@settings(max_examples=300, deadline=None)
def test_a_glob_matches_what_its_pattern_does(pattern, data):
    glob, length = fixed_form(pattern)
    if not glob:
        assert sum(int(n or 1) for n in re.findall(r"(?:\]|[1Kx])(?:\{(\d+)\})?", pattern)) > 64
        return
    near = data.draw(st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii")))
    assert len(near) == length
    swapped = data.draw(st.sampled_from([*"0Xé１*?[]\\-!^男 ", "", "\n"]))
    at = data.draw(st.integers(0, length))
    for text_ in (near, near[:at] + swapped + near[at + 1 :], near[:at], swapped + near, near + swapped):
        assert ask("x GLOB '" + glob + "'", text_) == ask(f"regexp_full_match(x, '{pattern}')", text_), (text_, glob)


@pytest.mark.parametrize(
    "pattern", ["", "[^0-9]", "a.b", "a*", "a+", "[0-9]{2,3}", "(a|b)", "[A-Z-]", "[!a]", "[0-9]?", "a{0}", "é", "a-b"]
)
def test_other_patterns_have_no_glob(pattern):
    assert fixed_form(pattern) == ("", 0)


def holds(check, text):
    try:
        return check(text) == text
    except CatalogError:
        return False


@st.composite
def citizen_ids(draw):
    body = draw(st.one_of(DIGITS, st.tuples(DIGITS, DAYS).map(lambda p: p[0][:6] + p[1] + p[0][14:])))
    return body + draw(st.one_of(st.just(citizen_id_check_char(body)), st.sampled_from("0123456789XA")))


@st.composite
def usccs(draw):
    body = (
        draw(st.text(USCC_ALPHABET, min_size=2, max_size=2))
        + draw(st.text("0123456789", min_size=6, max_size=6))
        + draw(st.text(USCC_ALPHABET, min_size=8, max_size=8))
    )
    right = org_code_check_char(body[8:16])
    body += draw(st.one_of(st.just(right), st.sampled_from(USCC_ALPHABET)))
    return body + draw(st.one_of(st.just(uscc_check_char(body)), st.sampled_from(USCC_ALPHABET)))


@given(st.one_of(citizen_ids(), st.text("0123456789X", max_size=19)))
@settings(max_examples=150, deadline=None)
def test_the_citizen_id_rule_in_sql_agrees_with_the_catalogues(text):
    assert ask(citizen_id_holds("x"), text) is holds(check_citizen_id, text)


@given(st.one_of(usccs(), st.text(USCC_ALPHABET + "IOSVZ", max_size=19)))
@settings(max_examples=150, deadline=None)
def test_the_uscc_rule_in_sql_agrees_with_the_catalogues(text):
    assert ask(uscc_holds("x"), text) is holds(check_uscc, text)


def test_published_identifiers_hold():
    # The citizen id is GB 11643's own example; the codes stand in published licence identifiers (GB/T 36904 users).
    assert ask(citizen_id_holds("x"), "11010519491231002X") is True
    for code in ("11100000000013338W", "11430000006122244L", "11330105002500287C", "11220000013544541J"):
        assert ask(uscc_holds("x"), code) is True


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (FieldType(FieldKind.DATE), "20240105", date(2024, 1, 5)),
        (FieldType(FieldKind.DATE), "2024-01-05", date(2024, 1, 5)),
        (FieldType(FieldKind.DATE), "2024/1/5", date(2024, 1, 5)),
        (FieldType(FieldKind.DATE), "2024年1月5日", date(2024, 1, 5)),
        (FieldType(FieldKind.DATE), "２０２４年１月５日", date(2024, 1, 5)),
        (FieldType(FieldKind.DATE), "2024-01-05 00:00:00", date(2024, 1, 5)),
        (FieldType(FieldKind.DATE), "2024-01-05 10:00:00", None),
        (FieldType(FieldKind.DATE), "2024-02-30", None),
        (FieldType(FieldKind.DATETIME), "20240105123456", datetime.fromisoformat("2024-01-05T12:34:56")),
        (FieldType(FieldKind.DATETIME), "2024-01-05T00:00:00Z", datetime.fromisoformat("2024-01-05T08:00")),
        (FieldType(FieldKind.DATETIME), "2024-01-05 00:00:00+08:00", datetime.fromisoformat("2024-01-05")),
        (FieldType(FieldKind.DATETIME), "2024/1/5 9:30", datetime.fromisoformat("2024-01-05T09:30")),
        (FieldType(FieldKind.DATETIME), "2024-01-05", datetime.fromisoformat("2024-01-05")),
        (FieldType(FieldKind.DATETIME), "2024-01-05 25:00", None),
        (FieldType(FieldKind.INTEGER), "１２", 12),
        (FieldType(FieldKind.INTEGER), "12.0", 12),
        (FieldType(FieldKind.INTEGER), "1.5", None),
        (FieldType(FieldKind.INTEGER), "9223372036854775808", None),
        (FieldType(FieldKind.DECIMAL, 6, 2), "1.5", Decimal("1.50")),
        (FieldType(FieldKind.DECIMAL, 6, 2), "1.5000", Decimal("1.50")),
        (FieldType(FieldKind.DECIMAL, 6, 2), "1.555", None),
        (FieldType(FieldKind.DECIMAL, 6, 2), "12345", None),
        (FieldType(FieldKind.DECIMAL, 6, 2), "NaN", None),
        (FieldType(FieldKind.BOOLEAN), "是", True),
        (FieldType(FieldKind.BOOLEAN), "N", False),
        (FieldType(FieldKind.BOOLEAN), "2", None),
    ],
)
def test_text_becomes_a_value_or_none_and_is_never_rounded(type_, text, value):
    made = replace(field("f"), type=type_)
    assert ask(typed(type_, normalised(made, "x")), text) == value


@given(st.decimals(-9999, 9999, places=2))
@settings(max_examples=60, deadline=None)
def test_decimals_are_exact(number):
    assert ask(typed(FieldType(FieldKind.DECIMAL, 6, 2), "x"), str(number)) == number


@pytest.mark.parametrize(
    ("made", "text", "expected"),
    [
        (field("f"), " 　张三（北京）\t", "张三（北京）"),
        (field("f"), "  ", None),
        (field("f", key=True), "Ａ（１）", "A（1）"),
        (field("f", pattern=".*"), "（１）", "(1)"),
        (field("f", check=Check.CITIZEN_ID), "1101051949123100２x ", "11010519491231002X"),
        (field("f", codes=("1",)), "１", "1"),
    ],
)
def test_normalisation_folds_only_what_is_typed_or_checked(made, text, expected):
    assert ask(normalised(made, "x"), text) == expected


FIELDS = (
    field("code", key=True),
    field("needed", nullable=False),
    field("short", length=2),
    field("sex", codes=("1", "2")),
    field("plate", pattern="[A-Z]{2}[0-9]+"),
    field("person", check=Check.CITIZEN_ID),
    field("firm", check=Check.USCC),
    field("born", FieldKind.DATE),
    field("seen", FieldKind.DATETIME),
    field("n", FieldKind.INTEGER),
)
PERSON, FIRM = "11010519491231002X", "11330105002500287C"
GOOD = ("k", "x", "中文", "1", "AB1", PERSON, FIRM, "2000-02-29", "2000-02-29 10:00:00", "1")


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        (0, " ", "null_key:code"),
        (1, "", "null_not_allowed:needed"),
        (2, "中文字", "too_long:short"),
        (3, "3", "bad_code:sex"),
        (4, "AB", "bad_pattern:plate"),
        (5, "110105194912310021", "bad_citizen_id:person"),
        (6, "11330105002500287D", "bad_uscc:firm"),
        (7, "2001-02-29", "impossible_date:born"),
        (7, "0000-01-01", "impossible_date:born"),
        (7, "soon", "bad_type:born"),
        (8, "2000-02-30 10:00:00", "impossible_date:seen"),
        (8, "10 o'clock", "bad_type:seen"),
        (9, "one", "bad_type:n"),
    ],
)
def test_each_rule_rejects_with_its_reason_and_nothing_else_does(loader, column, text, reason):
    resource = make_resource(Disposition.REPLACE, FIELDS)
    blank = ("b", "x", *[None] * 8)
    bad = (*(GOOD[:column] if column else ()), text, *GOOD[column + 1 :])
    bad = (bad[0] if column == 0 else "z", *bad[1:])
    staged = loader.stage([f.name for f in FIELDS], [GOOD, blank, bad])
    checked = loader.check(resource, staged)
    assert (checked.read, checked.accepted, checked.rejected_rows) == (3, 2, 1)
    assert checked.reasons == ((reason, 1),)
    (row,) = duckdb.execute("SELECT _line, _reasons, _batch FROM read_parquet(?)", [str(checked.rejected)]).fetchall()
    assert row == (3, [reason], checked.batch_id)
    assert Reason.parse(reason).text("zh", "某项").startswith(("某项", "主键"))
    assert reason.split(":")[0] in REASONS


def test_all_reasons_of_a_row_are_told_and_its_text_is_kept_as_it_was(loader):
    resource = make_resource(Disposition.REPLACE, FIELDS)
    bad = ("k", None, "１２３", "9", *[None] * 4, "?", None)
    staged = loader.stage([f.name for f in FIELDS], [bad, ("g", *GOOD[1:])])
    checked = loader.check(resource, staged)
    query = "SELECT _reasons, short, seen FROM read_parquet(?)"
    row = duckdb.execute(query, [str(checked.rejected)]).fetchone()
    assert row == (["null_not_allowed:needed", "too_long:short", "bad_code:sex", "bad_type:seen"], "１２３", "?")
    assert checked.normalised == ()


def test_normalisation_is_recorded_per_field(loader):
    resource = make_resource(Disposition.REPLACE, FIELDS)
    row = ("k", "x ", None, "１", None, "11010519491231002x", None, "2000年2月29日", None, None)
    checked = loader.check(resource, loader.stage([f.name for f in FIELDS], [row, ("g", *GOOD[1:])]))
    assert checked.rejected_rows == 0
    assert dict(checked.normalised) == {"needed": 1, "sex": 1, "person": 1, "born": 1}


def test_a_column_that_the_source_lacks_is_empty_throughout(loader):
    resource = make_resource(Disposition.REPLACE, (*PAIR, field("later")))
    loader.load(resource, [("a", "1")], columns=["code", "value"])
    assert loader.rows(resource) == [("a", "1", None)]


def test_a_pattern_that_the_engine_cannot_run_names_its_field(loader):
    resource = make_resource(Disposition.REPLACE, (PAIR[0], replace(PAIR[1], pattern="(?=x)y")))
    with pytest.raises(ContractInvalidError, match="field `value`"):
        loader.check(resource, loader.stage(["code", "value"], [("a", "1")]))


def test_names_and_rules_with_quotes_are_only_names_and_rules(loader):
    odd = field('it\'s "odd"', codes=("o'k",), lookup=True)
    resource = make_resource(Disposition.REPLACE, (field("主键", key=True), odd), code="GOV'/310:1")
    done = loader.load(resource, [("a", "o'k"), ("b", "x")])
    loader.house.build_index(resource, done.snapshot_id)
    assert loader.house.lookup(resource.code).find(odd.name, "o'k") == loader.house.scan(resource.code)
    assert loader.rows(resource) == [("a", "o'k")]


def test_contract_digest_follows_the_rules_and_not_the_words():
    base = make_resource(Disposition.REPLACE, PAIR)
    assert contract_digest(replace(base, name="别名", error_budget=0.1)) == contract_digest(base)
    for other in (
        replace(base, disposition=Disposition.MERGE),
        replace(base, fields=(PAIR[0], replace(PAIR[1], pattern="x"))),
        replace(base, source=replace(base.source, deleted_field="x")),
    ):
        assert contract_digest(other) != contract_digest(base)


@given(st.lists(st.text(min_size=1, max_size=8), unique=True, min_size=2, max_size=6))
def test_different_codes_have_different_tables(codes):
    names = {table_name(c) for c in codes}
    assert len(names) == len(codes)
    assert all(n and set(n) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for n in names)
