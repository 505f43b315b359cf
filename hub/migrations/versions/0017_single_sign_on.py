"""Single sign-on: whom a provider means, browsers on their way to it, and what it vouched for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('people_sessions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('provided', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('vouched', sa.Boolean(), nullable=False, server_default=sa.false()))

    op.create_table('people_subjects',
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('issuer', sa.String(length=500), nullable=False),
    sa.Column('person', sa.String(length=40), nullable=False),
    sa.Column('bound_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_people_subjects')),
    sa.UniqueConstraint('person', name=op.f('uq_people_subjects_person'))
    )

    op.create_table('people_sign_ons',
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('browser', sa.String(length=80), nullable=False),
    sa.Column('next', sa.Text(), nullable=False),
    sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_people_sign_ons'))
    )
    with op.batch_alter_table('people_sign_ons', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_people_sign_ons_begun_at'), ['begun_at'], unique=False)


def downgrade() -> None:
    op.drop_table('people_sign_ons')
    op.drop_table('people_subjects')
    with op.batch_alter_table('people_sessions', schema=None) as batch_op:
        batch_op.drop_column('vouched')
        batch_op.drop_column('provided')
