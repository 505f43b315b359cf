"""Client systems and their credentials, nonces of several machines; callers' keys with terms and their last day of use.

Keys issued before are of no client, have no term, and open what they opened.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('clients',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('contact', sa.String(length=200), nullable=False),
    sa.Column('environment', sa.String(length=20), nullable=False),
    sa.Column('caller', sa.String(length=40), nullable=False),
    sa.Column('roles', sa.JSON(), nullable=False),
    sa.Column('signed_only', sa.Boolean(), nullable=False),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_log_index', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clients')),
    sa.UniqueConstraint('caller', name=op.f('uq_clients_caller'))
    )
    with op.batch_alter_table('clients', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_clients_department'), ['department'], unique=False)

    op.create_table('client_credentials',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('client', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('algorithm', sa.String(length=40), nullable=False),
    sa.Column('handle', sa.String(length=200), nullable=False),
    sa.Column('thumbprint', sa.String(length=100), nullable=False),
    sa.Column('public', sa.Text(), nullable=False),
    sa.Column('sealed', sa.Text(), nullable=False),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires', sa.DateTime(timezone=True), nullable=True),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.Column('replaces', sa.String(length=40), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_log_index', sa.BigInteger(), nullable=True),
    sa.Column('last_used', sa.String(length=10), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_client_credentials')),
    sa.UniqueConstraint('kind', 'thumbprint', name=op.f('uq_client_credentials_kind_thumbprint'))
    )
    with op.batch_alter_table('client_credentials', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_client_credentials_client'), ['client'], unique=False)
        batch_op.create_index(batch_op.f('ix_client_credentials_kind_handle'), ['kind', 'handle'], unique=False)

    op.create_table('nonces',
    sa.Column('digest', sa.String(length=40), nullable=False),
    sa.Column('until', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_nonces'))
    )
    with op.batch_alter_table('nonces', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_nonces_until'), ['until'], unique=False)

    with op.batch_alter_table('callers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('client', sa.String(length=40), server_default='', nullable=False))
        batch_op.add_column(sa.Column('not_before', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('expires', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('last_used', sa.String(length=10), server_default='', nullable=False))
        batch_op.create_index(batch_op.f('ix_callers_client'), ['client'], unique=False)


def downgrade() -> None:

    with op.batch_alter_table('callers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_callers_client'))
        batch_op.drop_column('last_used')
        batch_op.drop_column('expires')
        batch_op.drop_column('not_before')
        batch_op.drop_column('client')

    op.drop_table('nonces')
    op.drop_table('client_credentials')
    op.drop_table('clients')
