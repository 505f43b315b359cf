"""The same tests on both databases: a suite imports `database` into its conftest and runs on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from hub.control import Base
from hub.control.database import open_engine
from hub.migrations import upgrade

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@pytest.fixture(params=[SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.service(POSTGRESQL))])
def database(request):
    """Which database the control tables of `settings` and `world` are kept in."""
    return request.param


def migrate(url):
    """Bring the database at *url* to head."""
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


def move(source_url, target_url):
    """Copy the control rows of one database into the tables, at head and as good as empty, of another."""
    source, target = open_engine(source_url), open_engine(target_url)
    with source.connect() as reading, target.begin() as writing:
        for table in Base.metadata.sorted_tables:
            writing.execute(sa.delete(table))
            rows = [dict(row._mapping) for row in reading.execute(sa.select(table))]
            if rows:
                writing.execute(sa.insert(table), rows)
            # Numbers that were given by hand are not those that the sequence thinks are taken.
            if table.autoincrement_column is not None:
                name = f"pg_get_serial_sequence('{table.name}', 'id')"
                writing.exec_driver_sql(f'SELECT setval({name}, (SELECT coalesce(max(id), 0) + 1 FROM "{table.name}"))')
    source.dispose()
    target.dispose()


def placed(world, control_url):
    """*world* with its control tables in the database at *control_url*, if any."""
    if control_url is None:
        return world
    move(world.settings.control_url, control_url)
    return replace(world, settings=replace(world.settings, control_url=control_url))
