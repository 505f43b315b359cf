"""What people follow, and what departments edit of the list before they send it for review."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('people_follows',
    sa.Column('person', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('code', sa.String(length=100), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('person', 'kind', 'code', name=op.f('pk_people_follows'))
    )
    op.create_table('list_parts',
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('base', sa.String(length=80), nullable=False),
    sa.Column('rows', sa.JSON(), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('edited_by', sa.String(length=200), nullable=False),
    sa.Column('edited_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('department', name=op.f('pk_list_parts'))
    )


def downgrade() -> None:
    op.drop_table('list_parts')
    op.drop_table('people_follows')
