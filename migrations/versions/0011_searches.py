"""how many queries an attempt was billed for, beside its tokens"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'


def upgrade() -> None:
    op.add_column('attempts', sa.Column('searches', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('attempts', 'searches')
