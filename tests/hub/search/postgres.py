"""A PostgreSQL server for the tests of this folder, where one is installed and no other is given."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

NEEDED = "PostgreSQL is not installed (or this is not root, who alone may start it as another user)"


def binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    usable = os.geteuid() == 0 and shutil.which("runuser")
    return found[-1].parent if found and usable else None


@contextmanager
def running():
    """A server on a loopback port in a folder of its own; its URL for SQLAlchemy."""
    folder = Path(tempfile.mkdtemp(prefix="ztpg", dir="/tmp"))
    shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where, options = folder / "data", f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"

    def call(*arguments):
        command = ["runuser", "-u", "postgres", "--", *map(str, arguments)]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    control = binaries() / "pg_ctl"
    try:
        call(binaries() / "initdb", "-D", where, "-E", "UTF8", "--locale=C", "-A", "trust", "-N")
        call(control, "-D", where, "-o", options, "-w", "-l", folder / "log", "start")
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            call(control, "-D", where, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
