"""Rules between fields and into other resources as SQL: right on rows, harmless whatever a list says."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.expressions import (
    Comparison,
    Conjunction,
    Disjunction,
    Emptiness,
    FieldName,
    Membership,
    Number,
    Op,
    Rule,
    Text,
)
from catalog.model import Disposition, FieldKind, Mask, QualityKind, QualityRule
from tests.warehouse.conftest import field, make_resource
from warehouse import rules
from warehouse.errors import ContractInvalidError, QualityGateError
from warehouse.reasons import REASONS, Reason
from warehouse.schema import field_type

FIELDS = (
    field("id", key=True),
    field("status", length=2, codes=("1", "2")),
    field("opened", FieldKind.DATE),
    field("closed", FieldKind.DATE),
    field("seen", FieldKind.DATETIME),
    field("n", FieldKind.INTEGER),
    field("part", FieldKind.DECIMAL, 12, 2),
    field("huge", FieldKind.DECIMAL, 38, 0),
    field("fine", FieldKind.DECIMAL, 38, 20),
    field("live", FieldKind.BOOLEAN),
    field("note"),
    field("hidden", landing=Mask.HASH),
)
RESOURCE = make_resource(fields=FIELDS)
NAMES = [f.name for f in FIELDS]


def rule(target, field_="id", threshold=1.0, kind=QualityKind.CONSISTENCY):
    return QualityRule(kind, field_, threshold, target)


def broken(text, **values):
    """What the rule says of one row: True where it is broken, None where nothing can be said."""
    columns = ", ".join(f"CAST(? AS {field_type(f)}) AS __v{i}" for i, f in enumerate(FIELDS))
    condition = rules.broken(RESOURCE, rule(text))
    with duckdb.connect() as con:
        row = con.execute(f"SELECT {condition} FROM (SELECT {columns})", [values.get(n) for n in NAMES]).fetchone()
    return row[0]


@pytest.mark.parametrize(
    ("text", "values", "outcome"),
    [
        ("opened <= closed", {"opened": date(2020, 1, 1), "closed": date(2020, 1, 1)}, False),
        ("opened <= closed", {"opened": date(2020, 1, 2), "closed": date(2020, 1, 1)}, True),
        ("opened <= closed", {"opened": date(2020, 1, 2)}, None),
        ("if status = '2' then closed is not null", {"status": "2"}, True),
        ("if status = '2' then closed is not null", {"status": "1"}, False),
        ("if status = '2' then closed is not null", {}, None),
        ("if status = '2' then closed is not null", {"status": "2", "closed": date(2020, 1, 1)}, False),
        ("status in ('1', '2')", {"status": "3"}, True),
        ("n not in (1, -2)", {"n": -2}, True),
        ("n not in (1, -2)", {"n": 3}, False),
        ("n <= part", {"n": 2, "part": Decimal("1.99")}, True),
        ("n <= part", {"n": 2, "part": Decimal("2.00")}, False),
        ("part >= 12.5", {"part": Decimal("12.49")}, True),
        # A day stands for the whole of it.
        ("seen = '2020-06-30'", {"seen": "2020-06-30 23:59:00"}, False),
        ("seen <= opened", {"seen": "2020-06-30 08:00:00", "opened": date(2020, 6, 30)}, False),
        ("seen < '2020-06-30 08:00'", {"seen": "2020-06-30 08:00:00"}, True),
        ("live = true or n = 1", {"live": False}, None),
        ("live = true or n = 1", {"live": False, "n": 2}, True),
        ("live = true and n = 1", {"live": False}, True),
        ("hidden is not null", {"hidden": "x"}, False),
        # More digits than there are: not compared, and no end of the load.
        ("huge <= fine", {"huge": Decimal(10**37), "fine": Decimal(1)}, None),
        ("n <= huge", {"n": 5, "huge": Decimal(10**37)}, False),
    ],
)
def test_a_rule_says_of_a_row_what_its_text_says(text, values, outcome):
    assert broken(text, **values) is outcome


def says(part, row):
    """The same in Python, with None for what is not decided (SQL:1999, three-valued logic)."""
    match part:
        case Emptiness(name, negated):
            return (row[name.name] is None) != negated
        case Membership(name, values, negated):
            value = row[name.name]
            return None if value is None else (value in [v.value for v in values]) != negated
        case Comparison(left, op, right):
            a, b = row[left.name], row[right.name] if isinstance(right, FieldName) else right.value
            if a is None or b is None:
                return None
            return {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
        case Conjunction(parts):
            found = [says(p, row) for p in parts]
            return False if False in found else None if None in found else True
        case Disjunction(parts):
            found = [says(p, row) for p in parts]
            return True if True in found else None if None in found else False


def negated(value):
    return None if value is None else not value


numbers = st.sampled_from(["n", "part"]).map(FieldName)
texts = st.just(FieldName("note"))
values = st.sampled_from([Decimal(1), Decimal(2), Decimal(-3)]).map(Number)
words = st.sampled_from(["a", "b'--", "';"]).map(Text)
atoms = (
    st.builds(Comparison, numbers, st.sampled_from(Op), numbers | values)
    | st.builds(Comparison, texts, st.sampled_from(Op), words)
    | st.builds(Membership, numbers, st.lists(values, min_size=1, max_size=2).map(tuple), st.booleans())
    | st.builds(Emptiness, numbers | texts, st.booleans())
)
conditions = st.recursive(
    atoms,
    lambda inner: st.builds(
        lambda kind, parts: kind(tuple(parts)),
        st.sampled_from([Conjunction, Disjunction]),
        st.lists(inner, min_size=2, max_size=3),
    ),
    max_leaves=5,
)
ROWS = [
    {"n": n, "part": part, "note": note}
    for n in (None, 1, 2)
    for part in (None, Decimal(1), Decimal(2))
    for note in (None, "a", "b'--")
]


@settings(max_examples=25, deadline=None)
@given(conditions, st.none() | conditions)
def test_any_rule_means_in_sql_what_it_means_in_logic(then, when):
    condition = rules.broken(RESOURCE, rule(str(Rule(then, when))))
    numbered = {name: NAMES.index(name) for name in ("n", "part", "note")}
    listed = ", ".join(f"(?::BIGINT, ?::DECIMAL(12, 2), ?::VARCHAR, {i})" for i in range(len(ROWS)))
    columns = ", ".join(f"__v{numbered[name]}" for name in ("n", "part", "note"))
    with duckdb.connect() as con:
        given_ = [value for row in ROWS for value in row.values()]
        found = con.execute(
            f"SELECT {condition} FROM (VALUES {listed}) t({columns}, place) ORDER BY place", given_
        ).fetchall()
    for row, (got,) in zip(ROWS, found, strict=True):
        wanted = negated(says(then, row))
        if when is not None:
            held = says(when, row)
            wanted = False if held is False or wanted is False else None if None in (held, wanted) else True
        assert got is wanted, (row, str(Rule(then, when)))


HOSTILE = [
    "x'; DROP TABLE landed; --",
    "' OR '1'='1",
    "'); COPY (SELECT 1) TO '/tmp/x'; --",
    "\\'; --",
    "$$",
    "__v0",
    "%s?:1",
    "\u2019 OR 1=1",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_a_list_writes_as_a_value_is_only_ever_a_value(value):
    quoted = "'" + value.replace("'", "''") + "'"
    for text, holds in ((f"note = {quoted}", False), (f"note <> {quoted}", True), (f"note in ('a', {quoted})", False)):
        assert broken(text, note=value) is holds
        assert broken(text, note="other") is not holds
    coded = (*FIELDS[:1], field("status", codes=(value, "1")))
    resource = make_resource(fields=coded, code=f"r{value}")
    condition = rules.broken(resource, rule(f"status = {quoted}"))
    with duckdb.connect() as con:
        assert con.execute(f"SELECT {condition} FROM (SELECT 'x' __v0, ? __v1)", [value]).fetchone() == (False,)


@pytest.mark.parametrize("name", ['a"; DROP TABLE t; --', "a b", "__v0", "select"])
def test_what_a_list_calls_a_field_is_only_ever_a_name(name):
    resource = make_resource(fields=(field("id", key=True), field(name)))
    target = f'"{name.replace(chr(34), chr(34) * 2)}" is not null'
    assert rules.broken(resource, rule(target)) == "(NOT (__v1 IS NOT NULL))"
    quoted = rules.broken(resource, rule(target), rules.named)
    with duckdb.connect() as con:
        column = '"' + name.replace('"', '""') + '"'
        assert con.execute(f"SELECT {quoted} FROM (SELECT 1 AS {column})").fetchone() == (False,)


@pytest.mark.parametrize("text", ["note = 1; SELECT 1", "ghost = 1", "n = 'x'", "hidden = 'x'", "status = '9'", ""])
def test_a_rule_that_does_not_fit_is_a_fault_of_the_list(text):
    with pytest.raises(ContractInvalidError) as caught:
        rules.broken(RESOURCE, rule(text))
    assert "r_test" in caught.value.text("zh")


# --- every row ---


def with_rules(*found, **more):
    return replace(make_resource(fields=FIELDS, **more), quality=found)


def test_only_what_is_asked_of_every_row_is_judged_row_by_row():
    resource = with_rules(
        rule("opened <= closed", "closed"),
        rule("n = 1", "n", 0.9),
        rule("other.code", "note", 1.0, QualityKind.REFERENCE),
        rule("other.code", "note", 0.5, QualityKind.REFERENCE),
        rule("gone.code", "note", 1.0, QualityKind.REFERENCE),
        # The row that is referred to may come in the same batch.
        rule("r_test.id", "note", 1.0, QualityKind.REFERENCE),
        rule("", "note", 1.0, QualityKind.COMPLETENESS),
    )
    found = rules.row_rules(resource, {"other": "(SELECT 'x' AS code)"}.get)
    assert [r.reason for r in found] == ["cross_field:closed", "no_reference:note"]
    assert found[0].prepare == ()
    for one in found:
        reason = Reason.parse(one.reason)
        assert reason.code in REASONS
        assert reason.text("zh") != reason.text("en")


def test_a_reference_compares_values_of_the_fields_own_type():
    resource = with_rules(rule("o.code", "n", 1.0, QualityKind.REFERENCE))
    (found,) = rules.row_rules(resource, {"o": "(VALUES ('007'), ('x'), (NULL), ('8'), ('8')) t(code)"}.get)
    with duckdb.connect() as con:
        for statement in found.prepare:
            con.execute(statement)
        column = f"__v{NAMES.index('n')}"
        query = f"SELECT {found.condition} FROM (VALUES (7::BIGINT), (8), (9), (NULL)) t({column})"
        assert [row[0] for row in con.execute(query).fetchall()] == [False, False, True, False]


def test_a_load_rejects_what_breaks_a_rule_and_says_which(loader):
    regions = make_resource(fields=(field("code", key=True),), code="regions")
    loader.load(regions, [("3412",), ("3413",)])
    fields = (
        field("id", key=True),
        field("status", codes=("1", "2")),
        field("opened", FieldKind.DATE),
        field("closed", FieldKind.DATE),
        field("region"),
    )
    resource = replace(
        make_resource(fields=fields),
        quality=(
            rule("if status = '2' then closed is not null", "closed"),
            rule("opened <= closed", "opened"),
            rule("regions.code", "region", 1.0, QualityKind.REFERENCE),
        ),
    )
    loader.load(
        resource,
        [
            ("a", "1", "2020-01-01", None, "3412"),
            ("b", "2", "2020-01-01", "", "3412"),
            ("c", "2", " 2020年2月1日", "2020-01-31", "3413"),
            ("d", "1", None, None, "9999"),
            ("e", "2", "2020-01-01", "2020-01-01", None),
            ("f", "2", "bad", None, "1"),
        ],
    )
    assert [row[0] for row in loader.rows(resource)] == ["a", "e"]
    found = {r.line: [str(x) for x in r.reasons] for r in loader.house.rejected(resource)}
    assert found == {
        2: ["cross_field:closed"],
        3: ["cross_field:opened"],
        4: ["no_reference:region"],
        6: ["bad_type:opened", "cross_field:closed", "no_reference:region"],
    }


@pytest.mark.parametrize("threshold", [1.0, 0.9])
def test_nothing_is_missing_in_a_resource_that_was_never_loaded(loader, threshold):
    regions = make_resource(fields=(field("code", key=True),), code="regions")
    resource = replace(
        make_resource(fields=(field("id", key=True), field("region"))),
        quality=(rule("regions.code", "region", threshold, QualityKind.REFERENCE),),
    )
    # Its table is made when its first load begins, which may be a while before that load is in.
    loader.house.ensure(regions)
    assert loader.load(resource, [("a", "3412"), ("b", "3413")]).inserted == 2
    loader.load(regions, [("3412",)])
    if threshold == 1.0:
        assert loader.load(resource, [("a", "3412"), ("b", "3414")]).unchanged == 1
        assert len(loader.house.rejected(resource)) == 1
    else:
        with pytest.raises(QualityGateError):
            loader.load(resource, [("a", "3412"), ("b", "3414")])


def test_a_row_marked_deleted_is_spared(loader):
    fields = (field("id", key=True), field("n", FieldKind.INTEGER), field("at", FieldKind.DATETIME), field("gone"))
    resource = replace(
        make_resource(Disposition.MERGE, fields, cursor_field="at", deleted_field="gone", deleted_value="y"),
        quality=(rule("n > 0", "n"),),
    )
    done = loader.load(
        resource,
        [("a", "0", "2026-01-01", "y"), ("b", "0", "2026-01-01", ""), ("c", "1", "2026-01-01", "")],
        "2026-01-01",
    )
    assert done.inserted == 1
    assert [r.line for r in loader.house.rejected(resource)] == [2]
