"""The server of the tests leaves nothing behind, however the tests end."""

from __future__ import annotations

import signal

import pytest

from tests.services import postgres as module
from tests.services.ending import ends_with_its_tests
from tests.services.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]

HOLD = """
import sys
from tests.services.postgres import running
with running() as folder:
    print((folder / "data" / "postmaster.pid").read_text().split()[0], folder, flush=True)
    sys.stdin.read()
"""

needed = pytest.mark.skipif(module.missing() is not None, reason=module.missing() or "")


@needed
@pytest.mark.service("postgresql")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, None], ids=["killed", "ctrl-c", "ended"])
def test_the_server_ends_with_the_tests(end):
    ends_with_its_tests(HOLD, end)


@pytest.mark.service("postgresql")
def test_each_database_is_empty_and_of_its_own(postgres_url, postgres):
    import psycopg

    def query(url, statement):
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else None

    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert query(postgres_url, tables) == [(0,)]
    query(postgres_url, "CREATE TABLE t (a int)")
    other = postgres.create()
    assert query(postgres.url(other), tables) == [(0,)]
    postgres.drop(other)


def test_where_it_is_required_its_absence_is_a_failure(monkeypatch):
    monkeypatch.setattr(module, "missing", lambda: "gone")
    for value, outcome in (("1", pytest.fail.Exception), ("", pytest.skip.Exception)):
        monkeypatch.setenv(module.REQUIRED, value)
        with pytest.raises(outcome, match="gone"):
            module.require()
