"""Certificates, keys that changed, revocations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('certificates',
    sa.Column('key_id', sa.String(length=64), nullable=False),
    sa.Column('serial', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('suite', sa.String(length=40), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('keeper', sa.Text(), nullable=False),
    sa.Column('issuer', sa.String(length=64), nullable=False),
    sa.Column('der', sa.LargeBinary(), nullable=False),
    sa.Column('starts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends', sa.DateTime(timezone=True), nullable=False),
    sa.Column('signs_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('invalid_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_for', sa.String(length=40), nullable=False),
    sa.Column('ground', sa.Text(), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('key_id', name=op.f('pk_certificates')),
    sa.UniqueConstraint('name', 'suite', 'number', name=op.f('uq_certificates_name_suite_number'))
    )
    with op.batch_alter_table('certificates', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_certificates_serial'), ['serial'], unique=False)
    op.create_table('revocation_lists',
    sa.Column('authority', sa.String(length=64), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('this_update', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_update', sa.DateTime(timezone=True), nullable=False),
    sa.Column('der', sa.LargeBinary(), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('authority', name=op.f('pk_revocation_lists'))
    )


def downgrade() -> None:
    op.drop_table('revocation_lists')
    with op.batch_alter_table('certificates', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_certificates_serial'))

    op.drop_table('certificates')
