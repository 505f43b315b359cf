"""Web hooks of departments that follow resources, and the calls that were made to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('hooks',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('resource', sa.String(length=100), nullable=False),
    sa.Column('grant', sa.String(length=40), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('call', sa.JSON(), nullable=False),
    sa.Column('cursor', sa.Text(), nullable=False),
    sa.Column('challenge', sa.String(length=80), nullable=False),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed_by', sa.String(length=200), nullable=False),
    sa.Column('why', sa.String(length=60), nullable=False),
    sa.Column('looking_until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hooks'))
    )
    with op.batch_alter_table('hooks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_hooks_department'), ['department'], unique=False)
        batch_op.create_index(batch_op.f('ix_hooks_state_looking_until'), ['state', 'looking_until'], unique=False)

    op.create_table('hook_deliveries',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('hook', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('cursor', sa.Text(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_try', sa.DateTime(timezone=True), nullable=False),
    sa.Column('claim', sa.String(length=40), nullable=False),
    sa.Column('claimed_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=40), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hook_deliveries'))
    )
    with op.batch_alter_table('hook_deliveries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_hook_deliveries_hook_at'), ['hook', 'at'], unique=False)
        batch_op.create_index(batch_op.f('ix_hook_deliveries_state_next_try'), ['state', 'next_try'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('hook_deliveries', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_hook_deliveries_state_next_try'))
        batch_op.drop_index(batch_op.f('ix_hook_deliveries_hook_at'))

    op.drop_table('hook_deliveries')
    with op.batch_alter_table('hooks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_hooks_state_looking_until'))
        batch_op.drop_index(batch_op.f('ix_hooks_department'))

    op.drop_table('hooks')
