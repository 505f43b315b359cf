"""Puts a list in force without its review, for tests that are about something else; the product has no such door."""

from __future__ import annotations

import sqlalchemy as sa

from hub.control import ListVersion
from hub.published import Published, current_held, facts_of, put_in_force, store


def publish_list(settings, control, evidence, list_, *, by):
    """Make *list_* the current version; the one in force is not published again."""
    store(settings, list_)
    with control.writing() as connection:
        predecessor = current_held(connection)
        if predecessor == list_.version:
            query = sa.select(ListVersion.log_index).where(ListVersion.version == list_.version)
            return Published(list_.version, int(connection.execute(query).scalar_one()), already=True)
        recorded = evidence.append("list.published", actor=by, facts=facts_of(list_, predecessor))
        put_in_force(connection, list_, at=recorded.entry.at, by=by, log_index=recorded.index)
    return Published(list_.version, recorded.index, already=False)
