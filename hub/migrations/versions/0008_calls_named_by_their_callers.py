"""Calls that their callers gave a name to, so that a repetition is not another call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('named_calls',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('request', sa.String(length=64), nullable=False),
    sa.Column('begun', sa.DateTime(timezone=True), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_named_calls'))
    )
    with op.batch_alter_table('named_calls', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_named_calls_begun'), ['begun'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('named_calls', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_named_calls_begun'))

    op.drop_table('named_calls')
