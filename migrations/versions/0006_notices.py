"""notices of what happened, and their way to each target"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    op.create_table(
        'notices',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('event', sa.String(length=24), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('job_id', sa.String(length=32), nullable=True),
        sa.Column('run_id', sa.String(length=32), nullable=True),
        sa.Column('body', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_notices_job_id')),
        sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_notices_run_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
        sa.UniqueConstraint('subject', name=op.f('uq_notices_subject')),
    )
    op.create_index(op.f('ix_notices_created_at'), 'notices', ['created_at'])
    op.create_table(
        'deliveries',
        sa.Column('notice_id', sa.String(length=32), nullable=False),
        sa.Column('target', sa.Text(), nullable=False),
        sa.Column('state', sa.String(length=12), nullable=False),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('last_error', sa.Text(), nullable=True),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ['notice_id'], ['notices.id'], name=op.f('fk_deliveries_notice_id')
        ),
        sa.PrimaryKeyConstraint('notice_id', 'target', name=op.f('pk_deliveries')),
    )
    op.create_index('ix_deliveries_next', 'deliveries', ['state', 'target', 'next_at'])


def downgrade() -> None:
    op.drop_table('deliveries')
    op.drop_table('notices')
