"""What an issuer to wallets, and a verifier of them, remembers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        'wallet_codes',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('subject', sa.String(length=200), nullable=False),
        sa.Column('kinds', sa.JSON(), nullable=False),
        sa.Column('expires_at', moment, nullable=False),
        sa.Column('tx_code', sa.String(length=64), nullable=True),
        sa.Column('tries', sa.BigInteger(), nullable=False),
        sa.Column('spent', sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_wallet_codes')),
    )
    op.create_index(op.f('ix_wallet_codes_expires_at'), 'wallet_codes', ['expires_at'])
    op.create_table(
        'wallet_tokens',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('subject', sa.String(length=200), nullable=False),
        sa.Column('kinds', sa.JSON(), nullable=False),
        sa.Column('expires_at', moment, nullable=False),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_wallet_tokens')),
    )
    op.create_index(op.f('ix_wallet_tokens_expires_at'), 'wallet_tokens', ['expires_at'])
    op.create_table(
        'wallet_deliveries',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('kind', sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint('digest', 'kind', name=op.f('pk_wallet_deliveries')),
    )
    op.create_table(
        'wallet_nonces',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('expires_at', moment, nullable=False),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_wallet_nonces')),
    )
    op.create_index(op.f('ix_wallet_nonces_expires_at'), 'wallet_nonces', ['expires_at'])
    op.create_table(
        'wallet_credentials',
        sa.Column('digest', sa.String(length=80), nullable=False),
        sa.Column('licence', sa.String(length=200), nullable=False),
        sa.Column('log_index', sa.BigInteger(), nullable=False),
        sa.Column('bound_at', moment, nullable=False),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_wallet_credentials')),
    )
    op.create_index(op.f('ix_wallet_credentials_licence'), 'wallet_credentials', ['licence'])
    op.create_table(
        'wallet_requests',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('department', sa.String(length=100), nullable=False),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('expires_at', moment, nullable=False),
        sa.Column('tries', sa.BigInteger(), nullable=False),
        sa.Column('asked', sa.LargeBinary(), nullable=False),
        sa.Column('found', sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_wallet_requests')),
    )
    op.create_index(op.f('ix_wallet_requests_expires_at'), 'wallet_requests', ['expires_at'])


def downgrade() -> None:
    op.drop_table('wallet_requests')
    op.drop_table('wallet_credentials')
    op.drop_table('wallet_nonces')
    op.drop_table('wallet_deliveries')
    op.drop_table('wallet_tokens')
    op.drop_table('wallet_codes')
