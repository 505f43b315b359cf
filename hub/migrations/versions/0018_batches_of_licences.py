"""Batches of licences that officers run; licences are found by the case or run that decided them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('licence_runs',
    sa.Column('id', sa.String(length=20), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('behind', sa.String(length=20), nullable=False),
    sa.Column('first', sa.String(length=200), nullable=False),
    sa.Column('second', sa.String(length=200), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('ground', sa.Text(), nullable=False),
    sa.Column('planned', sa.JSON(), nullable=False),
    sa.Column('compared', sa.JSON(), nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.Column('done', sa.BigInteger(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('heard_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('claimed_by', sa.String(length=60), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.BigInteger(), nullable=False),
    sa.Column('error', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_licence_runs'))
    )
    with op.batch_alter_table('licence_runs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_licence_runs_department'), ['department'], unique=False)
        batch_op.create_index(batch_op.f('ix_licence_runs_kind'), ['kind'], unique=False)
        batch_op.create_index(batch_op.f('ix_licence_runs_state'), ['state'], unique=False)

    op.create_table('licence_run_lines',
    sa.Column('run', sa.String(length=20), nullable=False),
    sa.Column('part', sa.String(length=10), nullable=False),
    sa.Column('outcome', sa.String(length=60), nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('row', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(length=32), nullable=False),
    sa.Column('holder', sa.String(length=200), nullable=False),
    sa.Column('licence', sa.String(length=200), nullable=False),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('run', 'part', 'outcome', 'number', name=op.f('pk_licence_run_lines'))
    )
    with op.batch_alter_table('licences', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_licences_dossier'), ['dossier'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('licences', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_licences_dossier'))
    op.drop_table('licence_run_lines')
    op.drop_table('licence_runs')
