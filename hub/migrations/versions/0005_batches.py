"""Batch orders and the files they became."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('batches',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('resource', sa.String(length=100), nullable=False),
    sa.Column('grant', sa.Text(), nullable=False),
    sa.Column('snapshot', sa.BigInteger(), nullable=False),
    sa.Column('list_version', sa.String(length=80), nullable=False),
    sa.Column('form', sa.String(length=20), nullable=False),
    sa.Column('plan', sa.JSON(), nullable=False),
    sa.Column('ordered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.Column('rows_total', sa.BigInteger(), nullable=False),
    sa.Column('rows_done', sa.BigInteger(), nullable=False),
    sa.Column('claimed_by', sa.String(length=80), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires', sa.DateTime(timezone=True), nullable=True),
    sa.Column('manifest_digest', sa.String(length=80), nullable=False),
    sa.Column('ready_log_index', sa.BigInteger(), nullable=True),
    sa.Column('error_code', sa.String(length=100), nullable=False),
    sa.Column('error', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_batches'))
    )
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_batches_department_ordered_at'), ['department', 'ordered_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_batches_state_lease_until'), ['state', 'lease_until'], unique=False)

    op.create_table('batch_parts',
    sa.Column('batch_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('rows', sa.BigInteger(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('fetched_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('fetched_log_index', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('batch_id', 'number', name=op.f('pk_batch_parts'))
    )


def downgrade() -> None:
    op.drop_table('batch_parts')
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_batches_state_lease_until'))
        batch_op.drop_index(batch_op.f('ix_batches_department_ordered_at'))

    op.drop_table('batches')
