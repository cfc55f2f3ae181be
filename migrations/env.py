"""Alembic's entry: `darkroom.db` hands the connection over, so there is no URL to configure."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from darkroom.models import Base, UtcDateTime


def plain_types(kind: str, item: Any, _context: object) -> str | Literal[False]:  # noqa: ANN401
    """Write our own type as what it is underneath: a migration must outlive our code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making a new one
    compare_type=True,
    render_item=plain_types,
    transaction_per_migration=False,
)
context.run_migrations()
