from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import struct
from decimal import Decimal
from typing import TYPE_CHECKING

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceEncodingError,
    SourceHostileError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.protocol import Batch, Column, ReadRequest
from connectors.registry import KINDS, connect
from tests.connectors.kinds import no_secrets
from tests.contracts.connector_suite import SECRET, landed

if TYPE_CHECKING:
    from pathlib import Path


def read(
    kind: str,
    settings: dict[str, str],
    into: Path,
    name: str,
    *columns: str,
    cursor: str | None = None,
    by: str = "",
    **options: str,
) -> Batch:
    wanted = tuple(Column(c) for c in columns)
    return connect(kind, settings, no_secrets).read(ReadRequest("R", name, wanted, cursor, by, options), into)


def values(batch: Batch) -> list[tuple]:
    return [row[1:] for row in landed(batch)]


def silent(error: ConnectorError) -> bool:
    return SECRET not in error.text("en") + error.text("zh") + repr(error.params)


# --- sqlite


@pytest.fixture
def database(folder: Path) -> Path:
    path = folder / "s.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, v, n INTEGER, "有 \"\"引号" TEXT);
            CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
            CREATE VIEW seen AS SELECT id, n FROM t;
            INSERT INTO keyed VALUES ('b', 1), ('a', 2);
            """
        )
        rows = [
            (1, 1.1, 9, "x"),
            (2, 10**18, 10, "y"),
            (3, b"\x00\xff", 11, None),
            (4, 1e300, None, ""),
            (5, "文", 100, "z"),
        ]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    return path


def test_sqlite_values_land_without_loss(database: Path, into: Path) -> None:
    batch = read("sqlite", {"path": str(database)}, into, "t", "id", "v", '有 "引号')
    assert values(batch) == [
        ("1", "1.1", "x"),
        ("2", "1000000000000000000", "y"),
        ("3", "\\x00ff", None),
        ("4", "1e+300", ""),
        ("5", "文", "z"),
    ]


def test_sqlite_orders_numbers_as_numbers(database: Path, into: Path) -> None:
    settings = {"path": str(database)}
    first = read("sqlite", settings, into, "t", "id", "n", by="n")
    assert first.cursor == "100"
    later = read("sqlite", settings, into, "t", "id", "n", by="n", cursor="10")
    assert values(later) == [("4", None), ("2", "10"), ("3", "11"), ("5", "100")]
    assert values(read("sqlite", settings, into, "seen", "id", by="id", cursor="4")) == [("4",), ("5",)]
    # A column that mixes kinds has no order that loses nothing.
    with pytest.raises(SourceShapeError) as caught:
        read("sqlite", settings, into, "t", "v", by="v")
    assert caught.value.problem == "cursor_mixed"
    with pytest.raises(SourceShapeError) as caught:
        read("sqlite", settings, into, "t", "n", by="n", cursor="yesterday")
    assert caught.value.problem == "numbers_expected"


def test_sqlite_tables_without_rowid_and_views(database: Path, into: Path) -> None:
    assert values(read("sqlite", {"path": str(database)}, into, "keyed", "k", "v")) == [("a", "2"), ("b", "1")]
    assert connect("sqlite", {"path": str(database)}, no_secrets).probe("seen", {}) == ("id", "n")


def test_sqlite_names_cannot_inject(database: Path, into: Path) -> None:
    with pytest.raises(SourceObjectMissingError):
        read("sqlite", {"path": str(database)}, into, 't"; DROP TABLE t; --', "id")
    assert read("sqlite", {"path": str(database)}, into, "t", "id").rows == 5


def test_a_locked_database_is_waited_for_a_bounded_time(database: Path, into: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceUnavailableError) as caught:
            read("sqlite", {"path": str(database), "busy_timeout_s": "0.05"}, into, "t", "id")
        assert caught.value.problem == "database_locked"
        writer.execute("ROLLBACK")
    assert read("sqlite", {"path": str(database)}, into, "t", "id").rows == 5


def test_a_read_sees_one_moment_of_a_database_in_wal_mode(database: Path, into: Path, monkeypatch) -> None:
    monkeypatch.setattr("connectors.sqlite.ROWS_PER_BATCH", 1)
    from connectors import sqlite as module

    texts = module._texts
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")

        def meddled(column):
            writer.execute("INSERT INTO t (n) VALUES (1000)")
            writer.execute("DELETE FROM t WHERE id = 5")
            return texts(column)

        monkeypatch.setattr(module, "_texts", meddled)
        batch = read("sqlite", {"path": str(database)}, into, "t", "id", "n", by="n")
        assert (batch.rows, batch.cursor) == (5, "100")


def test_the_source_database_is_not_written(database: Path, into: Path) -> None:
    before = database.read_bytes()
    read("sqlite", {"path": str(database)}, into, "t", "id")
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_a_text_that_is_none_is_an_error_without_the_text(database: Path, into: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE t SET v = CAST(? AS TEXT) WHERE id = 1", [SECRET.encode() + b"\xff"])
    with pytest.raises(SourceEncodingError) as caught:
        read("sqlite", {"path": str(database)}, into, "t", "v")
    assert silent(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("keep", [0, 50, 4096, 6000, 8192, 10_000])
def test_every_cut_of_a_database_is_noticed(database: Path, into: Path, keep: int) -> None:
    database.write_bytes(database.read_bytes()[:keep])
    with pytest.raises(SourceIncompleteError):
        read("sqlite", {"path": str(database)}, into, "t", "id")


def test_a_file_that_is_no_database(database: Path, into: Path) -> None:
    database.write_bytes(b"x" * 8192)
    with pytest.raises(SourceIncompleteError):
        read("sqlite", {"path": str(database)}, into, "t", "id")


# --- excel


@pytest.fixture
def workbook(folder: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "台账 一"
    for row in (
        ["不动产登记台账"],
        ["序号", "权利人", None, "坐落", None, "登记日期"],
        [None, "姓名", "证件号", "街道", "面积", None],
        [1, "张三", "01", "东街", 88.5, dt.date(2024, 5, 1)],
        [None, None, None, None, None, None],
        [2.0, "李四", "0２", " 西街 ", 0.1, dt.datetime(2024, 5, 2, 8, 30)],  # noqa: DTZ001
        [True, None, "x", "=1/0", 1e15, dt.time(8, 5)],
        ["合　计", None, None, None, 188.6, None],
    ):
        sheet.append(row)
    for merged in ("A1:F1", "A2:A3", "B2:C2", "D2:E2", "F2:F3"):
        sheet.merge_cells(merged)
    book.create_sheet("空")
    book.save(folder / "a.xlsx")
    book.close()
    return folder / "a.xlsx"


def test_excel_merges_two_heading_rows_below_a_title(folder: Path, workbook: Path, into: Path) -> None:
    settings = {"folder": str(folder), "header_rows": "2", "totals": "合计"}
    headings = ("序号", "权利人/姓名", "权利人/证件号", "坐落/街道", "坐落/面积", "登记日期")
    assert connect("excel", settings, no_secrets).probe("a.xlsx#台账 一", {}) == headings
    whole = read("excel", settings, into, "a.xlsx#台账 一", *headings)
    assert values(whole) == [
        ("1", "张三", "01", "东街", "88.5", "2024-05-01"),
        ("2", "李四", "0２", " 西街 ", "0.1", "2024-05-02T08:30:00"),
        ("true", None, "x", None, "1000000000000000", "08:05:00"),
    ]
    lower = read("excel", {"file": str(workbook), **settings}, into, "台账 一", "姓名", "面积", "登记日期")
    assert values(lower)[0] == ("张三", "88.5", "2024-05-01")
    assert lower.renamed == ()


def test_excel_keeps_a_totals_row_unless_told(folder: Path, workbook: Path, into: Path) -> None:
    settings = {"folder": str(folder), "header_rows": "2"}
    assert read("excel", settings, into, "a.xlsx#台账 一", "序号").rows == 4
    assert values(read("excel", settings, into, "a.xlsx#台账 一", "序号", title_rows="1"))[0] == ("1",)


def test_excel_sheets_that_are_missing_or_empty(folder: Path, workbook: Path, into: Path) -> None:
    with pytest.raises(SourceObjectMissingError) as caught:
        read("excel", {"folder": str(folder)}, into, "a.xlsx#无", "序号")
    assert "`台账 一`、`空`" in str(caught.value)
    with pytest.raises(SourceShapeError) as caught:
        read("excel", {"folder": str(folder)}, into, "a.xlsx#空", "序号")
    assert caught.value.problem == "empty_file"


def test_excel_duplicate_headings_and_other_files(folder: Path, into: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["编号", "姓名", "姓名"], ["1", SECRET, "b"]):
        book.active.append(row)
    book.save(folder / "b.xlsx")
    book.close()
    with pytest.raises(SourceShapeError) as caught:
        read("excel", {"folder": str(folder)}, into, "b.xlsx", "编号")
    assert caught.value.problem == "heading_duplicate"
    assert silent(caught.value)
    (folder / "c.xlsx").write_bytes(b"")
    with pytest.raises(SourceIncompleteError):
        read("excel", {"folder": str(folder)}, into, "c.xlsx", "编号")
    (folder / "c.xlsx").write_bytes(b"hello")
    with pytest.raises(SourceShapeError):
        read("excel", {"folder": str(folder)}, into, "c.xlsx", "编号")
    (folder / "~$d.xlsx").write_bytes(b"lock")
    with pytest.raises(SourceIncompleteError):
        read("excel", {"folder": str(folder)}, into, "d*.xlsx", "编号")


def old_workbook(rows: list[list[str | float]]) -> bytes:
    """A workbook of Excel 97 (BIFF8 in a compound file): one sheet, numbers and texts."""

    def one(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def text(value: str, width: str) -> bytes:
        return struct.pack(width, len(value)) + b"\1" + value.encode("utf-16-le")

    texts = [value for row in rows for value in row if isinstance(value, str)]
    cells = b""
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            place = struct.pack("<HHH", number, column, 0)
            if isinstance(value, str):
                cells += one(0xFD, place + struct.pack("<I", texts.index(value)))
            else:
                cells += one(0x203, place + struct.pack("<d", value))
    begin = one(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0)) + one(0x42, b"\xb0\4")
    table = one(0xFC, struct.pack("<II", len(texts), len(texts)) + b"".join(text(t, "<H") for t in texts))
    name = text("台账", "<B")
    sheet_at = len(begin) + 4 + 6 + len(name) + len(table) + 4
    sheets = one(0x85, struct.pack("<IBB", sheet_at, 0, 0) + name)
    sheet = one(0x809, struct.pack("<HHHHII", 0x600, 16, 0, 0, 0, 0)) + cells + one(0x0A, b"")
    stream = begin + sheets + table + one(0x0A, b"") + sheet
    sectors = max(8, -(-len(stream) // 512))  # a shorter stream would have to lie among the small ones
    stream = stream.ljust(sectors * 512, b"\0")

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        encoded = title.encode("utf-16-le") + b"\0\0"
        links = struct.pack("<BBIII16xIQQIQ", kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child, 0, 0, 0, start, size)
        return encoded.ljust(64, b"\0") + struct.pack("<H", len(encoded)) + links

    folder = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry("Workbook", 2, 0xFFFFFFFF, 2, len(stream)) + bytes(256)
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, 2 + sectors), 0xFFFFFFFE]
    table_of_sectors = struct.pack("<128I", *(chain + [0xFFFFFFFF] * (128 - len(chain))))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    return head + struct.pack("<109I", 0, *[0xFFFFFFFF] * 108) + table_of_sectors + folder + stream


def test_workbooks_of_excel_97_are_read_and_their_cuts_noticed(folder: Path, into: Path, monkeypatch) -> None:
    data = old_workbook([["编号", "姓名"], [1.0, "张三"], [2.5, "李四"]])
    (folder / "a.xls").write_bytes(data)
    assert values(read("excel", {"folder": str(folder)}, into, "a.xls#台账", "编号", "姓名")) == [
        ("1", "张三"),
        ("2.5", "李四"),
    ]
    for keep in (8, 600, 1500, 2000):
        (folder / "a.xls").write_bytes(data[:keep])
        with pytest.raises(SourceIncompleteError):
            read("excel", {"folder": str(folder)}, into.with_name("x"), "a.xls", "编号")
    monkeypatch.setattr("connectors.excel.MOST_OLE_BYTES", 1000)
    with pytest.raises(SourceHostileError):
        read("excel", {"folder": str(folder)}, into.with_name("x"), "a.xls", "编号")


# --- ndjson


@pytest.mark.parametrize(
    ("text", "error", "problem", "where"),
    [
        ('{"id":1}\n{"id":"' + SECRET, SourceIncompleteError, "truncated", "a.ndjson:2"),
        ('{"id":1}\n{"id":"' + SECRET + "\n", SourceShapeError, "bad_json", "a.ndjson:2"),
        ('{"id":1}\n\n["' + SECRET + '"]\n', SourceShapeError, "not_an_object", "a.ndjson:3"),
        ('{"id":1,"id":2}\n', SourceShapeError, "json_name_duplicate", "a.ndjson:1"),
        ('{"id":"\\ud800"}\n', SourceEncodingError, "not_text", "a.ndjson"),
        ('{"id":1,"ｉｄ":2}\n', SourceShapeError, "heading_duplicate", "a.ndjson"),
    ],
    ids=range(6),
)
def test_ndjson_errors_name_the_line_and_no_value(
    folder: Path, into: Path, text: str, error: type[ConnectorError], problem: str, *, where: str
) -> None:
    (folder / "a.ndjson").write_text(text, encoding="utf-8")
    with pytest.raises(error) as caught:
        read("ndjson", {"folder": str(folder)}, into, "a.ndjson", "id")
    assert (caught.value.problem, caught.value.where) == (problem, where)
    assert silent(caught.value)
    assert not into.exists()


def test_ndjson_records_may_be_sparse_and_numbers_keep_their_text(folder: Path, into: Path) -> None:
    text = '{"id":1.10}\r\n{"旧名":"甲","id":2}\n{"name":"乙","旧名":"x"}\n{"id":[1.0, {"a": null}]}'
    (folder / "a.ndjson").write_text(text, encoding="utf-8")
    request = ReadRequest("R", "*.ndjson", (Column("id"), Column("name", ("旧名",))), None)
    batch = connect("ndjson", {"folder": str(folder)}, no_secrets).read(request, into)
    assert values(batch) == [("1.10", None), ("2", "甲"), (None, "乙"), ('[1.0,{"a":null}]', None)]
    assert (batch.renamed, batch.extra) == ((("name", "旧名"),), ("旧名",))


# --- parquet


def test_parquet_types_land_as_text_without_loss(folder: Path, into: Path) -> None:
    table = pa.table(
        {
            "d": pa.array([Decimal("1.10"), None], pa.decimal128(38, 2)),
            "t": pa.array([dt.datetime(2024, 1, 2, 3, 4, 5), None], pa.timestamp("us")),  # noqa: DTZ001
            "day": pa.array([dt.date(2024, 1, 2), None]),
            "b": pa.array([b"\x00\xff", b""]),
            "l": pa.array([[{"x": "é"}], None], pa.list_(pa.struct([("x", pa.string())]))),
            "i": pa.array([2**63 - 1, None], pa.int64()),
            "f": pa.array([0.1, 1e300]),
            "y": pa.array([True, False]),
        }
    )
    pq.write_table(table, folder / "a [1]*.parquet")
    batch = read("parquet", {"folder": str(folder)}, into, "*.parquet", *table.column_names)
    assert values(batch) == [
        ("1.10", "2024-01-02 03:04:05", "2024-01-02", "\\x00ff", '[{"x":"é"}]', "9223372036854775807", "0.1", "true"),
        (None, None, None, "\\x", None, None, "1e+300", "false"),
    ]


def test_parquet_that_is_damaged_inside_is_incomplete(folder: Path, into: Path) -> None:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"id": [SECRET + str(n) for n in range(1000)]}), path)
    data = bytearray(path.read_bytes())
    data[100:2000] = b"\xff" * 1900
    path.write_bytes(data)
    with pytest.raises(SourceIncompleteError) as caught:
        read("parquet", {"folder": str(folder)}, into, "a.parquet", "id")
    assert silent(caught.value)
    assert list(into.parent.iterdir()) == []
    path.write_bytes(b"id,name\n")
    with pytest.raises(SourceShapeError):
        read("parquet", {"folder": str(folder)}, into, "a.parquet", "id")


# --- fixed width


def fixed(folder: Path, into: Path, data: bytes, **options: str) -> list[tuple]:
    (folder / "a.txt").write_bytes(data)
    options = {"layout": "id:0:4, name:4:6,n:12:3", **options}
    return values(read("fixed-width", {"folder": str(folder)}, into, "a.txt", "name", "id", "n", **options))


def test_fixed_width_offsets_are_bytes_of_the_encoding(folder: Path, into: Path) -> None:
    data = b"id    header--n\n" + "0001张三  --  7\r\n\n0002𬱖a -- 10\n".encode("gb18030")
    assert fixed(folder, into, data, header_rows="1") == [("张三", "0001", "  7"), ("𬱖a", "0002", " 10")]
    assert fixed(folder, into, data, header_rows="1", padding="keep")[0] == ("张三  ", "0001", "  7")


def test_fixed_width_faults_are_named_by_line(folder: Path, into: Path) -> None:
    good = "0001张三  --  7\n".encode("gb18030")
    for data, error, where in (
        (good + b"0002ab\n", SourceShapeError, "a.txt:2"),
        (good + good[:-1] + b"8\n", SourceShapeError, "a.txt:2"),
        (good + good[:9], SourceIncompleteError, "a.txt:2"),
        (good + "0002a张三 --  7\n".encode("gb18030")[:-1] + b"\n", None, ""),
        (good + "0002张三张三  7\n".encode("gb18030"), SourceEncodingError, "a.txt:2"),
    ):
        if error is None:
            assert len(fixed(folder, into, data)) == 2
            continue
        shifted = {"layout": "id:0:5,name:5:5,n:12:3"} if error is SourceEncodingError else {}
        with pytest.raises(error) as caught:
            fixed(folder, into, data, **shifted)
        assert caught.value.where in {where, "a.txt:1"}
        assert "张" not in str(caught.value)


@pytest.mark.parametrize("layout", ["", "id", "id:0", "id:0:0", "id:a:2", "id:0:4,name:3:2,n:9:1"])
def test_fixed_width_layouts_that_cannot_be(folder: Path, into: Path, layout: str) -> None:
    with pytest.raises(ConnectorSettingsError):
        fixed(folder, into, b"", layout=layout)


# --- cursors of file kinds


def cursored(folder: Path, into: Path, cursors: list[str], cursor: str | None, order: str) -> Batch:
    text = "id,v\n" + "".join(f"{n},{v}\n" for n, v in enumerate(cursors))
    (folder / "a.csv").write_text(text, encoding="utf-8")
    return read("csv", {"folder": str(folder)}, into, "a.csv", "id", "v", cursor=cursor, by="v", cursor_order=order)


def test_numbers_of_different_lengths_are_not_compared_as_text(folder: Path, into: Path) -> None:
    for values_, cursor in ((["9", "10"], None), (["10", "11"], "9")):
        with pytest.raises(SourceShapeError) as caught:
            cursored(folder, into, values_, cursor, "text")
        assert caught.value.problem == "cursor_needs_order"
    batch = cursored(folder, into, ["9", "10", "100", "", "3"], "10", "integer")
    assert values(batch) == [("1", "10"), ("2", "100"), ("3", "")]
    assert batch.cursor == "100"
    assert [row[0] for row in landed(batch)] == [2, 3, 4]


def test_an_integer_cursor_over_text_is_an_error_without_the_text(folder: Path, into: Path) -> None:
    with pytest.raises(SourceShapeError) as caught:
        cursored(folder, into, ["1", SECRET], None, "integer")
    assert caught.value.problem == "cursor_not_integer"
    assert silent(caught.value)
    with pytest.raises(SourceShapeError):
        cursored(folder, into, ["1"], "x", "integer")
    with pytest.raises(ConnectorSettingsError):
        cursored(folder, into, ["1"], None, "random")


# --- what all kinds of files have in common

FILE_KINDS = ("csv", "dbf", "excel", "fixed-width", "json", "ndjson", "parquet", "tsv", "xml", "zip-csv")


@pytest.mark.parametrize("kind", FILE_KINDS)
def test_every_kind_of_file_can_be_made_and_knows_its_name(folder: Path, kind: str) -> None:
    assert kind in KINDS
    assert connect(kind, {"folder": str(folder)}, no_secrets).kind == kind
    with pytest.raises(ConnectorSettingsError):
        connect(kind, {}, no_secrets)


def test_a_window_takes_both_its_ends_and_moves_no_cursor(folder: Path, into: Path) -> None:
    rows = ["id,day", "1,2024-01-01", "2,2024-01-03", "3,", "4,2024-01-02", "5,2024-01-04"]
    (folder / "a.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    connector = connect("csv", {"folder": str(folder)}, no_secrets)
    for window, expected in (
        (("2024-01-02", "2024-01-03"), ["2", "4"]),
        (("", "2024-01-02"), ["1", "4"]),
        (("2024-01-04", ""), ["5"]),
    ):
        request = ReadRequest("R", "a.csv", (Column("id"), Column("day")), "2024-01-04", "day", window=window)
        batch = connector.read(request, into)
        assert ([row[0] for row in values(batch)], batch.cursor) == (expected, None)


def test_columns_that_are_nowhere_are_told_and_those_in_some_file_are_not(folder: Path, into: Path) -> None:
    (folder / "a.csv").write_text("id,old\n1,x\n", encoding="utf-8")
    (folder / "b.csv").write_text("id,new\n2,y\n", encoding="utf-8")
    wanted = (Column("id"), *(Column(name, required=False) for name in ("old", "new", "nowhere")))
    batch = connect("csv", {"folder": str(folder)}, no_secrets).read(ReadRequest("R", "*.csv", wanted, None), into)
    assert values(batch) == [("1", "x", None, None), ("2", None, "y", None)]
    assert batch.absent == ("nowhere",)
    (folder / "a.ndjson").write_text('{"id":1}\n{"old":2}\n', encoding="utf-8")
    request = ReadRequest("R", "*.ndjson", wanted, None)
    assert connect("ndjson", {"folder": str(folder)}, no_secrets).read(request, into).absent == ("new", "nowhere")


def test_types_that_the_source_declares_are_told(folder: Path, into: Path) -> None:
    table = pa.table({"id": pa.array([1], pa.int64()), "d": pa.array([Decimal("1.10")], pa.decimal128(9, 2))})
    pq.write_table(table, folder / "a.parquet")
    batch = read("parquet", {"folder": str(folder)}, into, "a.parquet", "id", "d")
    assert dict(batch.types) == {"id": "BIGINT", "d": "DECIMAL(9,2)"}


def test_marked_columns_are_masked_in_what_is_written(folder: Path, into: Path) -> None:
    (folder / "a.csv").write_text(f"id,name,at\n110105199001011234,{SECRET},1\n,,2\n", encoding="utf-8")
    columns = (Column("id", mask="citizen_id"), Column("name", mask="redact"), Column("at", mask="null"))
    request = ReadRequest("R", "a.csv", columns, None, "at")
    batch = connect("csv", {"folder": str(folder)}, no_secrets).read(request, into)
    assert values(batch) == [("110105********1234", "***", None), ("***", "***", None)]
    # The range is judged by what the source holds.
    assert batch.cursor == "2"
    assert SECRET.encode() not in into.read_bytes()


def test_progress_is_told_while_rows_come(folder: Path, into: Path) -> None:
    (folder / "a.ndjson").write_text('{"id":1}\n' * 45_000, encoding="utf-8")
    seen = []
    request = ReadRequest("R", "a.ndjson", (Column("id"),), None, progress=lambda progress: seen.append(progress.rows))
    connect("ndjson", {"folder": str(folder)}, no_secrets).read(request, into)
    assert seen == [20_000, 40_000, 45_000]
