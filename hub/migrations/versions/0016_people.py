"""People who use the portal, their sessions, what they hand to each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('people',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('login', sa.String(length=120), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('post', sa.String(length=80), nullable=False),
    sa.Column('duties', sa.JSON(), nullable=False),
    sa.Column('password', sa.String(length=200), nullable=False),
    sa.Column('must_change', sa.Boolean(), nullable=False),
    sa.Column('code_secret', sa.String(length=200), nullable=False),
    sa.Column('code_step', sa.BigInteger(), nullable=False),
    sa.Column('failures', sa.BigInteger(), nullable=False),
    sa.Column('waits_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('wishes', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_people')),
    sa.UniqueConstraint('login', name=op.f('uq_people_login'))
    )
    with op.batch_alter_table('people', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_people_department'), ['department'], unique=False)
        batch_op.create_index(batch_op.f('ix_people_department_post'), ['department', 'post'], unique=False)

    op.create_table('people_sessions',
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('person', sa.String(length=40), nullable=False),
    sa.Column('token', sa.String(length=60), nullable=False),
    sa.Column('proved', sa.Boolean(), nullable=False),
    sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_people_sessions'))
    )
    with op.batch_alter_table('people_sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_people_sessions_person'), ['person'], unique=False)

    op.create_table('people_delegations',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('giver', sa.String(length=40), nullable=False),
    sa.Column('taker', sa.String(length=40), nullable=False),
    sa.Column('duties', sa.JSON(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('starts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends', sa.DateTime(timezone=True), nullable=False),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_people_delegations'))
    )
    with op.batch_alter_table('people_delegations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_people_delegations_giver'), ['giver'], unique=False)
        batch_op.create_index(batch_op.f('ix_people_delegations_taker'), ['taker'], unique=False)


def downgrade() -> None:
    op.drop_table('people_delegations')
    op.drop_table('people_sessions')
    op.drop_table('people')
