"""provider batches, and the attempts that travel in them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    op.create_table(
        'batches',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('job_id', sa.String(length=32), nullable=False),
        sa.Column('tier', sa.String(length=24), nullable=False),
        sa.Column('model', sa.Text(), nullable=False),
        sa.Column('state', sa.String(length=12), nullable=False),
        sa.Column('lines', sa.Integer(), nullable=False),
        sa.Column('tokens', sa.BigInteger(), nullable=False),
        sa.Column('input_uri', sa.Text(), nullable=True),
        sa.Column('provider_name', sa.Text(), nullable=True),
        sa.Column('provider_state', sa.Text(), nullable=True),
        sa.Column('succeeded', sa.Integer(), nullable=True),
        sa.Column('failed', sa.Integer(), nullable=True),
        sa.Column('delivered', sa.Integer(), nullable=False),
        sa.Column('quarantined', sa.Integer(), nullable=False),
        sa.Column('message', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('asked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('cancel_reason', sa.Text(), nullable=True),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('looks', sa.Integer(), nullable=False),
        sa.Column('worker_id', sa.String(length=32), nullable=True),
        sa.Column('carried_until', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_batches_job_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_batches')),
        sa.UniqueConstraint('provider_name', name=op.f('uq_batches_provider_name')),
    )
    op.create_index('ix_batches_due', 'batches', ['tier', 'next_at'])
    op.create_index(op.f('ix_batches_job_id'), 'batches', ['job_id'])
    op.add_column('attempts', sa.Column('batch_id', sa.String(length=32), nullable=True))
    travels = sa.text('batch_id IS NOT NULL')
    op.create_index(
        'ix_attempts_batch', 'attempts', ['batch_id'], sqlite_where=travels, postgresql_where=travels
    )


def downgrade() -> None:
    op.drop_index('ix_attempts_batch', table_name='attempts')
    op.drop_column('attempts', 'batch_id')
    op.drop_table('batches')
