"""Masks and row rules as SQL: value by value what `catalog` says in Python; and what of a table is written out."""

from __future__ import annotations

import csv
import gzip
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.types import BooleanType, DateType, DecimalType, LongType, NestedField, StringType, TimestampType

from catalog import masks
from catalog.access import Scope
from catalog.csvfile import guarded as guarded_text
from catalog.model import Disposition, FieldKind, Mask
from catalog.rows import RowOp, RowRule, parse_rule, row_test
from tests.warehouse.conftest import FIELDS, field, make_resource
from warehouse.errors import FieldMissingError, SnapshotMissingError
from warehouse.masking import CSV, CSV_GZ, PARQUET, Selection, guarded, holding, masked, set_key, wire

KEY = b"0123456789abcdef0123456789abcdef"
# Pieces that addresses, names, dates and identity numbers are made of, so that drawn texts come near to them.
PIECES = [
    *"省市区县旗路街镇乡村号社小门夜院0９ \n\t'=＋*A", "安徽省", "内蒙古自治区", "亳州市", "谯城区", "小区", "超市",
    "欧阳", "司马", "张", "𬱖", "e\u0301", "1990", "-01", "01", "T00", " 8", "341200", "19491231002X", "\u3000", "\x1f",
    "\u2028", "\x85", "特别行政区", "自治州", "盟", "门市", "路北区", "市中区", "某某", "\r",
]  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.text(max_size=20).filter(lambda t: "\0" not in t)
)


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as opened:
        set_key(opened, KEY)
        yield opened


def shown(con, mask, texts):
    con.register("drawn", pa.table({"n": range(len(texts)), "v": pa.array(texts, pa.string())}))
    return [row[0] for row in con.execute(f"SELECT {masked(mask, 'v')} FROM drawn ORDER BY n").fetchall()]


@pytest.mark.parametrize("mask", [m for m in Mask if m is not Mask.NONE])
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.one_of(st.none(), TEXTS), min_size=30, max_size=120))
def test_a_mask_in_sql_shows_what_it_shows_in_python(con, mask, texts):
    assert shown(con, mask, texts) == [masks.apply(mask, text, key=KEY) for text in texts]


@pytest.mark.parametrize("mask", list(Mask))
def test_it_does_so_of_what_registers_hold(con, mask):
    texts = [
        None, "", "北京市朝阳区某街 1 号", "内蒙古自治区锡林郭勒盟苏尼特左旗某路", "安徽省亳州市谯城区小区",
        "河北省唐山市路北区", "某小区", "家园超市", "海南省三亚市", "x", "欧阳", "欧阳四", " 张三 ", "张 ", " 欧阳 ",
        "欧 阳", "ＡＢＣ 有限", "11010519491231002X", "1949-12-31", "19491231", "1949", "1949-12-31T08:00:00",
        "13800138000", "1234567", "12345678", "\x00abc\x00defg", "\x00", "上官", "上海",
    ]  # fmt: skip
    assert shown(con, mask, texts) == [masks.apply(mask, text, key=KEY) for text in texts]


def test_a_key_that_hides_nothing_is_refused(con):
    for key in (b"", b"short", b"x" * 65):
        with pytest.raises(ValueError, match="bytes"):
            set_key(con, key)


TYPED = {
    FieldKind.STRING: (StringType(), 0, 0, TEXTS),
    FieldKind.INTEGER: (LongType(), 0, 0, st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-20, 20))),
    FieldKind.DECIMAL: (
        DecimalType(6, 2), 6, 2, st.decimals(Decimal("-9999.99"), Decimal("9999.99"), places=2, allow_nan=False),
    ),
    FieldKind.DATE: (DateType(), 0, 0, st.dates(date(1, 1, 1))),
    FieldKind.DATETIME: (TimestampType(), 0, 0, st.datetimes()),
    FieldKind.BOOLEAN: (BooleanType(), 0, 0, st.booleans()),
}  # fmt: skip
ARROW = {
    FieldKind.STRING: pa.string(),
    FieldKind.INTEGER: pa.int64(),
    FieldKind.DECIMAL: pa.decimal128(6, 2),
    FieldKind.DATE: pa.date32(),
    FieldKind.DATETIME: pa.timestamp("us"),
    FieldKind.BOOLEAN: pa.bool_(),
}
ODD = [
    "x",
    "",
    "１２",
    "1.5",
    "-0",
    "9" * 40,
    "-" + "9" * 40,
    "0.001",
    "2020-02-30",
    "2020-02",
    "是",
    "TRUE",
    "0",
    "\0",
    "'",
]


def near(values):
    """Values of rules that are now and then those of the rows."""
    wires = [
        str(v).lower() if isinstance(v, bool) else v.isoformat() if hasattr(v, "isoformat") else str(v) for v in values
    ]
    return [*wires, *[w[:10] for w in wires], *[w[:3] for w in wires], *[w[:19] for w in wires], *ODD]


@pytest.mark.parametrize("kind", list(FieldKind))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_row_rule_in_sql_holds_where_it_holds_in_python(con, kind, data):
    type_, length, scale, values = TYPED[kind]
    drawn = data.draw(st.lists(st.one_of(st.none(), values), min_size=1, max_size=20))
    wished = st.sampled_from(near([v for v in drawn if v is not None]))
    resource = make_resource(fields=(field("code", key=True), field("f", kind, length, scale)), code="r")
    column = NestedField(2, "f", type_, required=False)
    con.register("rows_of", pa.table({"n": range(len(drawn)), "f": pa.array(drawn, ARROW[kind])}))
    wires = [row[0] for row in con.execute(f"SELECT {wire(column)} FROM rows_of ORDER BY n").fetchall()]
    for op in RowOp:
        size = 3 if op in (RowOp.IN, RowOp.PREFIX) else 1
        rule = RowRule("f", op, tuple(data.draw(st.lists(wished, min_size=1, max_size=size))))
        test = row_test([rule], resource)
        found = con.execute(f"SELECT {holding([rule], resource)} FROM rows_of ORDER BY n").fetchall()
        assert [row[0] for row in found] == [test({"f": value}) for value in wires], rule


def test_rules_about_regions_cover_what_lies_below_and_unknown_fields_nothing(con):
    resource = make_resource(fields=(field("code", key=True), field("area")), code="r")
    object.__setattr__(resource, "region_field", "area")
    con.register("regions", pa.table({"area": ["341200", "341202", "350000", "3412", None]}))
    for rule in (parse_rule("area prefix 341200"), parse_rule("gone in 1"), parse_rule("area prefix 000000")):
        test = row_test([rule], resource)
        rows = con.execute(f"SELECT area, {holding([rule], resource)} FROM regions").fetchall()
        assert [found for _, found in rows] == [test({"area": area}) for area, _ in rows]


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=60))
def test_no_text_begins_with_what_a_spreadsheet_runs_and_none_is_lost(con, texts):
    con.register("cells", pa.table({"n": range(len(texts)), "v": pa.array(texts, pa.string())}))
    found = [row[0] for row in con.execute(f"SELECT {guarded('v')} FROM cells ORDER BY n").fetchall()]
    assert not [text for text in found if text[:1] in tuple("=+-@＝＋－＠\t\r\n")]
    for text, written in zip(texts, found, strict=True):
        assert written in (text, "'" + text)
        # The list's own CSV files are guarded alike; theirs hold no tabs.
        if text[:1] not in ("\t", "\r", "\n") and text.lstrip("'")[:1] not in ("\t", "\r", "\n"):
            assert written == guarded_text(text)


ALL = make_resource(Disposition.REPLACE, tuple(field("name", length=20) if f.name == "name" else f for f in FIELDS))
NAMES = tuple(f.name for f in ALL.fields)
ROWS = [
    (f"{i:04d}", f"=名{i}" if i % 3 else None, f"-{i}.50", str(i), "1990-01-02", "2024-05-06 07:08:09.123", "是", None)
    for i in range(1, 31)
]


def whole(**given_masks):
    return (Scope("G1", (), tuple((name, given_masks.get(name, Mask.NONE)) for name in NAMES)),)


def table_of(path):
    return pq.read_table(path).to_pylist()


def written(loader, selection, folder, form=PARQUET):
    chosen = loader.house.current_snapshot(selection.resource.code)
    paths = []
    with loader.house.masked(selection, chosen, key=KEY, rows_per_part=10) as rows:
        counted = 0
        for number in range(len(rows.parts)):
            paths.append(folder / f"part-{number}.{form}")
            counted += rows.write(number, paths[-1], form)
        assert counted == rows.count()
        return paths, rows.columns


@pytest.fixture
def loaded(small_files):
    small_files.house._rows_per_file = 10
    small_files.load(ALL, ROWS)
    return small_files


def test_types_stay_where_nothing_is_masked_and_parts_hold_every_row_once(loaded, tmp_path):
    paths, columns = written(loaded, Selection(ALL, NAMES, whole()), tmp_path)
    assert len(paths) == 3
    rows = [row for path in paths for row in table_of(path)]
    assert sorted(row["code"] for row in rows) == [f"{i:04d}" for i in range(1, 31)]
    first = next(row for row in rows if row["code"] == "0001")
    assert first == {
        "code": "0001", "name": "=名1", "amount": Decimal("-1.50"), "count": 1, "day": date(1990, 1, 2),
        "seen": datetime.fromisoformat("2024-05-06T07:08:09"), "active": True, "holder": None,
    }  # fmt: skip
    assert [(c.name, c.type) for c in columns[:4]] == [
        ("code", "string(12)"), ("name", "string(20)"), ("amount", "decimal(12,2)"), ("count", "integer"),
    ]  # fmt: skip


def test_masked_fields_are_the_wire_values_masked(loaded, tmp_path):
    kinds = {"amount": Mask.KEEP_FIRST_4, "count": Mask.HASH, "day": Mask.YEAR, "seen": Mask.YEAR, "active": Mask.HASH,
             "name": Mask.SURNAME, "code": Mask.NULL}  # fmt: skip
    paths, columns = written(loaded, Selection(ALL, NAMES, whole(**kinds)), tmp_path)
    rows = {row["count"]: row for path in paths for row in table_of(path)}
    scanned = loaded.house.scan(ALL.code)
    expected = [{n: masks.apply(kinds.get(n, Mask.NONE), r[n], key=KEY) for n in NAMES} for r in scanned]
    assert len(rows) == 30
    assert {e["count"]: e for e in expected} == rows
    assert [c.type for c in columns] == ["text"] * 7 + ["string"]


def test_scopes_show_each_row_its_own_and_the_rest_never_leaves(loaded, tmp_path):
    scopes = (
        Scope("G1", (parse_rule("count <= 10"),), (("code", Mask.NONE), ("name", Mask.SURNAME))),
        Scope(
            "G2", (parse_rule("count >= 8"), parse_rule("count <= 20")), (("name", Mask.NONE), ("amount", Mask.NONE))
        ),
        Scope("G3", (parse_rule("count >= 25"),), (("day", Mask.NONE),)),
    )
    asked = ("code", "name", "amount")
    paths, columns = written(loaded, Selection(ALL, asked, scopes), tmp_path)
    rows = [row for path in paths for row in table_of(path)]
    # G3 gives none of what was asked: its rows are as if they were not there.
    assert len(rows) == 20
    by_name = {row["name"]: row for row in rows if row["name"]}
    assert by_name["=**"]["amount"] is None
    assert by_name["=名8"] == {"code": "0008", "name": "=名8", "amount": Decimal("-8.50")}
    assert by_name["=名20"] == {"code": None, "name": "=名20", "amount": Decimal("-20.50")}
    assert {c.name: c.masks for c in columns}["name"] == (Mask.NONE, Mask.SURNAME)


def test_rules_of_who_asks_hold_only_where_the_field_is_shown_as_it_is(loaded, tmp_path):
    scopes = (
        Scope("G1", (parse_rule("count <= 10"),), (("code", Mask.NONE), ("count", Mask.KEEP_LAST_4))),
        Scope("G2", (parse_rule("count >= 8"),), (("code", Mask.NONE), ("count", Mask.NONE))),
    )
    asked = Selection(ALL, ("code",), scopes, (parse_rule("count <= 12"),))
    paths, _ = written(loaded, asked, tmp_path)
    assert sorted(row["code"] for path in paths for row in table_of(path)) == ["0008", "0009", "0010", "0011", "0012"]


def test_nothing_found_is_an_empty_file_with_its_columns(loaded, tmp_path):
    paths, _ = written(loaded, Selection(ALL, ("code",), whole(), (parse_rule("code in none"),)), tmp_path)
    assert [(table_of(path), pq.read_schema(path).names) for path in paths] == [([], ["code"])] * 3


@pytest.mark.parametrize("form", [CSV, CSV_GZ])
def test_csv_holds_wire_values_and_runs_nothing(loaded, tmp_path, form):
    paths, _ = written(loaded, Selection(ALL, NAMES, whole()), tmp_path, form)
    opened = gzip.open if form == CSV_GZ else open
    rows = []
    for path in paths:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
            rows += list(csv.DictReader(stream))
    assert len(rows) == 30
    first = next(row for row in rows if row["code"] == "0001")
    assert first == {
        "code": "0001", "name": "'=名1", "amount": "-1.50", "count": "1", "day": "1990-01-02",
        "seen": "2024-05-06T07:08:09", "active": "true", "holder": "",
    }  # fmt: skip


def test_what_is_not_there_is_said(loaded):
    with pytest.raises(SnapshotMissingError), loaded.house.masked(Selection(ALL, NAMES, whole()), 1, key=KEY):
        pass
    snapshot = loaded.house.current_snapshot(ALL.code)
    with pytest.raises(FieldMissingError), loaded.house.masked(Selection(ALL, ("gone",), whole()), snapshot, key=KEY):
        pass
