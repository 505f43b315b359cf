from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from connectors.errors import ConnectorSettingsError, SourceShapeError
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from tests.contracts.connector_suite import landed


@pytest.fixture
def database(folder):
    path = folder / "source.sqlite"

    def do(*statements):
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return path

    do(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME, day, n NUMERIC, v TEXT)",
        "INSERT INTO t VALUES (1, '2024-01-01 00:00:00', '2024-01-01', 9, 'a'), "
        "(2, '2024-01-02 00:00:00', '2024-01-02', 10, 'b'), (3, '2024-01-02 00:00:00', '2024-01-02', 10.5, 'c'), "
        "(4, '2024-01-03 10:00:00', '2024-01-03', 1e300, 'd'), (5, NULL, NULL, NULL, 'e'), (6, '', '', '', 'f')",
    )
    return do


def read(database, into, *columns, by="", cursor=None, window=None, key=(), **options):
    source = connect("sqlite", {"path": str(database())}, {}.__getitem__)
    wanted = tuple(Column(c) if isinstance(c, str) else c for c in columns)
    return source.read(ReadRequest("R1", "t", wanted, cursor, by, options, key, window), into)


def ids(batch):
    return sorted(row[1] for row in landed(batch))


@pytest.mark.parametrize(
    ("by", "more", "expected"),
    [
        ("at", {}, "123456"),
        ("at", {"cursor": "2024-01-02 00:00:00"}, "23456"),
        ("at", {"cursor": "2024-01-02 00:00:00", "range": "open"}, "456"),
        ("at", {"cursor": "2024-01-03 10:00:00", "lag": "35h"}, "23456"),
        ("at", {"window": ("2024-01-01 00:00:00", "2024-01-02 00:00:00")}, "123"),
        ("at", {"window": ("", "2024-01-01 00:00:00")}, "1"),
        ("at", {"window": ("", "")}, "1234"),
        ("day", {"cursor": "2024-01-03", "lag": "1d"}, "23456"),
        ("n", {"cursor": "10"}, "23456"),
        ("n", {"cursor": "10", "lag": "1"}, "123456"),
        ("n", {"cursor": "1e+300", "range": "open"}, "56"),
        ("n", {"window": ("10", "11")}, "23"),
        ("v", {"cursor": "e"}, "56"),
        ("v", {"window": ("b", "c")}, "23"),
    ],
)
def test_ranges(database, into, by, more, expected):
    batch = read(database, into, "id", by, by=by, **more)
    assert ids(batch) == list(expected)
    greatest = {"at": "2024-01-03 10:00:00", "day": "2024-01-03", "n": "1e+300", "v": "f"}
    assert batch.cursor == (None if "window" in more else greatest[by])


def test_the_clock_bounds_what_is_read(database, into):
    database(
        "INSERT INTO t (id, at) VALUES (7, datetime('now', '+8 hours', '+1 day'))",
        "INSERT INTO t (id, at) VALUES (8, datetime('now', '+8 hours', '-10 minutes'))",
    )
    # 15 hours: Shanghai's time, not the machine's.
    assert ids(read(database, into, "id", "at", by="at", cursor="2024-01-03 10:00:00", until="clock")) == list("4568")
    late = read(database, into, "id", "at", by="at", cursor="2024-01-03 10:00:00", until="clock", delay="1h")
    assert ids(late) == list("456")
    assert late.cursor == "2024-01-03 10:00:00"


def test_what_the_batch_tells(database, into):
    wanted = ("id", "at", "n", Column("gone", required=False))
    batch = read(database, into, *wanted, key=("id",), measure="columns")
    assert batch.types == {"id": "integer", "at": "datetime", "n": "numeric"}
    assert batch.absent == ("gone",)
    assert batch.extra == ("day", "v")
    assert batch.measures.rows == batch.rows == 6
    assert batch.measures.columns["id"] == {"count": "6", "distinct": "6"}
    assert batch.measures.columns["at"] == {"count": "5"}


def test_nothing_is_counted_where_that_is_not_wanted(database, into):
    batch = read(database, into, "id", "at", by="at", measure="none")
    assert batch.measures is None
    assert batch.cursor == "2024-01-03 10:00:00"


@pytest.mark.parametrize(("by", "lag"), [("v", "2h"), ("n", "2h"), ("at", "100"), ("at", "soon")])
def test_a_lag_that_does_not_fit(database, into, by, lag):
    with pytest.raises(ConnectorSettingsError) as caught:
        read(database, into, "id", by, by=by, cursor="10" if by == "n" else "2024-01-01", lag=lag)
    assert caught.value.params["name"] == "lag"


def test_a_masked_column_lands_masked_and_is_compared_as_it_is(database, into):
    batch = read(database, into, "id", Column("at", mask="year"), by="at", cursor="2024-01-03 10:00:00")
    assert ids(batch) == list("456")
    assert "2024-01-03" not in str(landed(batch))


def test_an_empty_table(database, into):
    database("DELETE FROM t")
    assert read(database, into, "id", "at", by="at").cursor is None
    assert read(database, into, "id", "at", by="at", cursor="2024-01-01", lag="1d").cursor == "2024-01-01"


def test_every_storage_class(database, into):
    database(
        "DELETE FROM t",
        "INSERT INTO t (id, v, day, n) VALUES (-9223372036854775808, x'00ff', 1.0, 9223372036854775808)",
        "INSERT INTO t (id, v, day, n) VALUES (9223372036854775807, '0.10', 0.1, '-0')",
        "INSERT INTO t (id, v, day, n) VALUES (0, '😀𬱖龘', 9e999, -9e999)",
    )
    batch = read(database, into, "id", "v", "day", "n")
    assert [row[1:] for row in landed(batch)] == [
        ("-9223372036854775808", "\\x00ff", "1.0", "9.223372036854776e+18"),
        ("0", "😀𬱖龘", "inf", "-inf"),
        ("9223372036854775807", "0.10", "0.1", "0"),
    ]


def test_a_cursor_over_numbers_and_texts_has_no_order(database, into):
    database("UPDATE t SET n = 'ten' WHERE id = 2")
    with pytest.raises(SourceShapeError) as caught:
        read(database, into, "id", "n", by="n")
    assert caught.value.problem == "cursor_mixed"
