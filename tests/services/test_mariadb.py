"""The server of the tests leaves nothing behind, however the tests end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import mariadb as module
from tests.services.mariadb import mariadb, mariadb_url

__all__ = ["mariadb", "mariadb_url"]

REPOSITORY = Path(__file__).parents[2]
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
    tests = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pid, folder = tests.stdout.readline().split()
    server = os.pidfd_open(int(pid))
    try:
        if end is None:
            tests.stdin.close()
        else:
            tests.send_signal(end)
        # The descriptor of a process can be read once the process has ended.
        assert select.select([server], [], [], 30)[0]
        tests.wait(30)
    finally:
        os.close(server)
        tests.stdout.close()
        tests.stdin.close()
    if end != signal.SIGKILL:
        assert not Path(folder).exists()


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
