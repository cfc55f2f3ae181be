"""what people decided on images, and where schedules published them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0012'
down_revision = '0011'


def upgrade() -> None:
    op.create_table(
        'reviews',
        sa.Column('render_id', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('decision', sa.String(length=12), nullable=True),
        sa.Column('reviewer', sa.Text(), nullable=False),
        sa.Column('note', sa.Text(), nullable=True),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('render_id', name=op.f('pk_reviews')),
    )
    op.create_index('ix_reviews_decided', 'reviews', ['decided_at'])
    op.create_table(
        'publications',
        sa.Column('schedule_id', sa.String(length=32), nullable=False),
        sa.Column('row_id', sa.Text(), nullable=False),
        sa.Column('variant', sa.Integer(), nullable=False),
        sa.Column('render_id', sa.BigInteger(), nullable=False),
        sa.Column('place', sa.Text(), nullable=False),
        sa.Column('uri', sa.Text(), nullable=False),
        sa.Column('published_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ['schedule_id'], ['schedules.id'], name=op.f('fk_publications_schedule_id')
        ),
        sa.PrimaryKeyConstraint('schedule_id', 'row_id', 'variant', name=op.f('pk_publications')),
    )
    op.add_column('schedules', sa.Column('publisher', sa.String(length=32), nullable=True))
    op.add_column(
        'schedules', sa.Column('publishing_until', sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column('schedules', sa.Column('publish_trouble', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('schedules', 'publish_trouble')
    op.drop_column('schedules', 'publishing_until')
    op.drop_column('schedules', 'publisher')
    op.drop_table('publications')
    op.drop_table('reviews')
