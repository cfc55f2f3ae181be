"""${message}

Before you add a column to `renders` or `attempts`: they hold millions of rows. On PostgreSQL a
default that is not constant, a NOT NULL without default, or an index without CONCURRENTLY locks
the table while every worker waits.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
