"""Seals, those who keep them, and their use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('seal_approvals',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('person', sa.String(length=200), nullable=False),
    sa.Column('seal', sa.String(length=80), nullable=False),
    sa.Column('form', sa.String(length=20), nullable=False),
    sa.Column('document_digest', sa.String(length=80), nullable=False),
    sa.Column('purpose', sa.String(length=200), nullable=False),
    sa.Column('asked_by', sa.String(length=200), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('failures', sa.BigInteger(), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seal_approvals'))
    )
    with op.batch_alter_table('seal_approvals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_seal_approvals_person_state'), ['person', 'state'], unique=False)

    op.create_table('seal_registers',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('dirty', sa.Boolean(), nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('log_index', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_seal_registers'))
    )
    op.create_table('seal_signers',
    sa.Column('person', sa.String(length=200), nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('certificates', sa.JSON(), nullable=False),
    sa.Column('serial', sa.String(length=80), nullable=False),
    sa.Column('salt', sa.LargeBinary(), nullable=False),
    sa.Column('key', sa.LargeBinary(), nullable=False),
    sa.Column('otp', sa.LargeBinary(), nullable=False),
    sa.Column('otp_step', sa.BigInteger(), nullable=False),
    sa.Column('failures', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('person', 'number', name=op.f('pk_seal_signers'))
    )
    op.create_table('seal_uses',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('seal', sa.String(length=80), nullable=False),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('purpose', sa.String(length=200), nullable=False),
    sa.Column('form', sa.String(length=20), nullable=False),
    sa.Column('automatic', sa.Boolean(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('document_digest', sa.String(length=80), nullable=False),
    sa.Column('approval', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('signature_digest', sa.String(length=80), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seal_uses'))
    )
    with op.batch_alter_table('seal_uses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_seal_uses_seal_at'), ['seal', 'at'], unique=False)

    op.create_table('seals',
    sa.Column('code', sa.String(length=80), nullable=False),
    sa.Column('family', sa.String(length=60), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('sort', sa.String(length=20), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('custodian', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=30), nullable=False),
    sa.Column('structure', sa.BigInteger(), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('picture', sa.LargeBinary(), nullable=False),
    sa.Column('picture_digest', sa.String(length=80), nullable=False),
    sa.Column('width_mm', sa.BigInteger(), nullable=False),
    sa.Column('height_mm', sa.BigInteger(), nullable=False),
    sa.Column('made', sa.LargeBinary(), nullable=True),
    sa.Column('seal_digest', sa.String(length=80), nullable=False),
    sa.Column('auto', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.Column('history', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_seals')),
    sa.UniqueConstraint('family', 'version', name=op.f('uq_seals_family_version'))
    )
    with op.batch_alter_table('seals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_seals_department'), ['department'], unique=False)
        batch_op.create_index(batch_op.f('ix_seals_seal_digest'), ['seal_digest'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('seals', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_seals_seal_digest'))
        batch_op.drop_index(batch_op.f('ix_seals_department'))

    op.drop_table('seals')
    with op.batch_alter_table('seal_uses', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_seal_uses_seal_at'))

    op.drop_table('seal_uses')
    op.drop_table('seal_signers')
    op.drop_table('seal_registers')
    with op.batch_alter_table('seal_approvals', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_seal_approvals_person_state'))

    op.drop_table('seal_approvals')
