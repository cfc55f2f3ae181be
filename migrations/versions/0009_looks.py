"""how finished images look at a glance, so that those of a job that look alike are found"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'


def upgrade() -> None:
    op.create_table(
        'looks',
        sa.Column('render_id', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('job_id', sa.String(length=32), nullable=False),
        sa.Column('look', sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_looks_job_id')),
        sa.PrimaryKeyConstraint('render_id', name=op.f('pk_looks')),
    )
    op.create_index('ix_looks_job', 'looks', ['job_id', 'look'])


def downgrade() -> None:
    op.drop_table('looks')
