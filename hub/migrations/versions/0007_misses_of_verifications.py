"""Claims that did not match, by which processes tell each other when a record's guesses are used up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('verify_misses',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=32), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_verify_misses'))
    )
    with op.batch_alter_table('verify_misses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_verify_misses_at'), ['at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('verify_misses', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_verify_misses_at'))

    op.drop_table('verify_misses')
