from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from connectors.errors import SourceEncodingError
from connectors.protocol import Column
from tests.connectors.postgres import Department, request, rows
from tests.services.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]

MANY = Decimal(12345678901234567890123456789012345678)
LAST = datetime(2024, 2, 29, 23, 59, 59, 999999)  # noqa: DTZ001 - the type has no zone
EARLY = datetime(1969, 12, 31, 23, 59, 59, 1000)  # noqa: DTZ001
# declared type, what is stored, the type asked for, the Arrow type landed, the value landed
EXACT = [
    ("smallint", "-32768", "BIGINT", "int64", -32768),
    ("integer", "2147483647", "BIGINT", "int64", 2147483647),
    ("bigint", "-9223372036854775808", "BIGINT", "int64", -9223372036854775808),
    ("bigint", "-9223372036854775808", "DECIMAL(19,0)", "decimal128(19, 0)", Decimal(-9223372036854775808)),
    ("bigint", "9223372036854775807", "DECIMAL(18,0)", "string", "9223372036854775807"),
    ("integer", "7", "VARCHAR", "string", "7"),
    ("integer", "7", "", "string", "7"),
    ("integer", "7", "DATE", "string", "7"),
    ("boolean", "true", "BOOLEAN", "bool", True),
    ("boolean", "false", "VARCHAR", "string", "false"),
    ("numeric(12,2)", "-0.10", "DECIMAL(12,2)", "decimal128(12, 2)", Decimal("-0.10")),
    ("numeric(12,2)", "0.10", "DECIMAL(14,4)", "decimal128(14, 4)", Decimal("0.1000")),
    ("numeric(12,2)", "0.10", "DECIMAL(12,4)", "string", "0.10"),
    ("numeric(12,2)", "0.10", "DECIMAL(12,1)", "string", "0.10"),
    ("numeric(12,2)", "0.10", "VARCHAR", "string", "0.10"),
    ("numeric(12,2)", "1.00", "BIGINT", "string", "1.00"),
    ("numeric(18,0)", "999999999999999999", "BIGINT", "int64", 999999999999999999),
    ("numeric(19,0)", "9999999999999999999", "BIGINT", "string", "9999999999999999999"),
    ("numeric(38,0)", str(MANY), "DECIMAL(38,0)", "decimal128(38, 0)", MANY),
    ("numeric(38,38)", "0." + "1" * 38, "DECIMAL(38,38)", "decimal128(38, 38)", Decimal("0." + "1" * 38)),
    ("numeric(45,5)", "1" * 40 + ".12345", "DECIMAL(38,5)", "string", "1" * 40 + ".12345"),
    ("numeric", "1e-30", "DECIMAL(38,10)", "string", "0." + "0" * 29 + "1"),
    ("numeric", "1" * 50, "DECIMAL(38,0)", "string", "1" * 50),
    ("numeric", "NaN", "DECIMAL(12,2)", "string", "NaN"),
    ("numeric(12,2)", "NaN", "DECIMAL(12,2)", "string", "NaN"),
    ("numeric(12,0)", "NaN", "BIGINT", "string", "NaN"),
    ("real", "0.1", "DECIMAL(12,2)", "string", "0.1"),
    ("double precision", "1e308", "", "string", "1e+308"),
    ("double precision", "0.30000000000000004", "", "string", "0.30000000000000004"),
    ("double precision", "NaN", "", "string", "NaN"),
    ("double precision", "-Infinity", "", "string", "-Infinity"),
    ("date", "2024-02-29", "DATE", "date32[day]", date(2024, 2, 29)),
    ("date", "0001-01-01", "DATE", "date32[day]", date(1, 1, 1)),
    ("date", "9999-12-31", "DATE", "date32[day]", date(9999, 12, 31)),
    ("date", "2024-02-29", "TIMESTAMP", "string", "2024-02-29"),
    ("date", "infinity", "DATE", "string", "infinity"),
    ("date", "-infinity", "DATE", "string", "-infinity"),
    ("date", "0001-12-31 BC", "DATE", "string", "0001-12-31 BC"),
    ("date", "0044-03-15 BC", "DATE", "string", "0044-03-15 BC"),
    ("date", "10000-01-01", "DATE", "string", "10000-01-01"),
    ("date", "5874897-12-31", "DATE", "string", "5874897-12-31"),
    ("timestamp", "2024-02-29 23:59:59.999999", "TIMESTAMP", "timestamp[us]", LAST),
    ("timestamp(3)", "1969-12-31 23:59:59.001", "TIMESTAMP", "timestamp[us]", EARLY),
    ("timestamp", "2024-02-29 01:02:03", "", "string", "2024-02-29 01:02:03"),
    ("timestamp", "infinity", "TIMESTAMP", "string", "infinity"),
    ("timestamp", "0044-03-15 12:00:00 BC", "TIMESTAMP", "string", "0044-03-15 12:00:00 BC"),
    ("timestamp", "294276-12-31 23:59:59", "TIMESTAMP", "string", "294276-12-31 23:59:59"),
    ("timestamptz", "2024-02-29 08:00:00+08", "TIMESTAMP", "string", "2024-02-29 00:00:00+00"),
    ("time", "23:59:59.123456", "", "string", "23:59:59.123456"),
    ("time", "24:00:00", "", "string", "24:00:00"),
    ("timetz", "12:00:00+08", "", "string", "12:00:00+08"),
    ("interval", "1 year 2 mons -3 days 04:05:06.789", "", "string", "1 year 2 mons -3 days +04:05:06.789"),
    ("text", " 张 三　", "VARCHAR", "string", " 张 三　"),
    ("text", "𬱖龘😀👨‍👩‍👧", "VARCHAR", "string", "𬱖龘😀👨‍👩‍👧"),
    ("text", "\ufeff\u2028\r\n\\x\t'\"", "VARCHAR", "string", "\ufeff\u2028\r\n\\x\t'\""),
    ("text", "", "VARCHAR", "string", ""),
    ("varchar(40)", "𠮷野家", "VARCHAR", "string", "𠮷野家"),
    ("text", "12", "BIGINT", "string", "12"),
    ("char(4)", "ab", "VARCHAR", "string", "ab"),
    ("bytea", "\\x00ff1e", "VARCHAR", "string", "\\x00ff1e"),
    ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "VARCHAR", "string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("json", '{"b":1, "a":[1,  2]}', "VARCHAR", "string", '{"b":1, "a":[1,  2]}'),
    ("jsonb", '{"b":1,"a":"甲"}', "VARCHAR", "string", '{"a": "甲", "b": 1}'),
    ("money", "1234.5", "VARCHAR", "string", "$1,234.50"),
    ("inet", "10.0.0.1/8", "VARCHAR", "string", "10.0.0.1/8"),
    ("text[]", '{甲,NULL,"a,b"}', "VARCHAR", "string", '{甲,NULL,"a,b"}'),
    ("int[]", "{{1,2},{3,4}}", "VARCHAR", "string", "{{1,2},{3,4}}"),
    ("int4range", "[1,5)", "VARCHAR", "string", "[1,5)"),
    ("bit(3)", "101", "VARCHAR", "string", "101"),
    ("point", "(1,2)", "VARCHAR", "string", "(1,2)"),
    ("tsvector", "'a':1", "VARCHAR", "string", "'a':1"),
    ("mood", "良好", "VARCHAR", "string", "良好"),
    ("whole", "5", "BIGINT", "string", "5"),
]


def arrow(into):
    schema = pq.read_schema(into / "part-00000.parquet")
    return [(str(field.type), int((field.metadata or {}).get(b"PARQUET:field_id", 0))) for field in schema]


@pytest.fixture(scope="module")
def landed(postgres, tmp_path_factory):
    department = Department(postgres.url(postgres.create()))
    names = [f"c{n}" for n in range(len(EXACT))]
    department.do(
        "CREATE TYPE mood AS ENUM ('一般', '良好')",
        "CREATE DOMAIN whole AS integer CHECK (VALUE > 0)",
        f"CREATE TABLE t (n int, {', '.join(f'{name} {case[0]}' for name, case in zip(names, EXACT, strict=True))})",
    )
    with department.open() as connection:
        places = ", ".join(f"%s::{case[0]}" for case in EXACT)
        connection.execute(f"INSERT INTO t VALUES (1, {places})", [case[1] for case in EXACT])
        connection.execute("INSERT INTO t (n) VALUES (2)")
    columns = [Column("n", type="BIGINT", field_id=1)]
    columns += [
        Column(name, type=case[2], field_id=n + 2) for n, (name, case) in enumerate(zip(names, EXACT, strict=True))
    ]
    into = tmp_path_factory.mktemp("fidelity") / "batch"
    batch = department.connector().read(request("t", columns), into)
    return batch, rows(batch), arrow(into)


@pytest.mark.parametrize("number", range(len(EXACT)), ids=[f"{case[0]} {case[1][:24]} as {case[2]}" for case in EXACT])
def test_every_type_lands_without_loss(landed, number):
    batch, (values, nulls), types = landed
    declared, _, asked, expected, value = EXACT[number]
    kind, field_id = types[number + 1]
    assert values[number + 1] == value
    assert str(values[number + 1]) == str(value)
    assert kind == expected
    assert nulls[number + 1] is None
    assert batch.types[f"c{number}"].split("(")[0].split(" ")[0] == declared_name(declared)
    fits = {
        "BIGINT": "int64",
        "BOOLEAN": "bool",
        "DATE": "date32[day]",
        "TIMESTAMP": "timestamp[us]",
        "VARCHAR": "string",
    }
    has_type = kind == fits.get(asked, asked.replace("DECIMAL", "decimal128").replace(",", ", ")) and asked != ""
    assert field_id == (number + 2 if has_type else 0)


def declared_name(declared):
    words = {"varchar": "character", "char": "character", "time": "time", "timetz": "time", "timestamptz": "timestamp"}
    name = declared.split("(")[0].split(" ")[0]
    return {"int[]": "integer[]"}.get(name, words.get(name, name))


@pytest.fixture
def department(postgres_url):
    return Department(postgres_url)


def test_one_odd_value_among_many_keeps_all_of_the_column(department, into):
    department.do(
        "CREATE TABLE t (n int PRIMARY KEY, a numeric(8,2), d date, s timestamp)",
        "INSERT INTO t SELECT n, n, date '2024-01-01' + n, timestamp '2024-01-01' + n * interval '1 s' "
        "FROM generate_series(1, 500) n",
        "UPDATE t SET a = 'NaN' WHERE n = 77",
        "UPDATE t SET d = 'infinity' WHERE n = 78",
        "UPDATE t SET s = '0001-01-01 BC' WHERE n = 79",
    )
    columns = (
        Column("n", type="BIGINT", field_id=1),
        Column("a", type="DECIMAL(8,2)", field_id=2),
        Column("d", type="DATE", field_id=3),
        Column("s", type="TIMESTAMP", field_id=4),
    )
    for measure in ("count", "none", "columns"):
        batch = department.connector().read(request("t", columns, options={"measure": measure}), into)
        found = {row[0]: row for row in rows(batch)}
        assert found[77] == (77, "NaN", "2024-03-18", "2024-01-01 00:01:17")
        assert found[78][2] == "infinity"
        assert found[79][3] == "0001-01-01 00:00:00 BC"
        assert arrow(into) == [("int64", 1), ("string", 0), ("string", 0), ("string", 0)]
    department.do("DELETE FROM t WHERE n IN (77, 78, 79)")
    department.connector().read(request("t", columns), into)
    assert arrow(into) == [("int64", 1), ("decimal128(8, 2)", 2), ("date32[day]", 3), ("timestamp[us]", 4)]


def test_an_odd_value_outside_the_range_leaves_the_type_alone(department, into):
    department.do("CREATE TABLE t (n int PRIMARY KEY, a numeric(8,2))", "INSERT INTO t VALUES (1, 'NaN'), (2, 1)")
    columns = (Column("n", type="BIGINT", field_id=1), Column("a", type="DECIMAL(8,2)", field_id=2))
    batch = department.connector().read(request("t", columns, cursor="2", cursor_column="n"), into)
    assert rows(batch) == [(2, Decimal("1.00"))]


def test_what_the_session_is_set_to_does_not_show(department, into):
    name = department.settings["database"]
    department.do(
        f"ALTER DATABASE {name} SET datestyle = 'German, DMY'",
        f"ALTER DATABASE {name} SET intervalstyle = 'iso_8601'",
        f"ALTER DATABASE {name} SET bytea_output = 'escape'",
        f"ALTER DATABASE {name} SET extra_float_digits = -10",
        f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'",
        f"ALTER DATABASE {name} SET standard_conforming_strings = off",
        f"ALTER DATABASE {name} SET default_transaction_read_only = off",
        "CREATE TABLE t (d date, z timestamptz, i interval, b bytea, f float8, s text)",
        "INSERT INTO t VALUES ('2024-02-29', '2024-02-29 08:00+08', '1 day', decode('00ff', 'hex'), 0.1, 'a')",
    )
    columns = ("d", "z", "i", "b", "f", "s")
    asked = request("t", columns, key=(), cursor="\\' OR true --", cursor_column="s")
    assert rows(department.connector().read(asked, into)) == [
        ("2024-02-29", "2024-02-29 00:00:00+00", "1 day", "\\x00ff", "0.1", "a")
    ]
    asked = request("t", columns, key=(), cursor="b\\' OR true --", cursor_column="s")
    assert rows(department.connector().read(asked, into)) == []


def test_names_are_quoted(department, into):
    department.do('CREATE TABLE "表 ""x"" \'y\'" ("列 ""a""" int, "SELECT" text, "a.b" text)')
    department.do("INSERT INTO \"表 \"\"x\"\" 'y'\" VALUES (1, '甲', '乙')")
    columns = (Column('列 "a"', type="BIGINT", field_id=3), Column("SELECT", mask="surname"), "a.b")
    batch = department.connector().read(request("表 \"x\" 'y'", columns, key=('列 "a"',)), into)
    assert rows(batch) == [(1, "***", "乙")]


def test_absent_columns_land_as_null_in_their_type(department, into):
    department.do("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
    columns = (Column("n", type="BIGINT", field_id=1), Column("later", type="DATE", field_id=2, required=False))
    batch = department.connector().read(request("t", columns), into)
    assert rows(batch) == [(1, None)]
    assert (batch.absent, batch.types) == (("later",), {"n": "integer"})
    assert arrow(into) == [("int64", 1), ("date32[day]", 2)]


def test_bytes_that_are_no_text(postgres, into):
    name = "t_ascii"
    postgres._do(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        department = Department(postgres.url(name))
        department.do("CREATE TABLE t (n int, x text)", "INSERT INTO t VALUES (1, E'\\xd5\\xc5')")
        with pytest.raises(SourceEncodingError) as caught:
            department.connector().read(request("t", ("n", "x"), key=()), into)
        assert caught.value.problem == "not_text"
        assert list(into.parent.iterdir()) == []
    finally:
        postgres.drop(name)
