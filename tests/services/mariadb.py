"""A real MariaDB for tests: one server for each test process, a database of its own for each test that asks.

Installing it is `tests/services/install`; which tests run on it, they say by the fixtures they ask for.

Without MariaDB such tests are skipped, and say so; ``ZHENGTONG_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.postgres import REQUIRED

ACCOUNT = "mysql"  # the server warns and refuses to be run by root
USER = "zhengtong"
PASSWORD = "p@ss:/w%rd#1"  # characters that a URL has to escape
START_S = 60
# Nothing of a test's has to survive a power cut. The port is for clients that know no sockets.
OPTIONS = (
    "--no-defaults --datadir={folder}/data --socket={folder}/sock --pid-file={folder}/pid --log-error={folder}/log "
    "--bind-address=127.0.0.1 --port={port} --skip-log-bin --skip-name-resolve --skip-slave-start "
    "--innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --innodb-doublewrite=0 "
    "--innodb-buffer-pool-size=48M --innodb-log-file-size=16M --innodb-buffer-pool-load-at-startup=0 "
    "--innodb-buffer-pool-dump-at-shutdown=0 --innodb-fast-shutdown=2 --key-buffer-size=1M "
    "--aria-pagecache-buffer-size=8M --performance-schema=0 --max-connections=60 --table-open-cache=200 "
    "--max-allowed-packet=64M --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci"
)
# The keeper ends when its standard input does: at the end of the tests, and when they are killed as well. It has a
# session of its own, so that Ctrl-C reaches the tests alone, which then close the pipe.
KEEPER = """
folder=$1 options=$2 grants=$3 install=$4 server=$5
export TMPDIR="$folder"
"$install" --no-defaults --datadir="$folder/data" --auth-root-authentication-method=normal --skip-test-db \
  --skip-name-resolve >"$folder/install.log" 2>&1 || { echo failed; exit 1; }
printf '%s' "$grants" >"$folder/grants.sql"
"$server" $options --init-file="$folder/grants.sql" >/dev/null 2>&1 </dev/null &
pid=$!
tries=0
until [ -e "$folder/sock" ] && [ -e "$folder/pid" ]; do
  tries=$((tries + 1))
  { [ $tries -lt 600 ] && kill -0 $pid 2>/dev/null; } || { echo failed; kill -9 $pid 2>/dev/null; exit 1; }
  sleep 0.1
done
echo ready
read -r _ || :
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
rm -rf "$folder"
"""
GRANTS = (
    f"CREATE USER `{USER}`@`127.0.0.1` IDENTIFIED BY '{PASSWORD}';\n"
    f"CREATE USER `{USER}`@`localhost` IDENTIFIED BY '{PASSWORD}';\n"
    f"GRANT ALL ON *.* TO `{USER}`@`127.0.0.1` WITH GRANT OPTION;\n"
    f"GRANT ALL ON *.* TO `{USER}`@`localhost` WITH GRANT OPTION;\n"
)


def binaries():
    """The program that makes a data folder and the server, or None."""
    install = shutil.which("mariadb-install-db", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
    server = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/libexec:/usr/local/sbin")
    return (install, server) if install and server else None


def missing():
    """Why there can be no server here, or None."""
    if binaries() is None:
        return "MariaDB is not installed; tests/services/install does it"
    if os.geteuid() == 0 and not any(entry.pw_name == ACCOUNT for entry in pwd.getpwall()):
        return f"MariaDB does not run as root, and there is no account `{ACCOUNT}`"
    return None


def free_port():
    """A port of this machine that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def running():
    """A server on a socket and a loopback port; gives its folder and port."""
    folder = Path(tempfile.mkdtemp(prefix="zhengtong-my-"))
    account = {}
    if os.geteuid() == 0:
        account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}
        shutil.chown(folder, ACCOUNT, ACCOUNT)
    folder.chmod(0o755)  # a client that is not the server must reach the socket
    port = free_port()
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, "keeper", folder, OPTIONS.format(folder=folder, port=port), GRANTS, *binaries()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        text=True,
        start_new_session=True,
        **account,
    )
    try:
        if keeper.stdout.readline().strip() != "ready":
            logs = [folder / "log", folder / "install.log"]
            pytest.fail(f"MariaDB did not start: {[log.read_text() for log in logs if log.exists()]}")
        yield folder, port
    finally:
        keeper.stdin.close()
        keeper.wait(START_S)
        keeper.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A running server, on which databases come and go."""

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.socket = str(folder / "sock")

    def connect(self, name=None):
        """A connection of the account that may do anything, in autocommit."""
        import pymysql

        return pymysql.connect(
            unix_socket=self.socket, user=USER, password=PASSWORD, database=name, charset="utf8mb4", autocommit=True
        )

    def url(self, name):
        """The SQLAlchemy URL of a database."""
        import sqlalchemy as sa

        url = sa.URL.create("mysql+pymysql", USER, PASSWORD, "127.0.0.1", self.port, name, {"charset": "utf8mb4"})
        return url.render_as_string(hide_password=False)

    def create(self):
        """A new database; its name."""
        name = f"t_{secrets.token_hex(6)}"
        self.do(f"CREATE DATABASE {name}")
        return name

    def drop(self, name):
        """Delete a database."""
        self.do(f"DROP DATABASE IF EXISTS {name}")

    def do(self, *statements, name=None):
        """Run *statements* one by one; the rows of the last."""
        connection = self.connect(name)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()


def require():
    """End the test that asked for a server where there can be none."""
    why = missing()
    if why is not None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)


@pytest.fixture(scope="session")
def mariadb():
    """The server of this test process."""
    require()
    with running() as (folder, port):
        yield Server(folder, port)


@pytest.fixture
def mariadb_url(mariadb):
    """The URL of an empty database."""
    name = mariadb.create()
    yield mariadb.url(name)
    mariadb.drop(name)
