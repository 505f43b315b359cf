"""Copies of licences for one purpose, signatures on documents, and one-time codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        'licence_copies',
        sa.Column('id', sa.String(length=20), nullable=False),
        sa.Column('licence', sa.String(length=200), nullable=False),
        sa.Column('kind', sa.String(length=40), nullable=False),
        sa.Column('form', sa.String(length=20), nullable=False),
        sa.Column('template', sa.String(length=80), nullable=False),
        sa.Column('department', sa.String(length=100), nullable=False),
        sa.Column('requester', sa.String(length=200), nullable=False),
        sa.Column('made_by', sa.String(length=200), nullable=False),
        sa.Column('matter', sa.String(length=100), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('made_at', moment, nullable=False),
        sa.Column('valid_until', moment, nullable=False),
        sa.Column('log_index', sa.BigInteger(), nullable=False),
        sa.Column('withdrawn_at', moment, nullable=True),
        sa.Column('withdrawn_by', sa.String(length=200), nullable=False),
        sa.Column('withdrawn_why', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_licence_copies')),
    )
    op.create_index(op.f('ix_licence_copies_licence'), 'licence_copies', ['licence'])
    op.create_index(op.f('ix_licence_copies_department'), 'licence_copies', ['department'])
    op.create_table(
        'document_signatures',
        sa.Column('licence', sa.String(length=200), nullable=False),
        sa.Column('form', sa.String(length=20), nullable=False),
        sa.Column('template', sa.String(length=80), nullable=False),
        sa.Column('copy_id', sa.String(length=20), nullable=False),
        sa.Column('signed_at', moment, nullable=False),
        sa.Column('suite', sa.String(length=40), nullable=False),
        sa.Column('chain', sa.Text(), nullable=False),
        sa.Column('seal', sa.String(length=64), nullable=False),
        sa.Column('value', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('licence', 'form', 'template', 'copy_id', name=op.f('pk_document_signatures')),
    )
    op.create_table(
        'document_parts',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('data', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_document_parts')),
    )
    op.create_table(
        'one_time_codes',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('licence', sa.String(length=200), nullable=False),
        sa.Column('minted_at', moment, nullable=False),
        sa.Column('expires_at', moment, nullable=False),
        sa.Column('spent_at', moment, nullable=True),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_one_time_codes')),
    )
    op.create_index(op.f('ix_one_time_codes_expires_at'), 'one_time_codes', ['expires_at'])


def downgrade() -> None:
    op.drop_table('one_time_codes')
    op.drop_table('document_parts')
    op.drop_table('document_signatures')
    op.drop_table('licence_copies')
