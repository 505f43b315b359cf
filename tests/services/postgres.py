"""A real PostgreSQL for tests: one server for each test process, a database of its own for each test that asks.

Installing it is `tests/services/install`; which suites run on it, their folders' conftest says.

Without PostgreSQL such tests are skipped, and say so; ``ZHENGTONG_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = "ZHENGTONG_REQUIRE_SERVICES"
ACCOUNT = "postgres"  # the server refuses to be run by root
USER = "zhengtong"
START_S = 60
# Nothing of a test's has to survive a power cut. Every test opens a few pools, hence the connections. The log holds
# what replication slots need, for those who read changes.
OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB "
    "-c listen_addresses='' -c unix_socket_directories={folder} -c autovacuum=off "
    "-c wal_level=logical -c max_replication_slots=20 -c max_wal_senders=20"
)
# The keeper ends when its standard input does: at the end of the tests, and when they are killed as well. It has a
# session of its own, so that Ctrl-C reaches the tests alone, which then close the pipe.
KEEPER = """
bin=$1 folder=$2 options=$3
data=$folder/data log=$folder/log
"$bin/initdb" -D "$data" -U zhengtong -A trust --no-sync -E UTF8 --locale=C >"$log" 2>&1 &&
"$bin/pg_ctl" -D "$data" -s -w -t 60 -l "$log" -o "$options" start >/dev/null 2>&1 || { echo failed; exit 1; }
echo ready
read -r _ || :
"$bin/pg_ctl" -D "$data" -s -m immediate -w stop >/dev/null 2>&1
rm -rf "$folder"
"""


def binaries():
    """The folder of the newest server programs, or None."""

    def version(path):
        name = path.parent.name
        return int(name) if name.isdigit() else 0

    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((found for found in folders if (found / "initdb").exists() and (found / "postgres").exists()), None)


def missing():
    """Why there can be no server here, or None."""
    if binaries() is None:
        return "PostgreSQL is not installed; tests/services/install does it"
    if os.geteuid() == 0 and not any(entry.pw_name == ACCOUNT for entry in pwd.getpwall()):
        return f"PostgreSQL does not run as root, and there is no account `{ACCOUNT}`"
    return None


@contextmanager
def running():
    """A server on a Unix socket; gives the folder of the socket."""
    folder = Path(tempfile.mkdtemp(prefix="zhengtong-pg-"))
    account = {}
    if os.geteuid() == 0:
        account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}
        shutil.chown(folder, ACCOUNT, ACCOUNT)
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, "keeper", binaries(), folder, OPTIONS.format(folder=folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        text=True,
        start_new_session=True,
        **account,
    )
    try:
        if keeper.stdout.readline().strip() != "ready":
            log = folder / "log"
            pytest.fail(f"PostgreSQL did not start: {log.read_text() if log.exists() else '?'}")
        yield folder
    finally:
        keeper.stdin.close()
        keeper.wait(START_S)
        keeper.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A running server, on which databases come and go."""

    def __init__(self, folder):
        self.folder = folder
        self._templates = {}

    def url(self, name):
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"

    def create(self, template="template1"):
        """A new database, a copy of *template*; its name."""
        name = f"t_{secrets.token_hex(6)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name):
        """Delete a database, whoever is connected still."""
        self._do(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def prepared(self, what, fill):
        """The name of a database that *fill*, given its URL, has filled once, to be copied from then on."""
        if what not in self._templates:
            name = self.create()
            fill(self.url(name))
            self._templates[what] = name
        return self._templates[what]

    def _do(self, statement):
        import psycopg

        with psycopg.connect(host=str(self.folder), user=USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)


def require():
    """End the test that asked for a server where there can be none."""
    why = missing()
    if why is not None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)


@pytest.fixture(scope="session")
def postgres():
    """The server of this test process."""
    require()
    with running() as folder:
        yield Server(folder)


@pytest.fixture
def postgres_url(postgres):
    """The URL of an empty database."""
    name = postgres.create()
    yield postgres.url(name)
    postgres.drop(name)
