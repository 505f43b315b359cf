from __future__ import annotations

import pytest
import sqlalchemy as sa

from connectors import exchange, streamed
from connectors.errors import (
    ConnectorSettingsError,
    SourceIncompleteError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.protocol import Acknowledges, Column, ReadRequest
from tests.connectors.test_sqlalchemy import (
    Base,
    SqlalchemyKind,
    base,
    fails,
    mariadb,
    mariadb_url,
    postgres,
    postgres_url,
    rows,
    sqlite_url,
)
from tests.contracts.connector_suite import HEADINGS, ROWS, ConnectorSuite, Made, agrees
from tests.contracts.connector_suite import request as ordinary

__all__ = ["base", "mariadb", "mariadb_url", "postgres", "postgres_url", "sqlite_url"]

FLAGS = {"batch_column": "batch", "flag_column": "flag", "ready": "R", "taken": "T", "taken_at_column": "at"}
CONTROL = {**FLAGS, "control_table": "control", "control_batch_column": "number", "rows_column": "announced"}


class Department:
    """The other side of an exchange table, with its flags in the rows or in a control table."""

    def __init__(self, base, control):
        self.base = base
        self.options = CONTROL if control else FLAGS
        self.control = control
        base.do("CREATE TABLE ex (id INTEGER, v VARCHAR(9), batch VARCHAR(9), flag CHAR(1), at TIMESTAMP NULL)")
        base.do("CREATE TABLE control (number VARCHAR(9), announced INTEGER, flag CHAR(1), at TIMESTAMP NULL)")
        self.source = base.source("exchange")

    def put(self, batch, *ids, flag="R", announced=None, v="x"):
        for id_ in ids:
            self.add(batch, id_, flag, v)
        if self.control:
            announced = len(ids) if announced is None else announced
            given = {"n": batch, "a": announced, "f": flag}
            self.base.do("INSERT INTO control VALUES (:n, :a, :f, NULL)", values=given)

    def add(self, batch, id_, flag="R", v="x"):
        given = {"i": id_, "v": v, "b": batch, "f": flag}
        self.base.do("INSERT INTO ex VALUES (:i, :v, :b, :f, NULL)", values=given)

    def mark(self, batch, flag):
        table, column = ("control", "number") if self.control else ("ex", "batch")
        self.base.do(f"UPDATE {table} SET flag = :f WHERE {column} = :b", values={"f": flag, "b": batch})

    def flags(self):
        table, column = ("control", "number") if self.control else ("ex", "batch")
        return dict(self.base.do(f"SELECT DISTINCT {column}, flag FROM {table}"))

    def ask(self, cursor=None, **more):
        columns = tuple(Column(name) for name in ("id", "v", "batch"))
        return ReadRequest("R1", "ex", columns, cursor, "batch", {**self.options, **more.pop("options", {})}, **more)

    def read(self, into, cursor=None, **more):
        batch = self.source.read(self.ask(cursor, **more), into)
        assert batch.extra == ()
        return sorted(int(row[0]) for row in rows(batch)), batch.cursor

    def tell(self, cursor):
        self.source.acknowledge("ex", self.options, cursor)


@pytest.fixture(params=["flags", "control"])
def department(sqlite_url, request):
    return Department(Base(sqlite_url), request.param == "control")


@pytest.fixture(params=["flags", "control"])
def everywhere(base, request):
    return Department(base, request.param == "control")


def test_a_batch_is_taken_and_its_source_told(everywhere, into):
    assert isinstance(everywhere.source, Acknowledges)
    everywhere.put("b1", 1, 2)
    found, cursor = everywhere.read(into)
    assert found == [1, 2]
    assert everywhere.flags() == {"b1": "R"}
    everywhere.tell(cursor)
    assert everywhere.flags() == {"b1": "T"}
    table = "control" if everywhere.control else "ex"
    assert everywhere.base.do(f"SELECT count(*) FROM {table} WHERE at IS NULL") == [(0,)]
    # Telling twice is telling once.
    everywhere.tell(cursor)
    everywhere.put("b2", 3)
    found, later = everywhere.read(into, cursor)
    assert found == [3]
    assert later > cursor
    everywhere.tell(later)
    assert everywhere.flags() == {"b1": "T", "b2": "T"}
    assert everywhere.read(into, later) == ([], later)


def test_a_crash_before_the_source_was_told(department, into):
    department.put("b1", 1, 2)
    first = department.source.read(department.ask(), into)
    again = department.source.read(department.ask(), into.with_name("again"))
    # Committed or not, nobody knows: the same rows come again, as the same batch.
    assert again.sha256 == first.sha256
    # Committed: the cursor in force knows the batch, and what is new comes without it.
    department.put("b2", 3)
    found, cursor = department.read(into, first.cursor)
    assert found == [3]
    department.tell(cursor)
    assert department.flags() == {"b1": "T", "b2": "T"}


def test_rows_that_come_late_into_a_batch_are_not_told_away(everywhere, into):
    everywhere.put("b1", 1, 2)
    _, cursor = everywhere.read(into)
    everywhere.add("b1", 9)
    if everywhere.control:
        everywhere.base.do("UPDATE control SET announced = 3")
    everywhere.tell(cursor)
    assert everywhere.flags() == {"b1": "R"}
    found, later = everywhere.read(into, cursor)
    assert found == [1, 2, 9]
    everywhere.tell(later)
    assert everywhere.flags() == {"b1": "T"}


@pytest.mark.parametrize("url", ["mariadb_url", "postgres_url"])
def test_a_row_that_comes_while_the_source_is_told_is_not_told_away(request, into, monkeypatch, url):
    department = Department(Base(request.getfixturevalue(url)), control=False)
    department.put("b1", 1, 2)
    _, cursor = department.read(into)
    made = exchange.statement

    def statement(query):
        # After the rows were counted, before the flag is set.
        department.add("b1", 9)
        return made(query)

    monkeypatch.setattr(exchange, "statement", statement)
    department.tell(cursor)
    assert ("R",) in department.base.do("SELECT flag FROM ex WHERE id = 9")
    monkeypatch.undo()
    found, later = department.read(into, cursor)
    assert 9 in found
    department.tell(later)
    assert department.flags() == {"b1": "T"}


def test_a_batch_that_is_being_written_holds_up_those_behind_it(department, into):
    department.put("b1", 1)
    _, cursor = department.read(into)
    department.tell(cursor)
    department.put("b2", 2, flag="W")
    department.put("b3", 3)
    error = fails(department.source, department.ask(cursor), into, SourceIncompleteError, "batch_unfinished")
    assert error.params["batch"] == "b2"
    fails(department.source, department.ask(), into, SourceIncompleteError, "batch_unfinished")
    department.mark("b2", "R")
    assert department.read(into, cursor)[0] == [2, 3]


def test_a_batch_before_one_that_is_being_written_is_taken(department, into):
    department.put("b1", 1)
    cursor = department.read(into)[1]
    department.put("b2", 2)
    department.put("b3", 3, flag="W")
    assert department.read(into, cursor)[0] == [2]


def test_the_rows_that_were_announced_have_to_be_there(sqlite_url, into):
    department = Department(Base(sqlite_url), control=True)
    department.put("b1", 1, 2, announced=3)
    error = fails(department.source, department.ask(), into, SourceIncompleteError, "rows_missing")
    assert (error.params["total"], error.params["found"]) == (3, 2)
    department.add("b1", 3)
    assert department.read(into)[0] == [1, 2, 3]


def test_without_a_cursor_the_whole_comes(department, into):
    department.put("b1", 1)
    department.tell(department.read(into)[1])
    department.put("b2", 2, 3)
    assert department.read(into, options={"whole": "ready"})[0] == [2, 3]
    found, cursor = department.read(into)
    assert found == [1, 2, 3]
    department.tell(cursor)
    assert department.flags() == {"b1": "T", "b2": "T"}


def test_a_range_of_batches_moves_nothing(department, into):
    for number in range(1, 5):
        department.put(f"b{number}", number)
    cursor = department.read(into)[1]
    department.tell(cursor)
    department.put("b5", 5, flag="W")
    assert department.read(into, cursor, window=("b2", "b5")) == ([2, 3, 4], None)


def test_reading_writes_nothing(department, into):
    department.put("b1", 1, 2)

    def content():
        return [department.base.do(f"SELECT * FROM {table} ORDER BY 1") for table in ("ex", "control")]

    before = content()
    department.read(into)
    department.read(into, window=("b1", "b1"))
    department.source.probe("ex", department.options)
    assert content() == before


def test_telling_writes_to_the_flag_alone(department, into):
    department.put("b1", 1, 2)
    department.put("b2", 3)
    department.tell('2024 {"b1":2}')
    assert department.flags() == {"b1": "T", "b2": "R"}
    assert department.base.do("SELECT id, v, batch FROM ex ORDER BY id") == [
        (1, "x", "b1"),
        (2, "x", "b1"),
        (3, "x", "b2"),
    ]
    department.tell(None)
    department.tell('2024 {"gone":7}')
    assert department.flags() == {"b1": "T", "b2": "R"}


def test_a_read_that_broke_off_does_not_go_on_with_other_batches(department, into, monkeypatch):
    monkeypatch.setattr(streamed, "ROWS_PER_PART", 2)
    department.base.do(
        "DROP TABLE ex",
        "CREATE TABLE ex (id INTEGER PRIMARY KEY, v VARCHAR(9), batch VARCHAR(9), flag CHAR(1), at TIMESTAMP NULL)",
    )
    department.put("b1", 11, 12, 13, 14, 15)
    reports = []

    def progress(done):
        reports.append(done.rows)
        if len(reports) == 2:
            raise SourceUnavailableError(problem="connection_lost", where="t")

    with pytest.raises(SourceUnavailableError):
        department.source.read(department.ask(progress=progress), into)
    # A row of this batch lies before the place where the read stopped.
    department.put("b2", 1)
    assert department.read(into)[0] == [1, 11, 12, 13, 14, 15]


@pytest.mark.parametrize("cursor", ["x", "2024 {", '2024 {"b": "x"}', "2024 []"])
def test_a_cursor_that_is_none(department, into, cursor):
    fails(department.source, department.ask(cursor), into, SourceShapeError, "cursor_unfit")


def test_rows_without_a_batch(sqlite_url, into):
    department = Department(Base(sqlite_url), control=False)
    department.put(None, 1)
    fails(department.source, department.ask(), into, SourceShapeError, "batch_missing")


def test_options(department, into):
    for name in ("batch_column", "flag_column"):
        error = fails(
            department.source, department.ask(options={name: ""}), into, ConnectorSettingsError, "setting_missing"
        )
        assert error.params["name"] == name
    wrong = department.ask(options={"flag_column": "nothing"})
    fails(department.source, wrong, into, SourceShapeError, "columns_missing")


def test_numbers_as_batches_and_flags(base, into):
    base.do(
        "CREATE TABLE ex (id INTEGER, batch INTEGER, flag SMALLINT)",
        "INSERT INTO ex VALUES (1, 9, 0), (2, 10, 0), (3, 11, 2)",
    )
    source = base.source("exchange")
    options = {"batch_column": "batch", "flag_column": "flag"}
    columns = (Column("id"), Column("batch"))
    first = source.read(ReadRequest("R1", "ex", columns, "2024 {}", "batch", options), into)
    assert sorted(row[0] for row in rows(first)) == ["1", "2"]
    source.acknowledge("ex", options, first.cursor)
    assert base.do("SELECT id, flag FROM ex ORDER BY id") == [(1, 1), (2, 1), (3, 2)]


# --- the contract of every connector


class ExchangeKind(SqlalchemyKind):
    def write(self, folder, headings, rows):
        numbered = [(*row, "1", "b1") for row in rows]
        made = super().write(folder, (*headings, "flag", "batch"), numbered)
        options = {"batch_column": "batch", "flag_column": "flag", "ready": "1", "taken": "2"}
        return Made(self.base.source("exchange"), made.object, options)

    def remove(self, made, folder):
        gone = sa.make_url(f"sqlite:///file:{self.base.url.database}-gone?mode=ro&uri=true")
        return Made(Base(gone).source("exchange"), made.object, made.options)


class TestExchange(ConnectorSuite):
    source = ExchangeKind()

    @pytest.fixture(autouse=True)
    def given(self, sqlite_url, monkeypatch):
        self.source.base = Base(sqlite_url)

        def altering():
            before = streamed.check_rows
            monkeypatch.setattr(streamed, "check_rows", lambda told, found, where: before(told, found - 1, where))

        self.source.altering = altering

    # Which rows come is said by flags, not by a column's values.

    def test_rows_land_as_they_are_with_their_ordinal(self, made, into):
        batch = made.connector.read(ordinary(made), into)
        assert agrees(batch, ROWS)
        assert batch.cursor.partition(" ")[2] == '{"b1":5}'

    def test_incremental_range_is_closed_and_ties_are_read_again(self, made, into):
        batch = made.connector.read(ordinary(made, cursor="2024 {}", cursor_column="更新"), into)
        assert batch.rows == 5

    def test_nothing_new_keeps_the_cursor(self, made, into):
        batch = made.connector.read(ordinary(made, cursor='2024 {"b1":5}', cursor_column="更新"), into)
        assert (batch.rows, batch.cursor) == (0, '2024 {"b1":5}')

    def test_rows_without_a_cursor_value_are_never_dropped(self, made, into):
        batch = made.connector.read(ordinary(made, *HEADINGS, cursor="2024 {}"), into)
        assert batch.rows == 5

    def test_a_cursor_column_that_is_not_asked_for_is_our_own_fault(self, made, into):
        batch = made.connector.read(ordinary(made, "编号", cursor_column="更新"), into)
        assert batch.rows == 5
