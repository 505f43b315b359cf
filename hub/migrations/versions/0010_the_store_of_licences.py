"""Licences lie in a store, and say which key signed them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STANDING = sa.text("state IN ('pending', '01', '02') AND NOT replacing")
TEXTS = (("owner_hash", 80), ("key_id", 64), ("predecessor", 200), ("dossier", 100))
PLACE = ("segment", "segment_offset", "sealed_bytes")


def upgrade() -> None:
    with op.batch_alter_table('licences', schema=None) as batch_op:
        for name, length in TEXTS:
            batch_op.add_column(sa.Column(name, sa.String(length=length), server_default='', nullable=False))
        for name in PLACE:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('replacing', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index(batch_op.f('ix_licences_owner_hash'), ['owner_hash'], unique=False)
        batch_op.create_index(batch_op.f('ix_licences_key_id_issued_at'), ['key_id', 'issued_at'], unique=False)
        batch_op.create_index(
            'uq_licences_standing',
            ['kind', 'holder_hash'],
            unique=True,
            sqlite_where=STANDING,
            postgresql_where=STANDING,
        )


def downgrade() -> None:
    with op.batch_alter_table('licences', schema=None) as batch_op:
        batch_op.drop_index('uq_licences_standing')
        batch_op.drop_index(batch_op.f('ix_licences_key_id_issued_at'))
        batch_op.drop_index(batch_op.f('ix_licences_owner_hash'))
        for name in ('replacing', *PLACE, *(name for name, _ in TEXTS)):
            batch_op.drop_column(name)
