"""Source and table compared: by measures of a load, and row by row to the one that differs."""

import json
from dataclasses import replace
from datetime import date

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import NOW, field, make_resource
from warehouse import reconcile
from warehouse.reconcile import Comparison, Difference, Kind, TableMeasures

FIELDS = (
    field("id", key=True),
    field("line", FieldKind.INTEGER, key=True),
    field("amount", FieldKind.DECIMAL, 12, 2),
    field("day", FieldKind.DATE),
    field("at", FieldKind.DATETIME),
    field("note"),
)
RESOURCE = make_resource(fields=FIELDS)


# --- measures of a load ---


def source_measures(rows=3, **columns):
    good = {
        "id": {"count": "3", "distinct": "3"},
        "line": {"count": "3", "min": "1", "max": "3", "sum": "6", "distinct": "3"},
        "amount": {"count": "2", "min": "1.50", "max": "20", "sum": "21.5"},
        "day": {"count": "3", "min": "2020-01-01", "max": "2020-01-03"},
        "at": {"count": "1", "min": "2020-01-01T08:00:00.500000", "max": "2020-01-01T08:00:00.500000"},
        "note": {"count": "3", "min": "甲", "max": "a"},
    }
    return TableMeasures(rows, {**good, **columns})


@pytest.fixture
def con():
    with duckdb.connect() as opened:
        yield opened


TABLE = """(SELECT * FROM (VALUES ('a', 1::BIGINT, 1.5::DECIMAL(12,2), DATE '2020-01-01', NULL, 'x'),
    ('b', 2, 20, DATE '2020-01-02', TIMESTAMP '2020-01-01 08:00:00.5', 'y'),
    ('c', 3, NULL, DATE '2020-01-03', NULL, 'z'))
    t(id, line, amount, day, "at", note))"""


def test_equal_measures_in_whatever_words_are_equal(con):
    ours = reconcile.measure(con, RESOURCE, TABLE)
    assert ours.rows == 3
    assert ours.columns["amount"] == {"count": "2", "min": "1.50", "max": "20.00", "sum": "21.50"}
    assert reconcile.compare_measures(RESOURCE, source_measures(), ours, read=3) == ()
    other_words = source_measures(day={"count": "3", "min": "2020-01-01 00:00:00", "max": "2020-01-03T00:00:00.0"})
    assert reconcile.compare_measures(RESOURCE, other_words, ours, read=3) == ()
    assert reconcile.compare_measures(RESOURCE, TableMeasures(3), ours, read=3) == ()


@pytest.mark.parametrize(
    ("change", "column", "measure"),
    [
        ({"amount": {"sum": "21.51"}}, "amount", "sum"),
        ({"amount": {"count": "3"}}, "amount", "count"),
        ({"line": {"max": "4"}}, "line", "max"),
        ({"id": {"distinct": "2"}}, "id", "distinct"),
        ({"day": {"min": "2019-12-31"}}, "day", "min"),
        ({"at": {"max": "2020-01-01 08:00:00.6"}}, "at", "max"),
    ],
)
def test_each_measure_that_differs_is_told_without_its_value(con, change, column, measure):
    ours = reconcile.measure(con, RESOURCE, TABLE)
    (found,) = reconcile.compare_measures(RESOURCE, source_measures(**change), ours, read=3)
    assert (found.column, found.measure) == (column, measure)
    assert found.text("en") != found.text("zh")
    if measure in ("min", "max", "sum"):
        told = found.to_json()["zh"] + found.to_json()["en"]
        assert found.source not in told
        assert found.table not in told


def test_rows_lost_between_source_and_table_are_told(con):
    ours = reconcile.measure(con, RESOURCE, TABLE)
    lost = reconcile.compare_measures(RESOURCE, TableMeasures(4), ours, read=3)
    assert [f.measure for f in lost] == ["rows", "rows"]
    assert "4 ≠ 3" in lost[0].text("zh")
    # Of a range only what was read can be counted.
    assert len(reconcile.compare_measures(RESOURCE, TableMeasures(4), ours, read=3, whole=False)) == 1
    assert reconcile.compare_measures(RESOURCE, source_measures(900), ours, read=900, whole=False) == ()


def test_rows_left_out_and_texts_normalised_away_are_accounted_for(con):
    ours = reconcile.measure(con, RESOURCE, TABLE)
    more = source_measures(
        5, id={"count": "5", "distinct": "5"}, amount={"count": "4", "sum": "999", "min": "0"}, note={"count": "5"}
    )
    account = {"read": 5, "rejected": 1, "superseded": 1}
    assert reconcile.compare_measures(RESOURCE, more, ours, **account) == ()
    assert reconcile.compare_measures(RESOURCE, more, ours, read=5, rejected=1) != ()
    blank = source_measures(note={"count": "4"})
    assert reconcile.compare_measures(RESOURCE, blank, ours, read=3) != ()
    assert reconcile.compare_measures(RESOURCE, blank, ours, read=3, normalised={"note": 1}) == ()


# --- buckets ---


def items(con, rows):
    """Two tables of the same *rows*, to be changed apart."""
    made = "SELECT i AS id, i % 7 AS line, (i * 3)::DECIMAL(12,2) AS amount, NULL::DATE AS day, 'x' || i AS note"
    for name in ("a", "b"):
        con.execute(f"CREATE OR REPLACE TABLE {name} AS {made} FROM range({rows}) t(i)")


def compare(con, **more):
    return Comparison.of(con, "a", "b", key=["id", "line"], values=["amount", "day", "note"], **more)


def differs(con):
    return con.execute("SELECT id, _kind FROM differs ORDER BY id").fetchall()


def test_two_equal_tables_need_no_row_compared(con):
    items(con, 5000)
    con.execute("CREATE TABLE c AS FROM b ORDER BY hash(id); DROP TABLE b; ALTER TABLE c RENAME TO b")
    assert compare(con) == Comparison(5000, 5000, 0)
    assert differs(con) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE a SET amount = amount + 0.01 WHERE id = 4321", "changed"),
        ("UPDATE a SET note = NULL WHERE id = 4321", "changed"),
        ("UPDATE a SET day = DATE '2020-01-01' WHERE id = 4321", "changed"),
        ("DELETE FROM a WHERE id = 4321", "extra"),
        ("DELETE FROM b WHERE id = 4321", "missing"),
    ],
)
def test_one_row_among_many_is_found_in_its_bucket(con, change, kind):
    items(con, 20_000)
    con.execute(change)
    found = compare(con)
    assert found.buckets == 1
    assert differs(con) == [(4321, kind)]


def test_values_that_changed_places_do_not_cancel_each_other_out(con):
    items(con, 100)
    con.execute("UPDATE a SET amount = CASE id WHEN 1 THEN 6 WHEN 2 THEN 3 ELSE amount END")
    # All in one bucket: the worst case for sums and exclusive ors.
    compare(con, buckets=1)
    assert differs(con) == [(1, "changed"), (2, "changed")]
    items(con, 100)
    con.execute("UPDATE a SET note = 'x4' WHERE id = 3; UPDATE a SET note = 'x3' WHERE id = 4")
    compare(con, buckets=1)
    assert differs(con) == [(3, "changed"), (4, "changed")]


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(st.integers(0, 30), st.sampled_from([None, 1, 2]), max_size=12),
    st.dictionaries(st.integers(0, 30), st.sampled_from([None, 1, 2]), max_size=12),
    st.sampled_from([1, 4, 4096]),
)
def test_any_two_tables_differ_just_where_they_differ(one, other, buckets):
    with duckdb.connect() as con:
        for name, rows in (("a", one), ("b", other)):
            con.execute(f"CREATE TABLE {name} (id BIGINT, v BIGINT)")
            con.executemany(f"INSERT INTO {name} VALUES (?, ?)", [(-1, 0), *rows.items()])
        Comparison.of(con, "a", "b", key=["id"], values=["v"], buckets=buckets)
        found = dict(differs(con))
    wanted = dict.fromkeys(one.keys() - other.keys(), "missing")
    wanted |= dict.fromkeys(other.keys() - one.keys(), "extra")
    wanted |= {key: "changed" for key in one.keys() & other.keys() if one[key] != other[key]}
    assert found == wanted


# --- source and table ---


def rows(number, **changed):
    made = [(f"人{i:04d}", str(i), f"{i}.50", "2020-01-01", "2020-01-01 08:00:00", f"注{i}") for i in range(number)]
    return [changed.get(row[0], row) for row in made]


def source(loader, given):
    return loader.stage([f.name for f in FIELDS], given)


def run(loader, given, resource=RESOURCE, **more):
    return reconcile.full(loader.house, resource, source(loader, given), loader.root / "work", **more)


def test_source_and_table_that_agree_leave_no_file(loader):
    loader.load(RESOURCE, rows(300))
    # Written otherwise, and in another order; the same all the same.
    other = [(f" {i}", line, f"{amount}0", "2020年1月1日", at, note) for i, line, amount, _, at, note in rows(300)]
    found = run(loader, other[::-1])
    assert found.equal
    assert (found.source_rows, found.table_rows, found.buckets, found.report, found.keys) == (300, 300, 0, None, None)
    assert "一致" in found.text("zh")
    assert not (loader.root / "warehouse" / "reconciliations").exists()


def test_each_row_that_differs_is_named_without_telling_who_it_is(loader):
    loader.load(RESOURCE, rows(300))
    given = rows(300)
    given[17] = ("人0017", "17", "17.51", "2020-01-01", "2020-01-01 08:00:00", "改")
    del given[200]
    given.append(("人9999", "1", "1.00", "2020-01-01", None, None))
    salt = b"0123456789abcdef"
    found = run(loader, given, salt=salt)
    assert (found.missing, found.extra, found.changed, found.rejected) == (1, 1, 1, 0)
    assert (found.source_rows, found.table_rows) == (300, 300)
    assert set(found.differences) == {
        Difference(Kind.CHANGED, reconcile.digest_of(salt, ("人0017", 17)), 18, ("amount", "note")),
        Difference(Kind.EXTRA, reconcile.digest_of(salt, ("人0200", 200))),
        Difference(Kind.MISSING, reconcile.digest_of(salt, ("人9999", 1)), 300),
    }
    text = found.report.read_text(encoding="utf-8")
    assert json.loads(text) == found.to_json()
    for personal in ("人0017", "改", "17.51"):
        assert personal not in text + repr(found)
    # The keys stand in a file for its owner alone.
    table = pq.read_table(found.keys)
    assert sorted(table["id"].to_pylist()) == ["人0017", "人0200", "人9999"]
    assert table.schema.metadata[b"salt"] == salt.hex().encode()
    for path, mode in ((found.keys, 0o600), (found.report, 0o600), (found.report.parent, 0o700)):
        assert path.stat().st_mode & 0o777 == mode
    assert found.report.is_relative_to(loader.root / "warehouse")
    # Another salt, another digest: reports cannot be joined.
    assert {d.key for d in run(loader, given).differences}.isdisjoint({d.key for d in found.differences})


def test_a_row_that_breaks_the_contract_is_not_said_to_be_missing_or_too_many(loader):
    loader.load(RESOURCE, rows(50))
    given = rows(50, 人0003=("人0003", "3", "no number", "2020-01-01", None, ""))
    given.append(("人0777", "7", "bad", "2020-01-01", None, ""))
    found = run(loader, given)
    assert found.equal
    assert (found.rejected, found.table_rows, found.source_rows) == (2, 50, 51)


def test_a_source_of_which_most_is_rejected_is_compared_all_the_same(loader):
    resource = replace(RESOURCE, error_budget=0.1)
    loader.load(resource, rows(20))
    given = [(i, line, "?", day, at, note) for i, line, _, day, at, note in rows(20)]
    given[5] = ("人0005", "5", "6.00", "2020-01-01", "2020-01-01 08:00:00", "注5")
    found = run(loader, given, resource)
    assert (found.rejected, found.changed, found.extra, found.missing) == (19, 1, 0, 0)
    assert found.differences[0].fields == ("amount",)


def test_a_merged_table_is_compared_with_the_whole_of_its_source(loader):
    fields = (field("id", key=True), field("v"), field("at", FieldKind.DATETIME), field("gone"))
    resource = make_resource(Disposition.MERGE, fields, cursor_field="at", deleted_field="gone", deleted_value="y")
    loader.load(resource, [("a", "1", "2026-01-01", ""), ("b", "1", "2026-01-01", "")], "2026-01-01")
    loader.load(resource, [("c", "1", "2026-01-02", "")], "2026-01-02")
    names = ["id", "v", "at", "gone"]
    # An update without a new time, a deletion that was never told, and one that was marked.
    staged = loader.stage(names, [("a", "2", "2026-01-01", ""), ("c", "1", "2026-01-02", "y")])
    found = reconcile.full(loader.house, resource, staged, loader.root / "work")
    assert (found.changed, found.extra, found.missing) == (1, 2, 0)
    assert found.to_json()["changed"] == 1


def test_measures_of_a_load_meet_those_of_its_table(loader):
    given = rows(40)
    staged = source(loader, given)
    loader.house.ensure(RESOURCE)
    checked = loader.house.check(RESOURCE, staged, loader.root / "staging", now=NOW)
    loader.house.commit(RESOURCE, staged, checked)
    with duckdb.connect() as con:
        item = f"read_parquet({[str(f.path) for f in loader.files(RESOURCE)]})"
        ours = reconcile.measure(con, RESOURCE, item)
    theirs = TableMeasures(
        40, {"line": {"sum": str(sum(range(40)))}, "day": {"min": str(date(2020, 1, 1))}, "id": {"distinct": "40"}}
    )
    assert reconcile.compare_measures(RESOURCE, theirs, ours, **reconcile.accounted(checked)) == ()
