"""A department's PostgreSQL, from its own side: tables, writers, and what a read of them landed."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psycopg
import psycopg.sql
import pyarrow.parquet as pq
import pytest

from connectors import duck, parts, postgresql
from connectors.parts import read_manifest
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from tests.contracts.connector_suite import Made, SourceKind

if TYPE_CHECKING:
    from pathlib import Path


def no_secrets(reference):
    raise AssertionError(reference)


class Department:
    """One database of a department's."""

    def __init__(self, url):
        found = urlsplit(url)
        self.settings = {
            "host": parse_qs(found.query)["host"][0],
            "database": found.path.strip("/"),
            "user": found.username,
        }

    def open(self, **changes):
        names = {"database": "dbname", **changes}
        return psycopg.connect(**{names.get(key, key): value for key, value in self.settings.items()}, autocommit=True)

    def do(self, *statements):
        """Run each in a transaction of its own; the rows of the last."""
        with closing(self.open()) as connection:
            for statement in statements:
                answer = connection.execute(statement)
            return answer.fetchall() if answer.description else None

    def connector(self, secrets=no_secrets, **settings):
        return connect("postgresql", {**self.settings, **settings}, secrets)

    def numbers(self, count, name="numbers"):
        """A table of numbers with some text, and its rows."""
        self.do(
            f"CREATE TABLE {name} (n int PRIMARY KEY, t text)",
            f"INSERT INTO {name} SELECT n, 'text ' || n FROM generate_series(1, {count}) n",
            f"ANALYZE {name}",
        )
        return [(n, f"text {n}") for n in range(1, count + 1)]

    def cut_off(self):
        """End every session of a reader's, as a restart or an administrator does."""
        self.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zhengtong'")


NUMBERS = (Column("n", type="BIGINT", field_id=1), Column("t", type="VARCHAR", field_id=2))


def request(object_="numbers", columns=NUMBERS, cursor=None, cursor_column="", options=None, **more):
    columns = tuple(Column(c) if isinstance(c, str) else c for c in columns)
    more.setdefault("key", ("n",))
    return ReadRequest("R1", object_, columns, cursor, cursor_column, options or {}, **more)


def rows(batch):
    """What landed, part by part."""
    manifest = read_manifest(batch.path)
    assert manifest.done
    assert {p.name for p in batch.path.iterdir()} == {"manifest.json", *(part.file for part in manifest.parts)}
    found = []
    for part in manifest.parts:
        table = pq.read_table(batch.path / part.file)
        assert table.num_rows == part.rows
        found += zip(*(column.to_pylist() for column in table.columns), strict=True)
    assert batch.rows == manifest.rows == len(found)
    assert batch.sha256 == manifest.sha256
    return found


def same(batch, expected):
    found = Counter(rows(batch))
    expected = Counter(expected)
    return found == expected or pytest.fail(f"missing {expected - found}, too many {found - expected}")


def part_count(batch):
    return len(read_manifest(batch.path).parts)


def few_rows_a_part(monkeypatch, count):
    for module in (parts, duck, postgresql):
        monkeypatch.setattr(module, "ROWS_PER_PART", count)


class PostgresqlKind(SourceKind):
    nulls = True

    def __init__(self, department):
        self.department = department

    def holds(self, text):
        return "\x00" not in text

    def write(self, folder: Path, headings, rows):
        names = [psycopg.sql.Identifier(heading) for heading in headings]
        table = psycopg.sql.SQL("CREATE TABLE rows ({})").format(
            psycopg.sql.SQL(", ").join(psycopg.sql.SQL("{} text").format(name) for name in names)
        )
        with closing(self.department.open()) as connection:
            connection.execute("DROP TABLE IF EXISTS rows")
            connection.execute(table)
            places = ", ".join(["%s"] * len(headings))
            connection.cursor().executemany(f"INSERT INTO rows VALUES ({places})", rows)
        return Made(self.department.connector(), "rows")

    def cut(self, made, folder):
        pytest.skip("a table in a snapshot is never half-written")

    def remove(self, made, folder):
        return Made(self.department.connector(host=str(folder / "no-server")), made.object)
