"""pictures that other rows make, and catalogs whose rows are known by their id"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'


def upgrade() -> None:
    op.create_table(
        'links',
        sa.Column('job_id', sa.String(length=32), nullable=False),
        sa.Column('row_no', sa.Integer(), nullable=False),
        sa.Column('variant', sa.Integer(), nullable=False),
        sa.Column('line', sa.Integer(), nullable=False),
        sa.Column('row_id', sa.Text(), nullable=False),
        sa.Column('labels', sa.Text(), nullable=True),
        sa.Column('render_id', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_links_job_id')),
        sa.PrimaryKeyConstraint('job_id', 'row_no', 'variant', name=op.f('pk_links')),
    )
    op.create_table(
        'catalog_entries',
        sa.Column('catalog', sa.String(length=64), nullable=False),
        sa.Column('row_id', sa.Text(), nullable=False),
        sa.Column('variant', sa.Integer(), nullable=False),
        sa.Column('fingerprint', sa.String(length=32), nullable=False),
        sa.Column('job_id', sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_catalog_entries_job_id')),
        sa.PrimaryKeyConstraint('catalog', 'row_id', 'variant', name=op.f('pk_catalog_entries')),
    )
    op.add_column('jobs', sa.Column('catalog', sa.String(length=64), nullable=True))
    op.add_column('jobs', sa.Column('shared', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('inboxes', sa.Column('catalog', sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column('inboxes', 'catalog')
    op.drop_column('jobs', 'shared')
    op.drop_column('jobs', 'catalog')
    op.drop_table('catalog_entries')
    op.drop_table('links')
