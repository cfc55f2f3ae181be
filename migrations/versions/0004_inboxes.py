"""watched folders, and the files dropped into them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    op.create_table(
        'inboxes',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('tier', sa.String(length=24), nullable=True),
        sa.Column('model', sa.Text(), nullable=True),
        sa.Column('max_cost_nusd', sa.BigInteger(), nullable=True),
        sa.Column('deliver_within', sa.BigInteger(), nullable=True),
        sa.Column('accept_valid', sa.Boolean(), nullable=False),
        sa.Column('watcher', sa.String(length=32), nullable=True),
        sa.Column('watched_until', sa.DateTime(timezone=True), nullable=True),
        sa.Column('looked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('trouble', sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_inboxes')),
        sa.UniqueConstraint('url', name=op.f('uq_inboxes_url')),
    )
    op.create_table(
        'drops',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('inbox_id', sa.String(length=32), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('stamp', sa.Text(), nullable=True),
        sa.Column('state', sa.String(length=12), nullable=False),
        sa.Column('sha256', sa.String(length=64), nullable=True),
        sa.Column('job_id', sa.String(length=32), nullable=True),
        sa.Column('kept', sa.Text(), nullable=True),
        sa.Column('message', sa.Text(), nullable=True),
        sa.Column('told', sa.String(length=12), nullable=True),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['inbox_id'], ['inboxes.id'], name=op.f('fk_drops_inbox_id')),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_drops_job_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_drops')),
        sa.UniqueConstraint('inbox_id', 'stamp', name='uq_drops_stamp'),
        sa.UniqueConstraint('inbox_id', 'sha256', name='uq_drops_sha256'),
    )
    op.create_index('ix_drops_state', 'drops', ['inbox_id', 'state'])
    op.create_index(op.f('ix_drops_job_id'), 'drops', ['job_id'])


def downgrade() -> None:
    op.drop_table('drops')
    op.drop_table('inboxes')
