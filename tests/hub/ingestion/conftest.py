from __future__ import annotations

from contextlib import closing

import pytest

from tests.connectors.postgres import Department
from tests.hub.databases import migrate
from tests.services.mariadb import mariadb, mariadb_url
from tests.services.minio import minio
from tests.services.postgres import postgres, postgres_url

__all__ = ["mariadb", "mariadb_url", "minio", "postgres", "postgres_url"]


class Office(Department):
    """A department's database with a table of people."""

    def __init__(self, url):
        super().__init__(url)
        self.url = url
        self.do("CREATE TABLE people (no text PRIMARY KEY, name text, amount int, updated_at timestamp)")

    def people(self, *rows):
        """Insert or change: (no, name, amount, day of January)."""
        with closing(self.open()) as connection:
            connection.cursor().executemany(
                "INSERT INTO people VALUES (%s, %s, %s, %s) ON CONFLICT (no) DO UPDATE "
                "SET name = excluded.name, amount = excluded.amount, updated_at = excluded.updated_at",
                [(no, name, amount, f"2026-01-{day:02}") for no, name, amount, day in rows],
            )


@pytest.fixture
def department(postgres_url):
    return Office(postgres_url)


@pytest.fixture
def own_database(postgres):
    """The URLs of two databases of the deployment's: for the catalogue, for the control tables."""
    names = [postgres.create(), postgres.create(postgres.prepared("head", migrate))]
    yield [postgres.url(name) for name in names]
    for name in names:
        postgres.drop(name)
