"""Alembic's environment: runs the revisions on the connection that `hub.migrations.upgrade` hands over.

With ``--sql`` (offline) it prints the statements instead, for an operator who may not let programs alter tables.
"""

from __future__ import annotations

from alembic import context

from hub.control.models import Base

connection = context.config.attributes.get("connection")
if connection is None:
    context.configure(
        url=context.config.get_main_option("sqlalchemy.url"),
        target_metadata=Base.metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
else:
    # Batch mode: SQLite alters a table by copying it.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
