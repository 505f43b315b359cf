from __future__ import annotations

import pytest
import sqlalchemy as sa

from connectors import streamed
from connectors.errors import (
    ConnectorSettingsError,
    SourceDeniedError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.parts import read_manifest
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from connectors.sqlalchemy_source import Database
from tests.contracts.connector_suite import ConnectorSuite, Made, SourceKind, landed
from tests.services.mariadb import PASSWORD, free_port, mariadb, mariadb_url
from tests.services.postgres import postgres, postgres_url

__all__ = ["mariadb", "mariadb_url", "postgres", "postgres_url"]


class Base:
    """A database behind SQLAlchemy."""

    def __init__(self, url):
        self.url = sa.make_url(url)

    def do(self, *statements, values=None):
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        try:
            with engine.begin() as connection:
                for statement in statements:
                    result = connection.execute(sa.text(statement), values)
                return [tuple(row) for row in result] if result.returns_rows else None
        finally:
            engine.dispose()

    def given(self, **settings):
        """The settings, and the secrets that they name."""
        url = self.url
        secret = {"password": "env:P"} if url.password is not None else {}
        bare = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database, url.query)
        settings = {"url": bare.render_as_string(hide_password=False), **secret, **settings}
        return settings, {"env:P": url.password, "env:WRONG": "wrong"}.__getitem__

    def source(self, kind="sqlalchemy", **settings):
        return connect(kind, *self.given(**settings))


@pytest.fixture
def sqlite_url(tmp_path):
    path = tmp_path / "source.sqlite"
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def base(request):
    return Base(request.getfixturevalue(f"{request.param}_url"))


def ask(table, *columns, cursor=None, by="", key=(), window=None, progress=None, **options):
    wanted = tuple(Column(c) if isinstance(c, str) else c for c in columns)
    return ReadRequest("R1", table, wanted, cursor, by, options, key, window, progress)


def rows(batch):
    return [row[1:] for row in landed(batch)]


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


# --- values


def test_postgresql_values_land_as_they_are(postgres_url, into):
    base = Base(postgres_url)
    cases = [
        ("bigint", "9223372036854775807", "9223372036854775807"),
        ("numeric", "'NaN'", "NaN"),
        ("numeric(45,5)", f"{'9' * 40}.00001", f"{'9' * 40}.00001"),
        ("numeric", "1e-20", f"0.{'0' * 19}1"),
        ("real", "1.1", "1.1"),
        ("double precision", "0.1::float8 + 0.2::float8", "0.30000000000000004"),
        ("boolean", "true", "true"),
        ("date", "'0001-01-01'", "0001-01-01"),
        ("timestamp", "'2024-01-01 00:00:00.000001'", "2024-01-01 00:00:00.000001"),
        ("time", "'23:59:59.5'", "23:59:59.500000"),
        ("interval", "'1 mon 2 days'", "1 mon 2 days"),
        ("jsonb", "'{\"a\": 1.10}'", '{"a": 1.10}'),
        ("integer[]", "'{1,NULL}'", "{1,NULL}"),
        ("bytea", "'\\x00ff'", "\\x00ff"),
        ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
        ("text", "'😀𬱖龘'", "😀𬱖龘"),
        ("text", "''", ""),
        ("char(4)", "'a'", "a   "),
        ("inet", "'::1'", "::1/128"),
    ]
    columns = [f"c{number}" for number in range(len(cases))]
    declared = ", ".join(f"{name} {kind}" for name, (kind, _, _) in zip(columns, cases, strict=True))
    values = ", ".join(value.replace(":", "\\:") for _, value, _ in cases)
    base.do(f"CREATE TABLE t ({declared})", f"INSERT INTO t VALUES ({values})")
    (row,) = rows(base.source().read(ask("t", *columns), into))
    assert dict(zip(cases, row, strict=True)) == {case: case[2] for case in cases}


def test_mariadb_values_land_as_they_are(mariadb_url, into):
    base = Base(mariadb_url)
    cases = [
        ("bigint unsigned", "18446744073709551615", "18446744073709551615"),
        ("decimal(65,30)", f"'{'9' * 35}.{'9' * 30}'", f"{'9' * 35}.{'9' * 30}"),
        ("double", "1e300", "1e+300"),
        ("date", "'0000-00-00'", "0000-00-00"),
        ("datetime", "'2024-02-30 00\\:00\\:00'", "2024-02-30 00:00:00"),
        ("datetime(6)", "'9999-12-31 23\\:59\\:59.999999'", "9999-12-31 23:59:59.999999"),
        ("time(6)", "'-27\\:00\\:00.000001'", "-27:00:00.000001"),
        ("tinyint(1)", "2", "2"),
        ("varchar(20)", "'😀𬱖龘 '", "😀𬱖龘 "),
        ("blob", "x'00ff'", "\\x00ff"),
    ]
    columns = [f"c{number}" for number in range(len(cases))]
    declared = ", ".join(f"{name} {kind}" for name, (kind, _, _) in zip(columns, cases, strict=True))
    values = ", ".join(value for _, value, _ in cases)
    insert = f"INSERT INTO t VALUES ({values})"
    base.do("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'", f"CREATE TABLE t ({declared})", insert)
    (row,) = rows(base.source().read(ask("t", *columns), into))
    assert dict(zip(cases, row, strict=True)) == {case: case[2] for case in cases}


def test_sqlite_values_land_as_they_are(sqlite_url, into):
    base = Base(sqlite_url)
    base.do(
        "CREATE TABLE t (a INTEGER, b INTEGER, c REAL, d BLOB, e DATE, f NUMERIC)",
        "INSERT INTO t VALUES (9223372036854775807, 'no number', 0.1, x'00ff', '2024-13-45', 1e300)",
    )
    batch = base.source().read(ask("t", Column("a", type="BIGINT"), "b", "c", "d", "e", "f"), into)
    assert rows(batch) == [("9223372036854775807", "no number", "0.1", "\\x00ff", "2024-13-45", "1e+300")]


def test_a_type_is_taken_where_it_holds_every_value(base, into):
    base.do("CREATE TABLE t (a BIGINT, b NUMERIC(18,2), c VARCHAR(9))", "INSERT INTO t VALUES (1, 1.10, 'x')")
    wanted = [Column("a", type="BIGINT"), Column("b", type="DECIMAL(18,2)"), Column("c", type="VARCHAR")]
    (row,) = rows(base.source().read(ask("t", *wanted), into))
    # SQLite declares, but does not hold itself to it; PostgreSQL's numeric may be NaN.
    assert row[0] == ("1" if base.url.drivername == "sqlite" else 1)
    assert row[1:] == ({"sqlite": "1.1"}.get(base.url.drivername, row[1]), "x")
    assert type(row[1]).__name__ == ("Decimal" if "mysql" in base.url.drivername else "str")


# --- ranges, pages


@pytest.fixture
def dated(base):
    base.do(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP NULL, n VARCHAR(9))",
        "INSERT INTO t VALUES (1, '2024-01-01 00\\:00\\:00', 'a'), (2, '2024-01-02 00\\:00\\:00', 'b:x'), "
        "(3, '2024-01-02 00\\:00\\:00', '%s'), (4, '2024-01-03 10\\:00\\:00', ''), (5, NULL, NULL)",
    )
    return base


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"cursor": "2024-01-02 00:00:00"}, [2, 3, 4, 5]),
        ({"cursor": "2024-01-02 00:00:00", "range": "open"}, [4, 5]),
        ({"cursor": "2024-01-03 10:00:00", "lag": "35h"}, [2, 3, 4, 5]),
        ({"cursor": "2024-01-03 10:00:00", "until": "clock", "delay": "1d"}, [4, 5]),
        ({"window": ("2024-01-01 00:00:00", "2024-01-02 00:00:00")}, [1, 2, 3]),
    ],
)
def test_ranges_of_time(dated, into, more, expected):
    batch = dated.source().read(ask("t", "id", "at", by="at", **more), into)
    assert sorted(int(row[0]) for row in rows(batch)) == expected
    assert batch.cursor == (None if "window" in more else "2024-01-03 10:00:00")


def test_ranges_of_numbers_and_texts(dated, into):
    batch = dated.source().read(ask("t", "id", by="id", cursor="4", lag="1"), into)
    assert sorted(row[0] for row in rows(batch)) == ["3", "4", "5"]
    assert batch.cursor == "5"
    found = dated.source().read(ask("t", "n", by="n", cursor="b:x"), into)
    assert {row[0] for row in rows(found)} == {"b:x", "", None}
    found = dated.source().read(ask("t", "n", by="n", window=("%s", "%s")), into)
    assert rows(found) == [("%s",)]
    fails(dated.source(), ask("t", "id", by="id", cursor="x"), into, SourceShapeError, "cursor_unfit")
    fails(dated.source(), ask("t", "at", by="at", cursor="x"), into, SourceShapeError, "cursor_unfit")


def test_what_the_source_says_of_its_rows(dated, into):
    batch = dated.source().read(ask("t", "id", "n", key=("id",), measure="columns"), into)
    assert batch.measures.rows == 5
    assert batch.measures.columns["id"] == {"count": "5", "min": "1", "max": "5", "sum": "15", "distinct": "5"}
    assert batch.measures.columns["n"]["max"] == "b:x"


def test_a_read_that_broke_off_goes_on_where_it_was(base, into, monkeypatch):
    monkeypatch.setattr(streamed, "ROWS_PER_PART", 4)
    base.do("CREATE TABLE t (k VARCHAR(9), n INTEGER, PRIMARY KEY (k, n))")
    for number in range(20):
        base.do("INSERT INTO t VALUES (:k, :n)", values={"k": f"{'aBcD'[number % 4]}{number // 8}", "n": number})
    parts = []

    def progress(done):
        parts.append(done.rows)
        if len(parts) == 2:
            raise SourceUnavailableError(problem="connection_lost", where="t")

    request = ask("t", "k", Column("n"), key=("k", "n"), progress=progress)
    with pytest.raises(SourceUnavailableError):
        base.source().read(request, into)
    before = read_manifest(into)
    assert not before.done
    assert before.rows == 8
    batch = base.source().read(ask("t", "k", Column("n"), key=("k", "n")), into)
    found = rows(batch)
    assert len(found) == len(set(found)) == 20
    assert read_manifest(into).parts[:2] == before.parts


# --- refusals


def test_reading_cannot_write(postgres_url, into):
    base = Base(postgres_url)
    base.do(
        "CREATE TABLE seen (a int)",
        "CREATE FUNCTION note() RETURNS int LANGUAGE sql AS 'INSERT INTO seen VALUES (1) RETURNING 1'",
        "CREATE VIEW t AS SELECT note() AS a",
    )
    fails(base.source(), ask("t", "a"), into, SourceShapeError, "reading_writes")
    assert base.do("SELECT count(*) FROM seen") == [(0,)]


@pytest.mark.parametrize("refuse", ["CREATE TABLE z (a INT)", "DELETE FROM t"])
def test_the_database_itself_refuses_to_write(base, refuse):
    base.do("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)")
    database = Database(*base.given(), "sqlalchemy")

    def write():
        with database.table("t") as table:
            table.connection.execute(sa.text(refuse))
            table.connection.commit()

    with pytest.raises(SourceShapeError) as caught:
        write()
    assert caught.value.problem == "reading_writes"
    assert base.do("SELECT count(*) FROM t") == [(1,)]


def test_refused(mariadb_url, postgres_url, into):
    base = Base(mariadb_url)
    base.do("CREATE TABLE t (a INT)")
    source = base.source(password="env:WRONG")
    assert not fails(source, ask("t", "a"), into, SourceDeniedError, "login_refused").retryable
    fails(base.source(), ask("no-such", "a"), into, SourceObjectMissingError, "no_table")
    base.url = base.url.set(port=free_port())
    assert fails(base.source(), ask("t", "a"), into, SourceUnavailableError, "cannot_connect").retryable
    other = Base(postgres_url)
    other.do("CREATE TABLE t (a INT)", "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    other.url = other.url.set(username="nobody")
    fails(other.source(), ask("t", "a"), into, SourceDeniedError, "login_refused")
    other.url = other.url.set(username="guest")
    fails(other.source(), ask("t", "a"), into, SourceDeniedError, "file_denied")


def test_a_server_that_ends_the_connection(mariadb, mariadb_url, into, monkeypatch):
    monkeypatch.setattr(streamed, "ROWS_PER_PART", 4)
    monkeypatch.setattr("connectors.sqlalchemy_source.ROWS_PER_BATCH", 4)
    base = Base(mariadb_url)
    base.do(
        "CREATE TABLE t (id int primary key, v longtext)",
        "INSERT INTO t SELECT seq, repeat('x', 20000) FROM seq_1_to_200",
    )

    def progress(_):
        for (number,) in mariadb.do(f"SELECT id FROM information_schema.processlist WHERE db = '{base.url.database}'"):
            mariadb.do(f"KILL {number}")

    request = ask("t", "id", "v", key=("id",), progress=progress)
    fails(base.source(), request, into, SourceUnavailableError, "connection_lost")
    assert base.source().read(ask("t", "id", "v", key=("id",)), into).rows == 200


@pytest.mark.parametrize("statement", ["DROP TABLE t", "ALTER TABLE t RENAME COLUMN a TO z"])
def test_a_table_that_is_altered_under_the_read(base, into, monkeypatch, statement):
    base.do("CREATE TABLE t (a INT, b INT)")
    before = streamed.choose

    def choose(*given):
        base.do(statement)
        return before(*given)

    if base.url.drivername == "sqlite":
        pytest.skip("SQLite has the writer wait until the read is over")
    if base.url.drivername.startswith("postgresql"):
        # The look at its columns locks nothing that an ALTER has to wait for.
        monkeypatch.setattr("connectors.sqlalchemy_source.ISOLATION", {})
    monkeypatch.setattr(streamed, "choose", choose)
    with pytest.raises((SourceIncompleteError, SourceObjectMissingError)):
        base.source().read(ask("t", "a"), into)


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("oracle+oracledb://u@h/d", "oracledb"),
        ("mssql+pymssql://u@h/d", "pymssql"),
        ("dm+dmPython://u@h/d", "dmSQLAlchemy dmPython"),
        ("kingbase+ksycopg2://u@h/d", "kingbase8-sqlalchemy ksycopg2"),
    ],
)
def test_a_missing_driver_is_named(url, package, into):
    source = connect("sqlalchemy", {"url": url}, {}.__getitem__)
    error = fails(source, ask("t", "a"), into, ConnectorSettingsError, "extension_missing")
    assert error.params["package"] == package


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "setting_missing"),
        ({"url": "no address"}, "setting_invalid"),
        ({"url": "postgresql+psycopg://u:secret@h/d"}, "secret_inside"),
        ({"url": "postgresql+psycopg://u@h/d", "password": "clear"}, "secret_literal"),
    ],
)
def test_settings(settings, problem):
    with pytest.raises(ConnectorSettingsError) as caught:
        connect("sqlalchemy", settings, {}.__getitem__)
    assert caught.value.problem == problem
    assert "secret" not in str(caught.value).replace("secret_", "").replace("a secret", "") or "u:" not in str(
        caught.value
    )


def test_an_isolation_level_that_does_not_exist(base, into):
    base.do("CREATE TABLE t (a INT)")
    source = base.source(isolation="SIDEWAYS")
    assert fails(source, ask("t", "a"), into, ConnectorSettingsError, "setting_invalid").params["name"] == "isolation"


# --- the contract of every connector


class SqlalchemyKind(SourceKind):
    nulls = True
    text = "TEXT"
    base = None
    altering = None

    def holds(self, text):
        # PostgreSQL has no text with a zero byte.
        return not (self.base.url.drivername.startswith("postgresql") and "\x00" in text)

    def write(self, folder, headings, rows):
        quote = "`" if "mysql" in self.base.url.drivername else '"'
        names = [f"{quote}{heading.rstrip()}{quote}" for heading in headings]
        self.base.do("DROP TABLE IF EXISTS rows_", f"CREATE TABLE rows_ ({', '.join(f'{n} TEXT' for n in names)})")
        values = ", ".join(f":v{number}" for number in range(len(names)))
        for row in rows:
            given = {f"v{number}": value for number, value in enumerate(row)}
            self.base.do(f"INSERT INTO rows_ VALUES ({values})", values=given)
        return Made(self.base.source(), "rows_")

    def cut(self, made, folder):
        self.altering()
        return made

    def remove(self, made, folder):
        if self.base.url.drivername == "sqlite":
            url = self.base.url.set(database=f"file:{self.base.url.database}-gone?mode=ro", query={"uri": "true"})
        elif self.base.url.drivername.startswith("postgresql"):
            url = self.base.url.set(query={"host": "/nowhere"})
        else:
            url = self.base.url.set(port=free_port())
        return Made(Base(url).source(), made.object)


class Suite(ConnectorSuite):
    @pytest.fixture(autouse=True)
    def given(self, request, monkeypatch):
        self.source.base = Base(request.getfixturevalue(self.url))

        def altering():
            # As if the server had delivered one row less than it counted.
            before = streamed.check_rows
            monkeypatch.setattr(streamed, "check_rows", lambda told, found, where: before(told, found - 1, where))

        self.source.altering = altering


class TestOverSqlite(Suite):
    source = SqlalchemyKind()
    url = "sqlite_url"


@pytest.mark.service("mariadb")
class TestOverMariadb(Suite):
    source = SqlalchemyKind()
    url = "mariadb_url"


@pytest.mark.service("postgresql")
class TestOverPostgresql(Suite):
    source = SqlalchemyKind()
    url = "postgres_url"
