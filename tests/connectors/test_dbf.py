from __future__ import annotations

import gzip
import struct

import pytest

from connectors.errors import SourceEncodingError, SourceIncompleteError, SourceShapeError
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from tests.connectors.kinds import dbf, no_secrets
from tests.contracts.connector_suite import SECRET, landed

NULLABLE = 2
SYSTEM = 5
FIELDS = (
    (b"ID", "N", 5, 0),
    ("姓名".encode("gb18030"), "C", 8),
    (b"AMOUNT", "N", 8, 2),
    (b"F", "F", 6, 1),
    (b"DAY", "D", 8),
    (b"OK", "L", 1),
)


def record(*values, mark=b" "):
    return mark + b"".join(v if isinstance(v, bytes) else v.encode("gb18030") for v in values)


ROWS = (
    record("    1", "张三    ", "   12.50", "   0.1", "20240501", "T"),
    record("    2", " 李  四 ", "        ", "      ", "        ", "?"),
    record("    3", "deleted ", "    0.00", "   0.0", "20240501", "T", mark=b"*"),
    record("00004", "        ", "********", "  -1.0", "20249901", "n"),
    record("    5", "x\0\0\0\0\0\0\0", "    1e-2", "   0.0", "00000000", " "),
)


def read(folder, into, data, *columns, name="a.dbf", **options):
    (folder / name).write_bytes(data)
    wanted = tuple(Column(column) for column in columns)
    connector = connect("dbf", {"folder": str(folder)}, no_secrets)
    return connector.read(ReadRequest("R", name, wanted, None, "", options), into)


def rows(*arguments, **options):
    return [row[1:] for row in landed(read(*arguments, **options))]


def fails(error, *arguments, **options):
    with pytest.raises(error) as caught:
        read(*arguments, **options)
    assert not arguments[1].exists()
    assert SECRET not in caught.value.text("en") + caught.value.text("zh") + repr(caught.value.params)
    return caught.value


def test_values_land_as_they_are_written_and_deleted_records_do_not(folder, into):
    batch = read(folder, into, dbf(FIELDS, ROWS), "ID", "姓名", "AMOUNT", "F", "DAY", "OK")
    assert landed(batch) == [
        (1, "1", "张三", "12.50", "0.1", "2024-05-01", "true"),
        (2, "2", " 李  四", None, None, None, None),
        (3, "00004", "", "********", "-1.0", "2024-99-01", "false"),
        (4, "5", "x", "1e-2", "0.0", None, None),
    ]
    assert dict(batch.types) == {
        "ID": "N(5,0)",
        "姓名": "C(8)",
        "AMOUNT": "N(8,2)",
        "F": "F(6,1)",
        "DAY": "D",
        "OK": "L",
    }


def test_types_of_visual_foxpro(folder, into):
    fields = (
        (b"I", "I", 4),
        (b"T", "T", 8),
        (b"Y", "Y", 8),
        (b"B", "B", 8),
        (b"V", "V", 6),
        (b"N", "C", 2, 0, NULLABLE),
        (b"_NullFlags", "0", 1, 0, SYSTEM),
    )
    moment = struct.pack("<iI", 2_460_432, (8 * 3600 + 30 * 60) * 1000)
    # Bit 0: V does not fill its field. Bit 1: N is NULL.
    one = record(
        struct.pack("<i", -7), moment, struct.pack("<q", -12_345), struct.pack("<d", 0.1), b"ab \0\0\3", b"zz", b"\3"
    )
    two = record(
        struct.pack("<i", 2**31 - 1),
        bytes(8),
        struct.pack("<q", 50_000),
        struct.pack("<d", 2.0),
        b"abcdef",
        b"q ",
        b"\0",
    )
    table = dbf(fields, (one, two), version=0x32)
    assert rows(folder, into, table, "I", "T", "Y", "B", "V", "N") == [
        ("-7", "2024-05-01T08:30:00", "-1.2345", "0.1", "ab ", None),
        ("2147483647", None, "5.0000", "2.0", "abcdef", "q"),
    ]
    assert connect("dbf", {"folder": str(folder)}, no_secrets).probe("a.dbf", {}) == ("I", "T", "Y", "B", "V", "N")


def test_a_text_wider_than_a_byte_can_say(folder, into):
    table = dbf(((b"T", "C", 44, 1),), (record("x" * 300),))
    assert rows(folder, into, table, "T") == [("x" * 300,)]


@pytest.mark.parametrize("keep", [0, 10, 40, 200, 300, -2, -30])
def test_every_cut_is_noticed(folder, into, keep):
    table = dbf(FIELDS, ROWS)
    fails(SourceIncompleteError, folder, into, table[:keep], "ID")
    packed = gzip.compress(table[:keep], mtime=0)
    fails(SourceIncompleteError, folder, into, packed, "ID", name="a.dbf.gz")


def test_records_that_the_header_does_not_count_are_not_there_and_those_it_does_are(folder, into):
    table = bytearray(dbf(FIELDS, ROWS))
    table[4] = 9
    error = fails(SourceIncompleteError, folder, into, bytes(table), "ID")
    assert (error.problem, error.params["total"], error.params["found"]) == ("rows_missing", 9, 5)
    table[4] = 2
    assert rows(folder, into, bytes(table), "ID") == [("1",), ("2",)]


def test_files_that_are_something_else(folder, into):
    table = dbf(FIELDS, ROWS)
    for data in (
        b"id,name\n" * 20,
        b"\x04" + table[1:],
        table[:10] + b"\x07" + table[11:],
        table[:43] + b"~" + table[44:],
    ):
        error = fails(SourceShapeError, folder, into, data, "ID")
        assert error.problem in {"not_this_format", "field_type", "columns_missing"}
    damaged = table.replace(b" " + b"    1", b"?" + b"    1")
    assert fails(SourceShapeError, folder, into, damaged, "ID").where == "a.dbf:1"


def test_memos_are_refused_when_they_are_wanted_and_left_alone_otherwise(folder, into):
    table = dbf(((b"ID", "N", 3), (b"NOTE", "M", 10), (b"PIC", "G", 10)), (record("  1", " " * 20),), version=0x83)
    assert rows(folder, into, table, "ID") == [("1",)]
    assert fails(SourceShapeError, folder, into.with_name("x"), table, "NOTE").problem == "memo_column"


def test_the_language_byte_is_heeded_where_it_can_be_trusted(folder, into):
    fields = ((b"T", "C", 8),)
    for language, encoding, text in ((0x4F, "cp950", "資料"), (0x7B, "cp932", "データ"), (0, "gb18030", "数据")):
        table = dbf(fields, (record(text.encode(encoding).ljust(8)),), language=language)
        assert rows(folder, into, table, "T") == [(text,)]
    # Western Europe, says the byte; the text is Chinese. Read as told it would be gibberish that nothing notices.
    table = dbf(fields, (record("plain   "), record("数据    ")), language=0x03)
    error = fails(SourceEncodingError, folder, into.with_name("x"), table, "T")
    assert (error.problem, error.where) == ("code_page_doubtful", "a.dbf:2")
    assert rows(folder, into, table, "T", encoding="gb18030") == [("plain",), ("数据",)]
    table = dbf(fields, (record("caf\u00e9    ".encode("cp1252")),), language=0x03)
    assert rows(folder, into, table, "T", encoding="cp1252") == [("café",)]


def test_a_wrong_encoding_names_the_record_and_the_byte(folder, into):
    table = dbf(((b"T", "C", 8),), (record("ok      "), record(SECRET.encode("gb18030")[:5] + b"   ")))
    error = fails(SourceEncodingError, folder, into, table, "T", encoding="utf-8")
    assert (error.problem, error.where, error.params["encoding"]) == ("bad_bytes", "a.dbf:2", "utf-8")
    assert table[error.params["offset"]] >= 128


def test_tables_of_several_batches_are_read_whole(folder, into, monkeypatch):
    monkeypatch.setattr("connectors.dbf.BATCH_BYTES", 100)
    records = [record(f"{n:5}", mark=b"*" if n % 7 == 0 else b" ") for n in range(50)]
    table = dbf(((b"ID", "N", 5),), records)
    assert rows(folder, into, table, "ID") == [(str(n),) for n in range(50) if n % 7]
    assert rows(folder, into, dbf(((b"ID", "N", 5),), []), "ID") == []
