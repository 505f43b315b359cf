from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.model import Check, Disposition, FieldKind
from tests.warehouse.conftest import NOW, field, make_resource
from tests.warehouse.parts import arrow_table, land_as_text, land_parts, land_tables
from warehouse import checks
from warehouse.errors import ContractInvalidError, ErrorBudgetExceededError, StagedFileDamagedError
from warehouse.reasons import REASONS
from warehouse.schema import new_schema
from warehouse.staging import Checked

FIELDS = (
    field("id", FieldKind.INTEGER, key=True, lookup=True),
    field("name", length=4, nullable=False),
    field("sex", pattern="[12]"),
    field("amount", FieldKind.DECIMAL, 12, 2),
    field("day", FieldKind.DATE),
    field("seen", FieldKind.DATETIME),
    field("active", FieldKind.BOOLEAN),
)
RESOURCE = make_resource(Disposition.REPLACE, FIELDS, budget=1.0)
REST = ("1", Decimal("1.50"), date(2020, 2, 29), datetime.fromisoformat("2020-01-01 10:00:00.25"), True)


def row(number, name="张三", **more):
    usual = dict(zip([f.name for f in FIELDS], (number, name, *REST), strict=True))
    return tuple((usual | more).values())


def rows(*numbers):
    return [row(number) for number in numbers]


def check(staged, resource=RESOURCE, **options):
    into = staged.path.parent / "checked"
    with duckdb.connect(config={"threads": 1}) as con:
        return checks.check(con, resource, new_schema(resource), staged, into, now=NOW, **options)


def good(checked, columns="*"):
    return duckdb.execute(f"SELECT {columns} FROM {checks.good_rows(checked)} ORDER BY ALL").fetchall()


def rejected(checked):
    query = "SELECT _line, _reasons FROM read_parquet(?) ORDER BY _line"
    return dict(duckdb.execute(query, [str(checked.rejected)]).fetchall())


def landed(path):
    return path.parent.name == "landed"


def test_parts_in_order_are_good_files_as_they_are(tmp_path):
    staged = land_parts(tmp_path / "landed", RESOURCE, [rows(1, 2), rows(3, 5), rows(4, 6)])
    checked = check(staged)
    assert checked.good == staged.files()
    assert (checked.read, checked.accepted, checked.rejected_rows, checked.normalised) == (6, 6, 0, ())
    assert [name for name, _ in checked.digests] == [checked.rejected.name]
    assert good(checked) == rows(1, 2, 3, 4, 5, 6)
    assert Checked.from_json(json.loads(json.dumps(checked.to_json()))) == checked


def test_an_adopted_part_becomes_a_data_file_byte_by_byte(loader):
    staged = land_parts(loader.root / "landed", RESOURCE, [rows(1, 2), [row(3), row(4, name=" x")]])
    loader.house.ensure(RESOURCE)
    checked = loader.check(RESOURCE, staged)
    done = loader.house.commit(RESOURCE, staged, checked)
    assert done.inserted == 4
    shutil.rmtree(staged.path)
    assert [r[:2] for r in loader.rows(RESOURCE)] == [(1, "张三"), (2, "张三"), (3, "张三"), (4, "x")]


def test_only_parts_with_rejected_or_mended_rows_are_written_again(tmp_path):
    parts = [rows(1, 2), [row(3), row(4, name=None)], [row(5, name=" 李四"), row(6)], rows(7, 8)]
    staged = land_parts(tmp_path / "landed", RESOURCE, parts)
    checked = check(staged)
    assert [landed(path) for path in checked.good] == [True, False, False, True]
    assert [pq.read_metadata(path).num_rows for path in checked.good] == [2, 1, 2, 2]
    assert rejected(checked) == {4: ["null_not_allowed:name"]}
    assert checked.normalised == (("name", 1),)
    assert good(checked) == [*rows(1, 2, 3), row(5, name="李四"), *rows(6, 7, 8)]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_good_files_have_the_tables_ids_and_types_are_sorted_and_of_limited_size(tmp_path, size):
    parts = [[*rows(9, 8, 7), row(6, name="　x")], rows(3, 2, 1)]
    checked = check(land_parts(tmp_path / "landed", RESOURCE, parts), rows_per_file=size)
    assert all(not landed(path) for path in checked.good)
    wanted = {f.name: f.field_id for f in new_schema(RESOURCE).fields}
    for path in checked.good:
        table = pq.read_table(path)
        assert {f.name: int(f.metadata[b"PARQUET:field_id"]) for f in table.schema} == wanted
        assert [f.type for f in table.schema] == [f.type for f in arrow_table(RESOURCE, []).schema]
        assert table["id"].to_pylist() == sorted(table["id"].to_pylist())
        assert table.num_rows <= size
    assert good(checked, "id") == [(1,), (2,), (3,), (6,), (7,), (8,), (9,)]


@pytest.mark.parametrize("what", ["ids", "wider", "text", "narrow"])
def test_parts_of_another_shape_are_read_and_written_again(tmp_path, what):
    types = {
        "wider": {"amount": pa.decimal128(14, 4)},
        "text": {"id": pa.string(), "amount": pa.string(), "day": pa.string()},
        "narrow": {"id": pa.int32()},
    }.get(what, {})
    found = rows(1, 2)
    if what == "text":
        found = [(str(r[0]), r[1], r[2], str(r[3]), str(r[4]), *r[5:]) for r in found]
    table = arrow_table(RESOURCE, found, types)
    checked = check(land_tables(tmp_path / "landed", RESOURCE, [table], ids=what != "ids"))
    assert not any(landed(path) for path in checked.good)
    assert good(checked) == rows(1, 2)
    assert pq.read_table(checked.good[0]).schema.types == arrow_table(RESOURCE, []).schema.types


def test_a_decimal_with_more_places_than_the_field_has_is_rejected_and_not_rounded(tmp_path):
    numbers = [Decimal("1.5000"), Decimal("1.5550")]
    found = [row(i, amount=number) for i, number in enumerate(numbers)]
    table = arrow_table(RESOURCE, found, {"amount": pa.decimal128(14, 4)})
    checked = check(land_tables(tmp_path / "landed", RESOURCE, [table]))
    assert good(checked, "id, amount") == [(0, Decimal("1.50"))]
    assert rejected(checked) == {2: ["bad_type:amount"]}


@pytest.mark.parametrize("column", ["day", "seen"])
@pytest.mark.parametrize("text", ["infinity", "-infinity", "10000-01-01", "0000-06-01", "0044-03-15 (BC)"])
def test_days_that_no_calendar_has_are_rejected(tmp_path, column, text):
    type_ = "DATE" if column == "day" else "TIMESTAMP"
    clean, rest = arrow_table(RESOURCE, rows(1)), [n for n in (f.name for f in FIELDS) if n != column]
    with duckdb.connect() as con:
        query = f"SELECT * REPLACE (2 AS id, CAST('{text}' AS {type_}) AS {column}) FROM clean"
        con.execute(f"COPY (FROM ({query})) TO '{tmp_path / 'bad.parquet'}'")
    bad = pq.read_table(tmp_path / "bad.parquet", coerce_int96_timestamp_unit="us").cast(clean.schema)
    assert bad.select(rest).num_rows == 1
    checked = check(land_tables(tmp_path / "landed", RESOURCE, [clean, bad]))
    assert rejected(checked) == {2: [f"impossible_date:{column}"]}
    assert good(checked) == rows(1)
    quarantine = duckdb.execute(f"SELECT {column}, id FROM read_parquet('{checked.rejected}')").fetchone()
    assert quarantine[0] is not None
    assert quarantine[1] == "2"


@dataclass(frozen=True)
class Rule:
    reason: str
    condition: str
    prepare: tuple[str, ...] = ()


def test_rules_over_several_fields_and_other_rows_reject_too(tmp_path):
    staged = land_parts(tmp_path / "landed", RESOURCE, [rows(1, 2), [row(3, active=False), row(4, day=None)]])
    known = ("CREATE OR REPLACE TEMP TABLE known AS SELECT unnest([1, 3, 4]) AS id",)
    rules = [
        Rule("bad_pattern:active", "NOT __v6 AND __v3 > 1"),
        Rule("bad_code:id", "__v0 NOT IN (SELECT id FROM known)", known),
        Rule("bad_type:day", "__v4 < DATE '2000-01-01'"),
    ]
    checked = check(staged, rules=rules)
    assert rejected(checked) == {2: ["bad_code:id"], 3: ["bad_pattern:active"]}
    assert good(checked, "id") == [(1,), (4,)]


def test_a_rule_that_cannot_be_applied_is_told_as_such(tmp_path):
    staged = land_parts(tmp_path / "landed", RESOURCE, [rows(1)])
    for condition in ("nowhere = 1", "__v0 ~", "nofunction(__v0)"):
        with pytest.raises(ContractInvalidError, match="refused a rule"):
            check(staged, rules=[Rule("x:y", condition)])


def test_a_column_called_like_a_place_in_a_file_is_refused_and_not_mistaken(tmp_path):
    resource = make_resource(Disposition.REPLACE, (field("id", key=True), field("file_index")))
    with pytest.raises(ContractInvalidError, match="file_index"):
        check(land_parts(tmp_path / "landed", resource, [[("a", "1")]]), resource)


# --- keys ---


def test_a_key_in_two_parts_is_found_and_only_these_are_written_again(tmp_path):
    parts = [rows(1, 4), rows(2, 3, 4), rows(5), [row(6), row(6, name="b")]]
    checked = check(land_parts(tmp_path / "landed", RESOURCE, parts))
    assert rejected(checked) == {5: ["duplicate_key:id"], 7: ["conflicting_key:id"], 8: ["conflicting_key:id"]}
    assert [landed(path) for path in checked.good] == [True, False, True]
    assert good(checked, "id") == [(1,), (2,), (3,), (4,), (5,)]


def test_keys_that_are_equal_only_once_normalised_are_found(tmp_path):
    resource = make_resource(Disposition.REPLACE, (field("code", key=True), field("value")))
    parts = [[("A1", "x"), ("B", "y")], [("Ａ１", "x"), (" B", "z")]]
    checked = check(land_parts(tmp_path / "landed", resource, parts), resource)
    found = {3: ["duplicate_key:code"], 2: ["conflicting_key:code"], 4: ["conflicting_key:code"]}
    assert rejected(checked) == found
    assert good(checked) == [("A1", "x")]


KEYED = make_resource(Disposition.REPLACE, (field("a", FieldKind.INTEGER, key=True), field("b", key=True)), budget=1.0)
KEYS = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 4)), st.sampled_from(["x", "y", " x", None])), max_size=6)


@given(parts=st.lists(KEYS, min_size=1, max_size=4), ordered=st.booleans())
@settings(max_examples=20, deadline=None)
def test_each_key_is_taken_once_whatever_the_order(parts, ordered):
    if ordered:
        parts = [sorted(part, key=lambda key: (key[0] or 0, key[1] or "")) for part in parts]
    with tempfile.TemporaryDirectory() as folder:
        checked = check(land_parts(Path(folder) / "landed", KEYED, parts), KEYED)
        whole = [(a, b.strip()) for part in parts for a, b in part if a is not None and b is not None]
        assert good(checked) == sorted(set(whole))
        assert checked.rejected_rows == sum(len(part) for part in parts) - len(set(whole))


@pytest.mark.parametrize("per_pass", [1, 2, 1000])
def test_keys_are_told_apart_in_several_passes_too(tmp_path, monkeypatch, per_pass):
    monkeypatch.setattr(checks, "_KEYS_PER_PASS", per_pass)
    checked = check(land_parts(tmp_path / "landed", RESOURCE, [rows(5, 4, 3), rows(4, 9), rows(5, 1)]))
    assert rejected(checked) == {4: ["duplicate_key:id"], 6: ["duplicate_key:id"]}


def test_the_newest_of_a_delta_in_parts_is_taken_and_deletions_are_keys(tmp_path):
    fields = (field("id", FieldKind.INTEGER, key=True), field("seen", FieldKind.DATETIME), field("gone"))
    resource = make_resource(Disposition.MERGE, fields, cursor_field="seen", deleted_field="gone", deleted_value="1")
    days = [datetime.fromisoformat(f"2020-01-0{i}") for i in range(1, 5)]
    parts = [[(1, days[0], "0"), (2, days[0], "0")], [(1, days[3], "1"), (2, days[1], "0")], [(3, days[2], "0")]]
    staged = land_parts(tmp_path / "landed", resource, parts, cursor="2020-01-04")
    checked = check(staged, resource)
    assert (checked.superseded, checked.accepted) == (2, 3)
    assert duckdb.execute("FROM read_parquet(?)", [str(checked.deleted)]).fetchall() == [(1,)]
    assert good(checked, "id, gone") == [(2, "0"), (3, "0")]
    assert [landed(path) for path in checked.good] == [False, True]


# --- typed and text ---

VALUES = st.tuples(
    st.one_of(st.none(), st.integers(0, 6), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(
        st.none(), st.sampled_from(["", " ", "a", "a ", "　中文", "张三", "太长的名字", "\t\x01", "ａ", "a\u00a0"])
    ),
    st.one_of(st.none(), st.sampled_from(["1", "2", "3", "１", " 2", "男"])),
    st.one_of(st.none(), st.decimals(-9999999999, 9999999999, places=2)),
    st.one_of(st.none(), st.dates()),
    st.one_of(st.none(), st.datetimes()),
    st.one_of(st.none(), st.booleans()),
)


@given(found=st.lists(VALUES, min_size=1, max_size=12), cut=st.integers(0, 12))
@settings(max_examples=15, deadline=None)
def test_the_same_rows_have_the_same_outcome_typed_in_parts_or_as_text(found, cut):
    with tempfile.TemporaryDirectory() as folder:
        parts = [found[:cut], found[cut:]] if 0 < cut < len(found) else [found]
        typed = check(land_parts(Path(folder) / "one" / "landed", RESOURCE, parts))
        (Path(folder) / "other").mkdir()
        text = check(land_as_text(Path(folder) / "other" / "landed.parquet", RESOURCE, found))
        assert good(typed) == good(text)
        assert rejected(typed) == rejected(text)
        for one in ("read", "accepted", "rejected_rows", "reasons", "normalised"):
            assert getattr(typed, one) == getattr(text, one)
        query = "SELECT * EXCLUDE (_batch) FROM read_parquet(?) ORDER BY _line"
        quarantines = [duckdb.execute(query, [str(checked.rejected)]).fetchall() for checked in (typed, text)]
        assert quarantines[0] == quarantines[1]


MESSY = st.one_of(
    st.none(),
    st.text("0129aX.-+/:T 年月日　\t０Ａ\u00a0\ufeff", max_size=12),
    st.sampled_from(
        [
            "2024-01-05", "2024/1/5", "2024年1月5日", "20240105", "2024-02-30", "0000-01-01", "2024-01-05 00:00:00",
            "2024-01-05T12:34:56", "2024-01-05 12:34:56.123456", "2024-01-05 24:00:00", "2024-01-05 12:34:60",
            "2024-01-05 12:34:56+08", "9999-12-31 23:59:59.999999", "10000-01-01", "infinity",
            "1", "-0", "007", "999999999999999999", "9223372036854775808", "1.0", "+1", "1.50", "12345.67", ".5", "1e3",
            "true", "TRUE", "是", "否", "f", "男", "中文", " 中文", "Ａ１", "AB1", "11010519491231002X",
            "11010519491231002x", "11330105002500287C", "张三", "", " ", "\x01a",
        ]
    ),
)  # fmt: skip
KINDS = (
    field("f"),
    field("f", length=3, nullable=False),
    field("f", key=True),
    field("f", pattern="[A-Z]{2}[0-9]+"),
    field("f", pattern="[0-9]{3}[A-Z]", length=4),
    field("f", pattern="1[0-9]{2}", length=2),
    field("f", pattern=".*"),
    field("f", pattern="(?i)[a-z0-9]*"),
    field("f", codes=("1", "男", "Ａ", " 2", "AB1")),
    field("f", codes=("Ａ",)),
    field("f", check=Check.CITIZEN_ID),
    field("f", check=Check.USCC),
    field("f", FieldKind.INTEGER),
    field("f", FieldKind.INTEGER, codes=("1", "2")),
    field("f", FieldKind.DECIMAL, 6, 2),
    field("f", FieldKind.DECIMAL, 2, 2),
    field("f", FieldKind.DECIMAL, 6, 0),
    field("f", FieldKind.BOOLEAN),
    field("f", FieldKind.DATE),
    field("f", FieldKind.DATETIME),
)


@pytest.mark.parametrize(
    "made", KINDS, ids=lambda made: f"{made.type}-{made.pattern}{made.codes}{made.check}{made.key}"
)
@given(texts=st.lists(MESSY, min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_what_passes_the_quick_look_is_what_the_long_way_makes_of_it(made, texts):
    from warehouse.contract import Contract

    contract = Contract.over(make_resource(Disposition.REPLACE, (made,)), {"f": "VARCHAR"})
    with duckdb.connect() as con:
        con.execute("CREATE TABLE landed AS SELECT unnest(?::VARCHAR[]) AS f", [texts])
        con.execute("ALTER TABLE landed ADD COLUMN _row BIGINT")
        con.execute("UPDATE landed SET _row = rowid")
        doubts = " OR ".join(contract.doubts())
        quick = f"SELECT _row, __t0, __v0 FROM ({checks.quick_query(contract)}) WHERE NOT coalesce({doubts}, false)"
        passed = con.execute(f"{quick} ORDER BY _row").fetchall()
        slow = con.execute(
            f"SELECT _row, __t0, __v0 FROM ({checks.judged_query(contract)}) SEMI JOIN ({quick}) q USING (_row) "
            f"WHERE {contract.holds()} ORDER BY _row"
        ).fetchall()
        assert passed == slow
        sure = {row for row, *_ in passed}
        mended = con.execute(
            f"SELECT _row FROM ({checks.judged_query(contract)}) WHERE f IS DISTINCT FROM __t0"
        ).fetchall()
        assert not sure & {row for (row,) in mended}


# --- damage ---


@pytest.fixture
def staged(tmp_path):
    return land_parts(tmp_path / "landed", RESOURCE, [rows(1, 2), [row(3), row(4, name=None)], rows(5)])


@pytest.mark.parametrize("name", ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet", "manifest.json"])
@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
@pytest.mark.parametrize("step", ["check", "commit"])
def test_a_folder_that_is_not_the_one_handed_on_stops_the_load(loader, staged, name, how, step):
    loader.house.ensure(RESOURCE)
    arguments = [loader.check(RESOURCE, staged)] if step == "commit" else []
    target = staged.path / name
    content = target.read_bytes()
    target.unlink()
    if how == "flip":
        at = content.index(b'"sha256": "') + 12 if name == "manifest.json" else len(content) // 2
        target.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    elif how == "cut":
        target.write_bytes(content[:-20])
    run = loader.house.commit if arguments else loader.check
    with pytest.raises(StagedFileDamagedError):
        run(RESOURCE, staged, *arguments)
    assert loader.house.current_snapshot(RESOURCE.code) is None


def test_files_of_the_check_are_proven_at_the_commit_too(loader, staged):
    loader.house.ensure(RESOURCE)
    checked = loader.check(RESOURCE, staged)
    own = next(path for path in checked.good if not landed(path))
    for path in (own, checked.rejected):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + b"!")
        with pytest.raises(StagedFileDamagedError):
            loader.house.commit(RESOURCE, staged, checked)
        path.write_bytes(content)
    foreign = replace(checked, good=(*checked.good, staged.path.parent / "other.parquet"))
    with pytest.raises(StagedFileDamagedError, match="not a file of this batch"):
        loader.house.commit(RESOURCE, staged, foreign)
    assert loader.house.commit(RESOURCE, staged, checked).inserted == 4


@pytest.mark.parametrize("said", [{"done": False}, {"format": 2}, {"parts": None}])
def test_an_unfinished_or_unknown_manifest_is_not_a_batch(staged, said):
    manifest = staged.path / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | said))
    with pytest.raises(StagedFileDamagedError):
        staged.files()


def test_the_number_of_rows_is_part_of_what_is_handed_on(staged):
    with pytest.raises(StagedFileDamagedError, match="5 rows, 6 were handed on"):
        check(replace(staged, rows=6))


def test_parts_with_different_columns_are_no_batch(tmp_path):
    tables = [arrow_table(RESOURCE, rows(1)), arrow_table(RESOURCE, rows(2), {"id": pa.int32()})]
    with pytest.raises(StagedFileDamagedError, match="differ"):
        check(land_tables(tmp_path / "landed", RESOURCE, tables))


def test_a_read_without_rows_is_a_batch_without_rows(loader):
    staged = land_parts(loader.root / "landed", RESOURCE, [[]])
    loader.house.ensure(RESOURCE)
    checked = loader.check(RESOURCE, staged)
    assert (checked.read, good(checked)) == (0, [])
    assert loader.house.commit(RESOURCE, staged, checked).inserted == 0


# --- limits ---


def test_the_error_limit_counts_rows_whatever_their_share(tmp_path):
    parts = [[row(i, name=None if i < 5 else "x") for i in range(100)]]
    staged = land_parts(tmp_path / "landed", RESOURCE, parts)
    for limit, stops in ((4, True), (5, False), (0, False)):
        resource = replace(RESOURCE, error_limit=limit)
        if stops:
            with pytest.raises(ErrorBudgetExceededError, match=r"5 of 100 rows .* error budget of 4 allows") as caught:
                check(staged, resource)
            assert "差错容限 4" in caught.value.text("zh")
            assert caught.value.checked.rejected_rows == 5
        else:
            assert check(staged, resource).rejected_rows == 5


def test_every_reason_of_a_check_has_its_words():
    assert {"impossible_date", "duplicate_key", "conflicting_key"} <= set(REASONS)
