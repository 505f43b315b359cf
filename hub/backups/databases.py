"""Copies the control database as it is at one instant, by the database's own means, while others write.

Putting a dump back into PostgreSQL is its own tool's work, and the operator's: `restore_command` says how.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import make_url

from hub.backups.copying import Copied, digest_of
from hub.backups.errors import DumpFailedError

if TYPE_CHECKING:
    from pathlib import Path

SQLITE, POSTGRESQL = "sqlite", "postgresql"
FILES: Final = {SQLITE: "control.sqlite", POSTGRESQL: "control.pgdump"}
_TOOL: Final = "pg_dump"


def kind_of(url: str) -> str:
    """Which of the two databases *url* names."""
    return SQLITE if make_url(url).get_backend_name() == SQLITE else POSTGRESQL


def copy_control(url: str, folder: Path) -> Copied:
    """Copy the control database at *url* into *folder*; durable on return, but for its name.

    Raises:
        DumpFailedError: PostgreSQL's tool is not there, or failed.
        sqlite3.Error, OSError: it cannot be read, or the copy not be written.
    """
    kind = kind_of(url)
    target = folder / FILES[kind]
    if kind == SQLITE:
        _copy_sqlite(make_url(url).database or "", target)
    else:
        _dump(url, target)
    target.chmod(0o600)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    size, digest = digest_of(target)
    return Copied(target.name, size, digest)


def restore_command(name: str = FILES[POSTGRESQL]) -> str:
    """How a dump is put back, into an empty database."""
    return f"pg_restore --no-owner --exit-on-error --dbname=DATABASE {name}"


def check_sqlite(path: Path) -> bool:
    """Whether the pages of a copied database fit together.

    Raises:
        sqlite3.Error: it is no database at all.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")


def _copy_sqlite(source: str, target: Path) -> None:
    with closing(sqlite3.connect(source)) as connection, closing(sqlite3.connect(target)) as copy:
        # All pages at once, of one reading transaction: in WAL mode that holds no writer up, and none can make the
        # copy begin anew. Memory is that of the page cache.
        connection.backup(copy)
        # One file by itself; whoever opens it as a control database enters WAL again.
        copy.execute("PRAGMA journal_mode = DELETE")


def _dump(url: str, target: Path) -> None:
    tool = shutil.which(_TOOL)
    if tool is None:
        raise DumpFailedError(tool=_TOOL, why="not installed / 未安装")
    place = make_url(url)
    given = {
        "PGHOST": place.host or place.query.get("host"),
        "PGPORT": str(place.port) if place.port else place.query.get("port"),
        "PGUSER": place.username,
        "PGPASSWORD": place.password,
        "PGDATABASE": place.database,
        "PGSSLMODE": place.query.get("sslmode"),
    }
    # By the environment: whoever lists processes reads their arguments.
    environment = {**os.environ, **{name: str(value) for name, value in given.items() if value}}
    command = [tool, "--format=custom", "--no-password", f"--file={target}"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 - no words of others
    if done.returncode:
        raise DumpFailedError(tool=_TOOL, why=f"{done.returncode}")
