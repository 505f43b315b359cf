from __future__ import annotations

import copy
import os
import signal
from contextlib import closing

import pyarrow.parquet as pq
import pytest

from connectors import mysql_rows, streamed
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    LandingFailedError,
    SourceDeniedError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.parts import read_manifest
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from tests.contracts.connector_suite import ConnectorSuite, Made, SourceKind
from tests.services.mariadb import PASSWORD, USER, Server, free_port, mariadb, running

__all__ = ["mariadb"]

pytestmark = pytest.mark.service("mariadb")


class Base:
    """A database on the server."""

    def __init__(self, server):
        self.server = server
        self.name = server.create()

    def do(self, *statements):
        return self.server.do(*statements, name=self.name)

    def source(self, secret=PASSWORD, **settings):
        given = {"socket": self.server.socket, "database": self.name, "user": USER, "password": "env:P", **settings}
        return connect("mysql", given, {"env:P": secret}.__getitem__)

    def by_port(self, **settings):
        return self.source(**{"socket": "", "host": "127.0.0.1", "port": str(self.server.port), **settings})

    def kill_readers(self):
        query = f"SELECT id FROM information_schema.processlist WHERE db = '{self.name}'"
        for (number,) in self.server.do(query):
            self.server.do(f"KILL {number}")


@pytest.fixture
def base(mariadb):
    base = Base(mariadb)
    yield base
    mariadb.drop(base.name)


@pytest.fixture
def source(base):
    return base.source()


def ask(table, *columns, cursor=None, by="", key=(), window=None, progress=None, **options):
    wanted = tuple(Column(c) if isinstance(c, str) else c for c in columns)
    return ReadRequest("R1", table, wanted, cursor, by, options, key, window, progress)


def rows(batch):
    found = []
    for part in read_manifest(batch.path).parts:
        table = pq.read_table(batch.path / part.file)
        found += zip(*(column.to_pylist() for column in table.columns), strict=True)
    assert len(found) == batch.rows
    return found


def fails(source, request, into, error, problem):
    with pytest.raises(error) as caught:
        source.read(request, into)
    assert type(caught.value) is error
    assert caught.value.problem == problem
    for lang in ("en", "zh"):
        assert PASSWORD not in caught.value.text(lang)
        assert "{" not in caught.value.text(lang)
    assert caught.value.__cause__ is None
    return caught.value


# --- every type as it is


TYPES = [
    ("bigint unsigned", "18446744073709551615", "18446744073709551615"),
    ("bigint", "-9223372036854775808", "-9223372036854775808"),
    ("int(6) zerofill", "42", "000042"),
    ("tinyint(1)", "2", "2"),
    ("decimal(65,30)", f"'{'9' * 35}.{'9' * 30}'", f"{'9' * 35}.{'9' * 30}"),
    ("decimal(18,2)", "-1.10", "-1.10"),
    ("bit(1)", "b'1'", "1"),
    ("bit(64)", f"b'{'1' * 64}'", "18446744073709551615"),
    ("float", "16777216", "16777216"),
    ("float", "1.1", "1.1"),
    ("double", "0.1e0 + 0.2e0", "0.30000000000000004"),
    ("double", "1e300", "1e300"),
    ("date", "'0000-00-00'", "0000-00-00"),
    ("date", "'2024-02-00'", "2024-02-00"),
    ("date", "'9999-12-31'", "9999-12-31"),
    ("datetime", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00"),
    ("datetime", "'0001-01-01 00:00:00'", "0001-01-01 00:00:00"),
    ("datetime(6)", "'9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999"),
    ("timestamp(3) null", "'2024-01-01 08:00:00.123'", "2024-01-01 08:00:00.123"),
    ("time", "'-838:59:59'", "-838:59:59"),
    ("time(6)", "'27:00:00.000001'", "27:00:00.000001"),
    ("year", "0", "0000"),
    ("char(5)", "'ab '", "ab"),
    ("varchar(20)", "'ab '", "ab "),
    ("varchar(20)", "''", ""),
    ("varchar(20)", "NULL", None),
    ("varchar(20)", "'NULL'", "NULL"),
    ("varchar(20)", "'\\\\N\\n\\t\\0'", "\\N\n\t\0"),
    ("varchar(20)", "'😀𬱖龘㐂'", "😀𬱖龘㐂"),
    ("varchar(20) character set latin1", "'é€'", "é€"),
    ("varchar(20) character set gbk", "'朱镕基'", "朱镕基"),
    ("text character set utf8mb3", "'０１　'", "０１　"),
    ("enum('甲','乙') character set utf8mb4", "2", "乙"),
    ("set('a','b','c')", "'c,a'", "a,c"),
    ("json", '\'{"a": 1.10, "a": 2}\'', '{"a": 1.10, "a": 2}'),
    ("binary(4)", "'ab'", "\\x61620000"),
    ("blob", "x'00ff41'", "\\x00ff41"),
    ("blob", "''", "\\x"),
    ("uuid", "'123E4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
    ("inet6", "'::1'", "::1"),
    ("point", "POINT(1, 2)", "\\x000000000101000000000000000000f03f0000000000000040"),
]


def test_every_type_lands_as_it_is(base, source, into):
    columns = [f"c{number}" for number in range(len(TYPES))]
    declared = ", ".join(f"{name} {kind}" for name, (kind, _, _) in zip(columns, TYPES, strict=True))
    base.do(
        "SET SESSION sql_mode = ''",
        f"CREATE TABLE t ({declared})",
        f"INSERT INTO t VALUES ({', '.join(value for _, value, _ in TYPES)})",
    )
    batch = source.read(ask("t", *columns), into)
    (row,) = rows(batch)
    assert dict(zip(TYPES, row, strict=True)) == {case: case[2] for case in TYPES}
    assert batch.types["c0"] == "bigint(20) unsigned"


def test_a_type_is_taken_where_it_holds_every_value(base, source, into):
    base.do(
        "CREATE TABLE t (a int, b bigint unsigned, c bigint unsigned, d decimal(18,2), e decimal(18,3), f date, "
        "g datetime, h tinyint(1), i int(4) zerofill, j varchar(9), k decimal(12,0))",
        "INSERT INTO t VALUES (1, 18446744073709551615, 18446744073709551615, 1.10, 1.101, '2024-01-01', "
        "'2024-01-01 00:00:00', 2, 7, 'x', 7)",
    )
    asked = {
        "a": ("BIGINT", "int64"),
        "b": ("BIGINT", "string"),
        "c": ("DECIMAL(20,0)", "decimal128(20, 0)"),
        "d": ("DECIMAL(20, 2)", "decimal128(20, 2)"),
        "e": ("DECIMAL(18,2)", "string"),
        "f": ("DATE", "string"),
        "g": ("TIMESTAMP", "string"),
        "h": ("BOOLEAN", "string"),
        "i": ("BIGINT", "string"),
        "j": ("VARCHAR", "string"),
        "k": ("BIGINT", "int64"),
    }
    wanted = [Column(name, type=kind, field_id=n) for n, (name, (kind, _)) in enumerate(asked.items(), 1)]
    batch = source.read(ask("t", *wanted), into)
    schema = pq.read_schema(into / "part-00000.parquet")
    assert {field.name: str(field.type) for field in schema} == {name: found for name, (_, found) in asked.items()}
    # A field id says that the file may become the table's own: only where the type is the table's.
    bear = {f.name for f in schema if (f.metadata or {}).get(b"PARQUET:field_id")}
    assert bear == {"a", "c", "d", "j", "k"}
    assert [str(value) for value in rows(batch)[0]][1:3] == ["18446744073709551615"] * 2


# --- ranges


@pytest.fixture
def dated(base):
    base.do(
        "SET SESSION sql_mode = ''",
        "CREATE TABLE t (id int primary key, at datetime(3), note varchar(9), index (at))",
        "INSERT INTO t VALUES (1, '2024-01-01', 'a'), (2, '2024-01-02', 'b'), (3, '2024-01-02', 'c'), "
        "(4, '2024-01-03 10:00:00.5', 'd'), (5, NULL, 'e'), (6, '0000-00-00', 'f')",
    )


def taken(source, into, **more):
    batch = source.read(ask("t", Column("id", type="BIGINT"), "at", by="at", key=("id",), **more), into)
    return [row[0] for row in rows(batch)], batch.cursor


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ([1, 2, 3, 4, 5, 6], "2024-01-03 10:00:00.500")),
        ({"cursor": "2024-01-02 00:00:00.000"}, ([2, 3, 4, 5, 6], "2024-01-03 10:00:00.500")),
        ({"cursor": "2024-01-02 00:00:00.000", "range": "open"}, ([4, 5, 6], "2024-01-03 10:00:00.500")),
        ({"cursor": "2024-01-03 10:00:00.500", "lag": "35h"}, ([2, 3, 4, 5, 6], "2024-01-03 10:00:00.500")),
        ({"cursor": "2025-01-01"}, ([5, 6], "2025-01-01")),
        ({"window": ("2024-01-01", "2024-01-02")}, ([1, 2, 3], None)),
        ({"window": ("2024-01-02", "")}, ([2, 3, 4], None)),
    ],
)
def test_ranges(source, dated, into, more, expected):
    assert taken(source, into, **more) == expected


def test_the_clock_of_the_server_bounds_what_is_read(base, source, dated, into):
    base.do("INSERT INTO t VALUES (7, NOW() + INTERVAL 1 DAY, 'g'), (8, NOW() - INTERVAL 10 MINUTE, 'h')")
    assert taken(source, into, cursor="2024-01-03", until="clock")[0] == [4, 5, 6, 8]
    assert taken(source, into, cursor="2024-01-03", until="clock", delay="1h")[0] == [4, 5, 6]


@pytest.mark.parametrize("cursor", ["yesterday", "2024", "1' OR '1'='1", "2024-01-01\\"])
def test_a_cursor_that_is_no_time_is_refused(source, dated, into, cursor):
    # The server would warn, compare it with everything and find nothing new, for ever.
    fails(source, ask("t", "id", "at", by="at", cursor=cursor), into, SourceShapeError, "cursor_unfit")


def test_a_text_cursor_may_hold_quotes_and_backslashes(base, source, into):
    base.do("CREATE TABLE t (v varchar(20) collate utf8mb4_bin)")
    values = ["'", '"', "\\", "\\'", "\\' OR 1=1 -- ", "％", "%s"]
    for value in values:
        base.do(f"INSERT INTO t VALUES (x'{value.encode().hex()}')")
    for value in values:
        found = rows(source.read(ask("t", "v", by="v", cursor=value), into))
        assert {row[0] for row in found} == {other for other in values if other >= value}


def test_what_the_source_says_of_its_rows(base, source, into):
    base.do(
        "CREATE TABLE t (id bigint unsigned primary key, n varchar(9) character set gbk collate gbk_chinese_ci, "
        "v decimal(65,30), d date)",
        "SET SESSION sql_mode = ''",
        "INSERT INTO t VALUES (1, '张', 0.1, '0000-00-00'), (18446744073709551615, '李', 0.2, '2024-01-01'), "
        "(3, 'b', NULL, NULL), (4, 'A', NULL, NULL)",
    )
    batch = source.read(ask("t", "id", "n", "v", "d", key=("id",), measure="columns"), into)
    assert batch.measures.rows == 4
    columns = {name: dict(found) for name, found in batch.measures.columns.items()}
    assert columns["id"] == {
        "count": "4",
        "min": "1",
        "max": "18446744073709551615",
        "sum": "18446744073709551623",
        "distinct": "4",
    }
    # By the bytes of UTF-8, not by pinyin: so that whoever has the file alone finds the same.
    assert columns["n"] == {"count": "4", "min": "A", "max": "李"}
    assert columns["v"]["sum"] == f"0.3{'0' * 29}"
    assert columns["d"]["min"] == "0000-00-00"


# --- pages


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.setattr(streamed, "ROWS_PER_PART", 4)
    monkeypatch.setattr(mysql_rows, "ROWS_PER_BATCH", 4)


KEYS = {
    "a text without case": (
        "k varchar(20) collate utf8mb4_general_ci, primary key (k)",
        ["'B'", "'a'", "'C'", "'d'", "'É'", "'f'", "'张'", "'😀'", "''", "'z '", "'\\\\'", "'x'"],
    ),
    "a text in GBK, by pinyin": (
        "k varchar(20) character set gbk collate gbk_chinese_ci, primary key (k)",
        ["'张'", "'李'", "'王'", "'赵'", "'B'", "'a'", "'C'", "'d'", "'阿'", "'曾'", "'吕'"],
    ),
    "a text in Latin-1 beside one by bytes": (
        "k char(9) character set latin1 collate latin1_german2_ci, j varchar(9) collate utf8mb4_bin, primary key (k,j)",
        ["'ä','B'", "'a','b'", "'ö','a'", "'o','A'", "'ä','b'", "'z','李'", "'z','张'", "'a','B'", "'ß','s'", "'s',''"],
    ),
    "unsigned beyond 64 bits with a sign, and a time": (
        "k bigint unsigned, at datetime(6), primary key (k, at)",
        [
            f"{k}, '{at}'"
            for k in (0, 1, 18446744073709551615)
            for at in (
                "2024-01-01",
                "2024-01-02",
                "2024-01-01 00:00:00.000001",
                "0000-00-00",
                "9999-12-31 23:59:59.999999",
            )
        ],
    ),
    "a decimal": ("k decimal(65,30), primary key (k)", [f"{n}.{'0' * 29}{n % 10}" for n in range(-5, 8)]),
}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.usefixtures("pages")
def test_pages_along_a_key_take_every_row_once(base, source, into, name):
    declared, values = KEYS[name]
    base.do(
        "SET SESSION sql_mode = ''", f"CREATE TABLE t ({declared})", f"INSERT INTO t VALUES ({'), ('.join(values)})"
    )
    columns = source.probe("t", {})
    batch = source.read(ask("t", *columns, key=columns), into)
    found = rows(batch)
    assert len(set(found)) == len(found) == len(values)
    parts = read_manifest(into).parts
    assert [part.rows for part in parts[:-1]] == [4] * (len(parts) - 1)
    for part in parts:
        keys = pq.read_table(into / part.file).to_pylist()
        assert keys == sorted(keys, key=lambda row: tuple(row.values()))


@pytest.mark.usefixtures("pages")
def test_a_table_without_a_key_comes_in_one_statement(base, source, into):
    base.do("CREATE TABLE t (k int)", "INSERT INTO t SELECT seq % 3 FROM seq_1_to_11")
    batch = source.read(ask("t", "k"), into)
    assert sorted(rows(batch)) == sorted((str(n % 3),) for n in range(1, 12))
    assert len(read_manifest(into).parts) == 3


def interrupted(base, request, into):
    """Read, and have the server end the connection once two parts have landed."""

    def progress(done):
        if done.rows >= 8:
            base.kill_readers()

    broken = ReadRequest(*(getattr(request, name) for name in request.__slots__[:-1]), progress)
    error = fails(base.source(), broken, into, SourceUnavailableError, "connection_lost")
    assert error.retryable


@pytest.mark.usefixtures("pages")
def test_a_read_that_broke_off_goes_on_where_it_was(base, source, into):
    base.do(
        "CREATE TABLE t (id int primary key, at datetime, note varchar(20))",
        "INSERT INTO t SELECT seq, '2024-01-01', 'first' FROM seq_1_to_20",
    )
    request = ask("t", Column("id", type="BIGINT"), "note", "at", by="at", key=("id",))
    interrupted(base, request, into)
    landed = read_manifest(into)
    assert not landed.done
    assert landed.rows >= 8
    # While nobody reads, the department goes on working, before and behind the place.
    base.do("UPDATE t SET note = 'second', at = '2024-02-02' WHERE id IN (1, 20)")
    batch = source.read(request, into)
    again = dict(row[:2] for row in rows(batch))
    assert list(again) == list(range(1, 21))
    assert (again[1], again[20]) == ("first", "second")
    assert read_manifest(into).parts[: len(landed.parts)] == landed.parts
    # The cursor is the first try's, so that row 1 is read the next time.
    assert batch.cursor == "2024-01-01 00:00:00"
    assert batch.measures.rows == 20
    after = source.read(ask("t", "id", "at", by="at", key=("id",), cursor=batch.cursor, range="open"), into)
    assert [row[0] for row in rows(after)] == ["1", "20"]


@pytest.mark.usefixtures("pages")
def test_another_request_begins_anew(base, source, into):
    base.do("CREATE TABLE t (id int primary key)", "INSERT INTO t SELECT seq FROM seq_1_to_20")
    interrupted(base, ask("t", "id", key=("id",)), into)
    batch = source.read(ask("t", Column("id", type="BIGINT"), key=("id",)), into)
    assert [row[0] for row in rows(batch)] == list(range(1, 21))


@pytest.mark.usefixtures("pages")
def test_without_a_key_nothing_stays_of_a_read_that_broke_off(base, source, into):
    base.do("CREATE TABLE t (id int, v longtext)", "INSERT INTO t SELECT seq, repeat('x', 20000) FROM seq_1_to_200")
    interrupted(base, ask("t", "id", "v"), into)
    assert not into.exists()
    assert source.read(ask("t", "id", "v"), into).rows == 200


@pytest.mark.usefixtures("pages")
def test_the_key_of_a_masked_column_is_written_nowhere(base, source, into):
    base.do(
        "CREATE TABLE t (id varchar(20) primary key)", "INSERT INTO t SELECT concat('secret', seq) FROM seq_1_to_11"
    )
    batch = source.read(ask("t", Column("id", mask="keep_last_4")), into)
    assert batch.rows == 11
    for path in into.iterdir():
        assert b"secret" not in path.read_bytes()


@pytest.mark.usefixtures("pages")
def test_a_read_sees_one_moment(base, source, into):
    base.do("CREATE TABLE t (id int primary key, v int)", "INSERT INTO t SELECT seq, 1 FROM seq_1_to_13")
    request = ask(
        "t",
        Column("id", type="BIGINT"),
        Column("v", type="BIGINT"),
        key=("id",),
        progress=lambda _: base.do("UPDATE t SET v = v + 1", "INSERT IGNORE INTO t VALUES (99, 1)"),
    )
    batch = source.read(request, into)
    assert rows(batch) == [(n, 1) for n in range(1, 14)]


# --- refusals


def test_nothing_can_be_written_by_reading(base, source, into):
    base.do(
        "CREATE TABLE seen (a int)",
        "CREATE FUNCTION note() RETURNS int BEGIN INSERT INTO seen VALUES (1); RETURN 1; END",
        "CREATE VIEW t AS SELECT note() AS a",
    )
    fails(source, ask("t", "a"), into, SourceShapeError, "reading_writes")
    assert base.do("SELECT count(*) FROM seen") == ((0,),)


def test_a_statement_that_takes_too_long_is_given_up(base, into):
    base.do("CREATE VIEW t AS SELECT SLEEP(20) AS a")
    slow = base.source(statement_timeout_s="0.2")
    error = fails(slow, ask("t", "a"), into, SourceUnavailableError, "statement_timeout")
    assert error.params["waited_s"] == 0.2


def test_refused(base, source, into):
    base.do("CREATE TABLE t (a int)", "CREATE TABLE other (a int)")
    request = ask("t", "a")
    wrong = base.source(secret="wrong")
    assert not fails(wrong, request, into, SourceDeniedError, "login_refused").retryable
    fails(base.source(database="nowhere"), request, into, SourceObjectMissingError, "no_database")
    fails(source, ask("no-such", "a"), into, SourceObjectMissingError, "no_table")
    fails(source, ask("t`; DROP TABLE t; --", "a"), into, SourceObjectMissingError, "no_table")
    gone = base.by_port(port=str(free_port()))
    assert fails(gone, request, into, SourceUnavailableError, "cannot_connect").retryable
    verify = base.by_port(ssl="verify")
    fails(verify, request, into, SourceDeniedError, "no_trusted_tls")
    assert not into.exists()


def test_an_account_that_may_not_see_the_database_is_refused(base, into):
    # The password is Chinese: the server keeps it in UTF-8.
    base.server.do("CREATE OR REPLACE USER guest@localhost IDENTIFIED BY '口令'")
    base.do("CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, 2)")
    guest = base.source(secret="口令", user="guest")
    fails(guest, ask("t", "a"), into, SourceDeniedError, "login_refused")
    base.server.do(f"GRANT SELECT (a) ON {base.name}.t TO guest@localhost")
    assert rows(guest.read(ask("t", "a"), into)) == [("1",)]
    fails(guest, ask("t", "a", "b"), into, SourceShapeError, "columns_missing")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"user": ""}, "user"),
        ({"database": ""}, "database"),
        ({"socket": ""}, "host"),
        ({"port": "x"}, "port"),
        ({"ssl": "maybe"}, "ssl"),
        ({"ca_file": "/ca.pem", "ssl": "off"}, "ssl"),
        ({"password": "in clear"}, "password"),
        ({"statement_timeout_s": "0"}, "statement_timeout_s"),
    ],
)
def test_settings(settings, name):
    given = {"socket": "/s", "database": "d", "user": "u", **settings}
    with pytest.raises(ConnectorSettingsError) as caught:
        connect("mysql", given, {}.__getitem__)
    assert caught.value.params["name"] == name


def altering(monkeypatch, base, *statements, after=False):
    """Alter the table after its columns were looked up, before its rows are counted, or read."""
    real = streamed.measure

    def measure(*given, **named):
        if after:
            told = real(*given, **named)
            base.do(*statements)
            return told
        base.do(*statements)
        return real(*given, **named)

    monkeypatch.setattr(streamed, "measure", measure)


@pytest.mark.parametrize(
    "case",
    [
        ("DROP TABLE t", SourceObjectMissingError, "no_table"),
        ("ALTER TABLE t CHANGE a z int", SourceIncompleteError, "table_changed"),
        ("ALTER TABLE t DROP COLUMN a", SourceIncompleteError, "table_changed"),
    ],
)
def test_a_table_that_is_altered_under_the_read(base, into, monkeypatch, case):
    base.do("CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, 2)")
    statement, error, problem = case
    altering(monkeypatch, base, statement)
    fails(base.source(), ask("t", "a"), into, error, problem)
    assert not into.exists()


@pytest.mark.usefixtures("pages")
def test_a_type_that_changes_between_two_pages_is_noticed(base, source, into):
    base.do("CREATE TABLE t (id int primary key, a int)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_20")
    request = ask("t", Column("id", type="BIGINT"), Column("a", type="BIGINT"), key=("id",))
    interrupted(base, request, into)
    base.do("ALTER TABLE t MODIFY a varchar(20)", "UPDATE t SET a = 'x' WHERE id = 20")
    batch = source.read(request, into)
    # The parts of before would hold numbers beside text.
    assert [row[1] for row in rows(batch)] == [*map(str, range(1, 20)), "x"]


@pytest.mark.usefixtures("pages")
def test_a_server_that_dies_is_no_end_of_the_table(into):
    with running() as (folder, port):
        base = Base(Server(folder, port))
        base.do("CREATE TABLE t (id int, v longtext)", "INSERT INTO t SELECT seq, repeat('x', 20000) FROM seq_1_to_200")
        source = base.source()

        def progress(done):
            if done.rows >= 8:
                os.kill(int((folder / "pid").read_text()), signal.SIGKILL)

        fails(source, ask("t", "id", "v", progress=progress), into, SourceUnavailableError, "connection_lost")
        assert not into.exists()
        # By its port: PyMySQL leaves a socket open that it could not connect.
        assert fails(base.by_port(), ask("t", "id"), into, SourceUnavailableError, "cannot_connect").retryable


def test_a_full_disk_is_our_own_side(base, source, into, monkeypatch):
    base.do("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
    into.parent.mkdir(parents=True)
    into.symlink_to("/dev/full")
    with pytest.raises(LandingFailedError):
        source.read(ask("t", "a"), into / "x" / "y")


def test_rows_longer_than_a_packet_and_than_a_part(base, source, into, monkeypatch):
    monkeypatch.setattr(streamed, "BYTES_PER_PART", 1_000_000)
    base.do(
        "CREATE TABLE t (id int primary key, v longblob, w longtext)",
        "INSERT INTO t VALUES (1, repeat('x', 17 * 1024 * 1024), NULL), (2, repeat('y', 70000), '😀'), "
        "(3, '', repeat('z', 16777215 - 9)), (4, repeat('a', 250), repeat('b', 251))",
    )
    batch = source.read(ask("t", "id", "v", "w", key=("id",)), into)
    found = {row[0]: row[1:] for row in rows(batch)}
    assert found["1"] == ("\\x" + "78" * 17 * 1024 * 1024, None)
    assert found["2"] == ("\\x" + "79" * 70_000, "😀")
    assert found["3"] == ("\\x", "z" * (16_777_215 - 9))
    assert found["4"] == ("\\x" + "61" * 250, "b" * 251)
    assert len(read_manifest(into).parts) > 1


def test_over_tcp(base, into):
    base.do("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
    by_port = base.by_port(time_zone="+08:00")
    assert rows(by_port.read(ask(f"{base.name}.t", "a"), into)) == [("1",)]


def test_a_timestamp_is_written_in_the_time_zone_that_was_set(base, into):
    base.do("CREATE TABLE t (a timestamp)", "SET time_zone = '+00:00'", "INSERT INTO t VALUES ('2024-01-01 00:00:00')")
    for zone, expected in (("+08:00", "2024-01-01 08:00:00"), ("+00:00", "2024-01-01 00:00:00")):
        assert rows(base.source(time_zone=zone).read(ask("t", "a"), into)) == [(expected,)]


def test_errors_can_cross_to_another_process(source, into):
    with pytest.raises(ConnectorError) as caught:
        source.read(ask("nothing", "a"), into)
    assert copy.copy(caught.value).params == caught.value.params


# --- the contract of every connector


class MysqlKind(SourceKind):
    nulls = True

    base = None
    altering = None

    def write(self, folder, headings, rows):
        base = self.base
        names = ", ".join(f"`{heading.rstrip()}` longtext" for heading in headings)  # it refuses a last space
        base.do(f"CREATE OR REPLACE TABLE `rows` ({names})")
        with closing(base.server.connect(base.name)) as connection, connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO `rows` VALUES ({', '.join(['%s'] * len(headings))})", rows)
        return Made(base.source(), "rows")

    def cut(self, made, folder):
        # The server counts the rows, and delivers fewer: somebody deletes from a table that keeps no versions.
        self.base.do("ALTER TABLE `rows` ENGINE = MyISAM")
        self.altering("DELETE FROM `rows` LIMIT 1")
        return made

    def remove(self, made, folder):
        return Made(self.base.by_port(port=str(free_port())), made.object)


class TestMysql(ConnectorSuite):
    source = MysqlKind()

    @pytest.fixture(autouse=True)
    def given(self, base, monkeypatch):
        self.source.base = base
        self.source.altering = lambda statement: altering(monkeypatch, base, statement, after=True)
