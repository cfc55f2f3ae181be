"""What models sign of their thoughts: kept while another turn may have to show it again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Select, delete, select

from darkroom import bulk, db
from darkroom.db import AnyRow
from darkroom.models import Job, Render, RenderState, Signature

_AT_ONCE: Final = 1_000
_OPEN: Final = tuple(state for state in RenderState if not state.is_final)
_ID: Final = Signature.render_id


def keep(connection: Connection, signed: Mapping[int, str | None]) -> None:
    """Keep what must be sent back with the images of renders that another turn goes on from."""
    found = [{"render_id": key, "parts": parts} for key, parts in signed.items() if parts]
    if found:
        bulk.put(connection, Signature, found)


def forget(connection: Connection, days: float, after: int = -1) -> int | None:
    """Remove some of jobs that have been finished for so many days, and that no turn waits for.

    Looks at a thousand, by their renders' ids; the last of them, or None where no later one can be
    so old. A turn that is added after that shows the image alone.
    """
    before = db.now(connection) - timedelta(days=days)
    page = _page(connection, after)
    old = {row.render_id for row in page if row.finished_at and row.finished_at < before}
    if old:
        gone = old.difference(connection.scalars(_awaited(connection, old)))
        connection.execute(delete(Signature).where(bulk.among(connection, _ID, gone)))
    # Ids rise with time: what was stored after a later job began is of none that ended before.
    is_all = len(page) < _AT_ONCE or page[-1].created_at >= before
    return None if is_all else page[-1].render_id


def _page(connection: Connection, after: int) -> Sequence[AnyRow]:
    query = (
        select(Signature.render_id, Job.finished_at, Job.created_at)
        .join(Render, Render.id == Signature.render_id)
        .join(Job, Job.id == Render.job_id)
        .where(Signature.render_id > after)
        .order_by(Signature.render_id)
        .limit(_AT_ONCE)
    )
    return connection.execute(query).all()


def _awaited(connection: Connection, ids: Collection[int]) -> Select[int]:
    """Those of which an unfinished render, of whatever job, is shown the image."""
    going_on = select(Job.id).where(Job.finished_at.is_(None))  # a join would read all renders
    shown = (
        select(Render.parent_id.label("id"))
        .where(Render.job_id.in_(going_on), Render.state.in_(_OPEN))
        .where(Render.parent_id.is_not(None))
        .cte("shown", recursive=True)
    )
    before = select(Render.parent_id).join(shown, Render.id == shown.c.id)
    shown = shown.union(before.where(Render.parent_id.is_not(None)))
    is_one = bulk.among(connection, _ID, ids)
    return select(Signature.render_id).where(is_one, Signature.render_id.in_(select(shown.c.id)))
