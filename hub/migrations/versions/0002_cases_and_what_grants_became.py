"""Cases, their steps, notices, marks of dispute, usage; grants with rows, quota and how they ended; callers' roles.

What was given before keeps its meaning: no row rule, no quota, and keys that may call.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('case_events',
    sa.Column('case_id', sa.String(length=40), nullable=False),
    sa.Column('revision', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.Column('step', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=30), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('log_index', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('case_id', 'revision', name=op.f('pk_case_events'))
    )
    op.create_table('cases',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=30), nullable=False),
    sa.Column('open', sa.Boolean(), nullable=False),
    sa.Column('opener', sa.String(length=100), nullable=False),
    sa.Column('answerer', sa.String(length=100), nullable=False),
    sa.Column('resource', sa.String(length=100), nullable=False),
    sa.Column('rule', sa.String(length=60), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('remind_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('told', sa.Integer(), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('value', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cases'))
    )
    with op.batch_alter_table('cases', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cases_answerer_open'), ['answerer', 'open'], unique=False)
        batch_op.create_index(batch_op.f('ix_cases_kind_state'), ['kind', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_cases_open_due_at'), ['open', 'due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_cases_opener'), ['opener'], unique=False)
        batch_op.create_index(batch_op.f('ix_cases_resource'), ['resource'], unique=False)

    op.create_table('dispute_marks',
    sa.Column('case_id', sa.String(length=40), nullable=False),
    sa.Column('resource', sa.String(length=100), nullable=False),
    sa.Column('record', sa.String(length=80), nullable=False),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('case_id', name=op.f('pk_dispute_marks'))
    )
    with op.batch_alter_table('dispute_marks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dispute_marks_resource'), ['resource'], unique=False)

    op.create_table('grant_usage',
    sa.Column('grant', sa.String(length=40), nullable=False),
    sa.Column('day', sa.String(length=10), nullable=False),
    sa.Column('calls', sa.BigInteger(), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('grant', 'day', name=op.f('pk_grant_usage'))
    )
    op.create_table('missed_queries',
    sa.Column('query', sa.String(length=200), nullable=False),
    sa.Column('day', sa.String(length=10), nullable=False),
    sa.Column('times', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('query', 'day', name=op.f('pk_missed_queries'))
    )
    op.create_table('notices',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('department', sa.String(length=100), nullable=False),
    sa.Column('kind', sa.String(length=60), nullable=False),
    sa.Column('case_id', sa.String(length=40), nullable=False),
    sa.Column('resource', sa.String(length=100), nullable=False),
    sa.Column('params', sa.JSON(), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('read_by', sa.String(length=200), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
    sa.UniqueConstraint('key', name=op.f('uq_notices_key'))
    )
    with op.batch_alter_table('notices', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notices_department_read_at'), ['department', 'read_at'], unique=False)

    op.create_table('usage_state',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_usage_state'))
    )
    with op.batch_alter_table('callers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('roles', sa.JSON(), nullable=False, server_default='["call"]'))

    with op.batch_alter_table('grants', schema=None) as batch_op:
        batch_op.add_column(sa.Column('rows', sa.JSON(), nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('quota_per_day', sa.BigInteger(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('suspended_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('suspended_by', sa.String(length=100), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('application', sa.String(length=40), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('predecessor', sa.String(length=40), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('ended', sa.String(length=20), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('ended_why', sa.Text(), nullable=False, server_default=''))
        batch_op.create_index(batch_op.f('ix_grants_application'), ['application'], unique=False)
    op.bulk_insert(
        sa.table("usage_state", sa.column("id", sa.Integer), sa.column("position", sa.BigInteger)),
        [{"id": 1, "position": 0}],
    )


def downgrade() -> None:
    with op.batch_alter_table('grants', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_grants_application'))
        batch_op.drop_column('ended_why')
        batch_op.drop_column('ended')
        batch_op.drop_column('predecessor')
        batch_op.drop_column('application')
        batch_op.drop_column('suspended_by')
        batch_op.drop_column('suspended_at')
        batch_op.drop_column('quota_per_day')
        batch_op.drop_column('rows')

    with op.batch_alter_table('callers', schema=None) as batch_op:
        batch_op.drop_column('roles')

    op.drop_table('usage_state')
    with op.batch_alter_table('notices', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_notices_department_read_at'))

    op.drop_table('notices')
    op.drop_table('missed_queries')
    op.drop_table('grant_usage')
    with op.batch_alter_table('dispute_marks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dispute_marks_resource'))

    op.drop_table('dispute_marks')
    with op.batch_alter_table('cases', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cases_resource'))
        batch_op.drop_index(batch_op.f('ix_cases_opener'))
        batch_op.drop_index(batch_op.f('ix_cases_open_due_at'))
        batch_op.drop_index(batch_op.f('ix_cases_kind_state'))
        batch_op.drop_index(batch_op.f('ix_cases_answerer_open'))

    op.drop_table('cases')
    op.drop_table('case_events')
