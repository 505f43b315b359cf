"""E-materials and their uses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('materials',
    sa.Column('identifier', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('media_type', sa.String(length=130), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('holder_hash', sa.String(length=80), nullable=False),
    sa.Column('origin', sa.String(length=20), nullable=False),
    sa.Column('unit', sa.String(length=100), nullable=False),
    sa.Column('matter', sa.String(length=200), nullable=False),
    sa.Column('case_number', sa.String(length=200), nullable=False),
    sa.Column('taken_by', sa.String(length=200), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('original_seen', sa.Boolean(), nullable=False),
    sa.Column('reuse_units', sa.JSON(), nullable=False),
    sa.Column('reuse_matters', sa.JSON(), nullable=False),
    sa.Column('needs_consent', sa.Boolean(), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('voided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('voided_by', sa.String(length=200), nullable=False),
    sa.Column('void_reason', sa.Text(), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.Column('void_log_index', sa.BigInteger(), nullable=True),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('standing', sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint('identifier', name=op.f('pk_materials')),
    sa.UniqueConstraint('standing', name=op.f('uq_materials_standing'))
    )
    with op.batch_alter_table('materials', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_materials_digest'), ['digest'], unique=False)
        batch_op.create_index(batch_op.f('ix_materials_holder_hash'), ['holder_hash'], unique=False)
        batch_op.create_index(batch_op.f('ix_materials_unit'), ['unit'], unique=False)

    op.create_table('material_uses',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('material', sa.String(length=64), nullable=False),
    sa.Column('unit', sa.String(length=100), nullable=False),
    sa.Column('used_by', sa.String(length=200), nullable=False),
    sa.Column('matter', sa.String(length=200), nullable=False),
    sa.Column('case_number', sa.String(length=200), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('consent', sa.Boolean(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_material_uses'))
    )
    with op.batch_alter_table('material_uses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_material_uses_material'), ['material'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('material_uses', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_material_uses_material'))

    op.drop_table('material_uses')
    with op.batch_alter_table('materials', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_materials_unit'))
        batch_op.drop_index(batch_op.f('ix_materials_holder_hash'))
        batch_op.drop_index(batch_op.f('ix_materials_digest'))

    op.drop_table('materials')
