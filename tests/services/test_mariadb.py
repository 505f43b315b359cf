"""The server of the tests leaves nothing behind, however the tests end."""

from __future__ import annotations

import signal

import pytest

from tests.services import mariadb as module
from tests.services.ending import ends_with_its_tests
from tests.services.mariadb import mariadb, mariadb_url

__all__ = ["mariadb", "mariadb_url"]

HOLD = """
import sys
from tests.services.mariadb import running
with running() as (folder, port):
    print((folder / "pid").read_text().strip(), folder, flush=True)
    sys.stdin.read()
"""

needed = pytest.mark.skipif(module.missing() is not None, reason=module.missing() or "")


@needed
@pytest.mark.service("mariadb")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, None], ids=["killed", "ctrl-c", "ended"])
def test_the_server_ends_with_the_tests(end):
    ends_with_its_tests(HOLD, end)


@pytest.mark.service("mariadb")
def test_each_database_is_empty_and_of_its_own(mariadb_url, mariadb):
    name = mariadb_url.rpartition("/")[2].partition("?")[0]
    assert mariadb.do("SHOW TABLES", name=name) == ()
    mariadb.do("CREATE TABLE t (a int)", name=name)
    other = mariadb.create()
    assert mariadb.do("SHOW TABLES", name=other) == ()
    mariadb.drop(other)


@pytest.mark.service("mariadb")
def test_the_server_listens_on_loopback_and_speaks_all_of_unicode(mariadb):
    assert mariadb.do("SELECT @@bind_address, @@port, @@character_set_server, @@log_bin") == (
        ("127.0.0.1", mariadb.port, "utf8mb4", 0),
    )


def test_where_it_is_required_its_absence_is_a_failure(monkeypatch):
    monkeypatch.setattr(module, "missing", lambda: "gone")
    for value, outcome in (("1", pytest.fail.Exception), ("", pytest.skip.Exception)):
        monkeypatch.setenv(module.REQUIRED, value)
        with pytest.raises(outcome, match="gone"):
            module.require()
