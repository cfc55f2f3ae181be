"""what a request says differently after an answer that brought no image"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'


def upgrade() -> None:
    op.add_column('renders', sa.Column('remedy', sa.String(length=12), nullable=True))
    op.add_column('attempts', sa.Column('remedy', sa.String(length=12), nullable=True))


def downgrade() -> None:
    op.drop_column('attempts', 'remedy')
    op.drop_column('renders', 'remedy')
