from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import expressions
from catalog.identifiers import check_citizen_id, check_uscc
from catalog.load import load
from catalog.model import Check, Disposition, FieldKind, Mask, QualityKind, QualityRule
from hub.sandbox import patterns
from hub.sandbox.rules import kept
from hub.sandbox.samples import ROWS, SampleNotMadeError, Sandbox
from hub.sandbox.values import NOWHERE
from tests.warehouse.conftest import Loader, field, make_resource
from warehouse.errors import FieldNotIndexedError
from warehouse.lookup import Lookup

LIST = load(Path(__file__).parents[2] / "demo" / "responsibilities.xlsx")
SANDBOX = Sandbox(LIST)


def listed(*resources):
    return replace(LIST, resources=resources)


def landed(value):
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    made = Loader(tmp_path_factory.mktemp("sandbox"))
    yield made
    made.house.close()


def rejected(loader, resource, rows):
    """How many of *rows* the warehouse would not take, with all its rules."""
    resource = replace(resource, error_budget=1.0)
    names = [f.name for f in resource.fields]
    staged = loader.stage(names, [tuple(landed(row[name]) for name in names) for row in rows])
    loader.house.ensure(resource)
    return loader.check(resource, staged)


@pytest.mark.parametrize("code", sorted(LIST.by_code))
def test_every_row_keeps_the_contract(loader, code):
    resource = LIST.by_code[code]
    rows = list(SANDBOX.rows(resource))
    assert len(rows) == SANDBOX.count(resource) == ROWS
    checked = rejected(loader, resource, rows)
    assert (checked.rejected_rows, checked.reasons) == (0, ())
    assert checked.read == ROWS


def test_references_are_found_where_they_point():
    found = 0
    for resource in LIST.resources:
        for rule in resource.quality:
            if rule.kind is QualityKind.REFERENCE:
                code, _, target = rule.target.rpartition(".")
                there = {row[target] for row in SANDBOX.rows(LIST.by_code[code])}
                assert {row[rule.field] for row in SANDBOX.rows(resource)} <= there | {None}
                found += 1
    assert found > 1


def test_the_same_row_comes_whatever_was_made_before():
    resource = LIST.resources[0]
    again = Sandbox(LIST)
    assert again.row(resource, 637) == SANDBOX.row(resource, 637) == list(SANDBOX.rows(resource))[637]
    other = Sandbox(replace(LIST, title="另一版清单"))
    assert other.row(resource, 637) != again.row(resource, 637)
    with pytest.raises(IndexError):
        again.row(resource, ROWS)


def test_nobody_is_meant():
    for resource in LIST.resources:
        for n in range(0, ROWS, 9):
            row = SANDBOX.row(resource, n)
            for made in resource.fields:
                value = row[made.name]
                if value is None:
                    continue
                if made.check is Check.CITIZEN_ID:
                    assert check_citizen_id(value)[:6] == NOWHERE
                elif made.check is Check.USCC:
                    assert check_uscc(value)[2:8] == NOWHERE
                elif "姓名" in made.title:
                    assert value[0] == "样"
                elif made.name == "phone":
                    assert value[0] in "0样*"
                assert not re.search(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])", str(value))


def test_edges_are_among_the_rows():
    resource = LIST.by_code["3010010001"]
    rows = list(SANDBOX.rows(resource))
    length = resource.field("address").type.length
    assert any(len(row["address"] or "") == length for row in rows)
    assert any("𬱖" in row["name"] for row in rows)
    for made in resource.fields:
        empty = sum(row[made.name] is None for row in rows)
        assert (empty > 0) is (made.nullable and made.name != "deleted"), made.name
    dates = {row["valid_until"] for row in SANDBOX.rows(LIST.by_code["3010020002"])}
    assert {"1900-01-01", "9999-12-31", "2000-02-29"} <= dates


@pytest.mark.parametrize("code", sorted(LIST.by_code))
def test_rows_are_found_by_every_look_up_field(code):
    resource, lookup = LIST.by_code[code], SANDBOX.lookup(code)
    keys = SANDBOX.sample_keys(resource)
    assert list(keys) == [f.name for f in resource.lookup_fields]
    for name, some in keys.items():
        assert some
        for value in some:
            found = lookup.look(name, value)
            assert found.snapshot_id == lookup.snapshot_id > 0
            assert found.rows
            assert {row[name] for row in found.rows} == {value}
            assert lookup.find(name, value, 1) == found.rows[:1]
    assert [len(rows) > 0 for rows in lookup.look_many(name, [some[0], "nobody"]).rows] == [True, False]
    with pytest.raises(FieldNotIndexedError):
        lookup.find("no such field", "x")


def test_a_sandbox_is_asked_as_an_index_is():
    own = {name for name in dir(Lookup) if not name.startswith("_")}
    assert own <= set(dir(SANDBOX.lookup("3010010001")))


FIELDS = (
    field("n", FieldKind.INTEGER, key=True),
    field("kind", codes=("a", "b"), key=True, lookup=True),
    field("amount", FieldKind.DECIMAL, 5, 2, lookup=True),
    field("at", FieldKind.DATETIME),
    field("on", FieldKind.BOOLEAN),
    field("whole", codes=("1", "2")),
    field("account", length=19, landing=Mask.KEEP_LAST_4),
    field("unbounded", nullable=False),
)


def test_every_type_lands_and_is_found(loader):
    resource = make_resource(fields=FIELDS, code="types")
    sandbox = Sandbox(listed(resource))
    rows = list(sandbox.rows(resource))
    assert rejected(loader, resource, rows).rejected_rows == 0
    assert {len(row["amount"].split(".")[1]) for row in rows if row["amount"]} == {2}
    assert {type(row["on"]) for row in rows} == {bool, type(None)}
    assert all(row["account"].startswith("*") for row in rows if row["account"])
    value = next(row["amount"] for row in rows if row["amount"])
    assert {row["amount"] for row in sandbox.lookup("types").find("amount", value + "0")} == {value}
    assert json.loads(json.dumps(rows)) == rows


def test_few_keys_make_few_rows_and_several_fields_count_together(loader):
    few = make_resource(fields=(field("code", codes=("1", "2", "3"), key=True),), code="few")
    assert [row["code"] for row in Sandbox(listed(few)).rows(few)] == ["1", "2", "3"]
    pair = (field("a", length=1, key=True), field("b", codes=("x", "y", "z"), key=True))
    several = make_resource(fields=pair, code="several")
    rows = list(Sandbox(listed(several)).rows(several))
    assert len(rows) == len({tuple(row.values()) for row in rows}) == 30
    assert rejected(loader, several, rows).rejected_rows == 0


def test_a_row_is_never_marked_deleted():
    deleted = field("gone", codes=("0", "1"))
    resource = make_resource(
        Disposition.MERGE,
        (field("code", key=True), deleted),
        deleted_field="gone",
        deleted_value="1",
    )
    assert {row["gone"] for row in Sandbox(listed(resource)).rows(resource)} == {"0", None}


DATED = (
    field("code", key=True, lookup=True),
    field("start", FieldKind.DATE, nullable=False),
    field("end", FieldKind.DATE),
    field("state", codes=("open", "closed"), nullable=False),
    field("grade", FieldKind.INTEGER),
)


@pytest.mark.parametrize(
    "rule",
    [
        "start <= end",
        "if state = 'closed' then end is not null and start < end",
        "start = '2020-02-29' or grade in (3, 4)",
        "grade >= 7 and grade <> 9",
        "if end is null then state = 'open'",
        "end = start",
    ],
)
def test_rules_between_fields_are_kept(loader, rule):
    quality = (QualityRule(QualityKind.CONSISTENCY, "start", 1.0, rule),)
    resource = replace(make_resource(fields=DATED, code="dated"), quality=quality)
    rows = list(Sandbox(listed(resource)).rows(resource))
    assert rejected(loader, resource, rows).rejected_rows == 0


def test_what_cannot_be_made_is_said():
    impossible = make_resource(fields=(field("code", key=True, pattern="(?=x)x"),), code="r")
    with pytest.raises(SampleNotMadeError) as caught:
        Sandbox(listed(impossible)).row(impossible, 0)
    assert "code" in caught.value.text("zh")
    never = (QualityRule(QualityKind.CONSISTENCY, "start", 1.0, "start < '0001-01-01'"),)
    resource = replace(make_resource(fields=DATED, code="dated"), quality=never)
    with pytest.raises(SampleNotMadeError):
        Sandbox(listed(resource)).row(resource, 0)


def test_rules_hold_where_they_are_undecided():
    rule = expressions.parse("start <= end")
    assert kept(rule, {"start": date(2020, 1, 2), "end": None})
    assert not kept(rule, {"start": date(2020, 1, 2), "end": date(2020, 1, 1)})


PATTERNS = [
    "[0-9]{12}",
    "[0-9]{2}([0-9]{2}([0-9]{2})?)?",
    "GZ[0-9]{8}",
    "(?:皖|苏)[A-Z][0-9A-Z]{5}",
    r"\d+-\d{2,4}",
    r"[[:upper:]]{2}[[:digit:]]+",
    r"\p{Han}{2,4}",
    r"^[^0-9]\w*$",
    r"(?i)abc|de[f-h]",
    r"\Qa.b\E\.[\d\-x]",
    r"(?P<year>20[0-9]{2})年?",
    ".{1,3}",
]


@given(st.sampled_from(PATTERNS), st.integers(0, 10**6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_texts_match_their_pattern_in_the_engine(pattern, n, longest):
    wanted = patterns.capacity(pattern, 20, 1000)
    for text in (
        patterns.nth(pattern, 20, 1000, n % wanted),
        patterns.some(pattern, 20, lambda m: n % m, longest=longest),
    ):
        assert CON.execute("SELECT regexp_full_match(?, ?)", [text, pattern]).fetchone()[0], text
        assert len(text) <= 20


CON = duckdb.connect()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_first_texts_of_a_pattern_differ(pattern):
    wanted = patterns.capacity(pattern, 20, 1000)
    assert len({patterns.nth(pattern, 20, 1000, n) for n in range(wanted)}) == wanted


@pytest.mark.parametrize("pattern", ["(?=a)", "(?<!a)b", r"(a)\1", r"\p{Klingon}", "[a", "(a", "a{3}"])
def test_other_patterns_are_refused(pattern):
    with pytest.raises(patterns.PatternNotMadeError):
        patterns.capacity(pattern, 2, 10)
