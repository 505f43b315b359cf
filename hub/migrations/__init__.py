"""Creates the control tables and brings older ones up to date; run at every start, from Python alone.

Leaves the wanted shape to `hub.control.models`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


def configuration() -> Config:
    """Alembic's configuration without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database behind *engine* to *revision*. Several processes may do so at once: they queue.

    A crash leaves the last revision that was finished: each is one transaction.
    """
    config = configuration()
    with engine.execution_options(zhengtong_write=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            # Two processes that create tables at once would trip over each other; SQLite's write lock already queues.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7316005)")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
