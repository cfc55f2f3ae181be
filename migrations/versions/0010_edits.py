"""renders that change the picture of another, and rows of several turns"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0009'

_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.add_column('jobs', sa.Column('waiting', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('links', sa.Column('turn', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('renders', sa.Column('turn', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('renders', sa.Column('edits', sa.String(length=32), nullable=True))
    op.add_column('renders', sa.Column('parent_id', sa.BigInteger(), nullable=True))
    op.create_index(
        'ix_renders_waiting', 'renders', ['parent_id'],
        sqlite_where=_WAITING, postgresql_where=_WAITING,
    )
    op.create_table(
        'signatures',
        sa.Column('render_id', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('parts', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('render_id', name=op.f('pk_signatures')),
    )


def downgrade() -> None:
    op.drop_table('signatures')
    op.drop_index('ix_renders_waiting', 'renders')
    op.drop_column('renders', 'parent_id')
    op.drop_column('renders', 'edits')
    op.drop_column('renders', 'turn')
    op.drop_column('links', 'turn')
    op.drop_column('jobs', 'waiting')
