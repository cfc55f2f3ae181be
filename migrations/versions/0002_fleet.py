"""what a fleet asks of its books: sends counted by tier and time, checksums of objects, drains"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    op.create_index('ix_attempts_sent', 'attempts', ['tier', 'sent_at'])
    op.add_column('renders', sa.Column('crc32c', sa.String(length=8), nullable=True))
    op.add_column('workers', sa.Column('draining_at', sa.DateTime(timezone=True), nullable=True))
    _open_accounts("'all'", '')
    _open_accounts(f"'day:' || {_day()}", f'GROUP BY {_day()}')


def _day() -> str:
    if op.get_bind().dialect.name == 'sqlite':
        return 'substr(sent_at, 1, 10)'
    return "to_char(sent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"


def _open_accounts(scope: str, group_by: str) -> None:
    """Real money that was sent before there were such accounts: what is open is closed on them."""
    op.execute(f"""
        INSERT INTO accounts (scope, cap_nusd, reserved_nusd, spent_nusd, at_risk_nusd)
        SELECT {scope}, NULL, SUM(CASE WHEN state = 'sent' THEN reserved_nusd ELSE 0 END),
        SUM(charged_nusd), SUM(at_risk_nusd) FROM attempts
        WHERE tier NOT IN ('simulator', 'simulator-batch') {group_by} HAVING COUNT(*) > 0""")


def downgrade() -> None:
    op.execute("DELETE FROM accounts WHERE scope NOT LIKE 'job:%'")
    op.drop_column('workers', 'draining_at')
    op.drop_column('renders', 'crc32c')
    op.drop_index('ix_attempts_sent', table_name='attempts')
