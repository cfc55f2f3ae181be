"""Renders that change the picture of another: they wait for it, and fail with it.

A child is `waiting` until its parent is done. It is moved in the transaction that ends its parent;
`sweep` finds what any other way left behind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, case, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, aliased

from darkroom import bulk, db
from darkroom.db import AnyRow
from darkroom.jobs import counts
from darkroom.jobs.known import ALIVE
from darkroom.jobs.reviews import is_rejected
from darkroom.models import Job, Render, RenderState

PARENT: Final = "parent"
"""The reason of a render whose parent ended without a picture."""

_ENDED: Final = tuple(s for s in RenderState if s.is_final and s is not RenderState.DONE)
_MOST: Final = 500  # children that are moved at once

_Parent = aliased(Render, name="parent")
_PARENT_ID: Final = cast("InstrumentedAttribute[int]", Render.parent_id)


def resolve(connection: Connection, job_id: str) -> None:
    """Find the parents of a job that was just brought in: its own renders, or what is there.

    A picture that is made before any that is on its way, that before one that was rejected, and
    that before one that failed.
    """
    rank = case(
        (_Parent.job_id == job_id, 0),
        (is_rejected(_Parent), 3),
        (_Parent.state == RenderState.DONE, 1),
        (_Parent.state.in_(ALIVE), 2),
        else_=4,
    )
    best = (
        select(_Parent.id)
        .join(Job, Job.id == _Parent.job_id)
        .where(_Parent.fingerprint == Render.edits)
        .where((_Parent.job_id == job_id) | Job.loaded_at.is_not(None))
        .order_by(rank, _Parent.id)
        .limit(1)
        .correlate(Render)
        .scalar_subquery()
    )
    children = (Render.job_id == job_id) & Render.edits.is_not(None)
    connection.execute(update(Render).where(children).values(parent_id=best))


def sort(connection: Connection, job_id: str) -> None:
    """Let a job's pending children wait for parents that are not done, or fail with them."""
    children = (Render.job_id == job_id) & (Render.state == RenderState.PENDING)
    children &= Render.edits.is_not(None)
    done = select(_Parent.id).where(_Parent.id == Render.parent_id)
    done = done.where(_Parent.state == RenderState.DONE).correlate(Render)
    early = children & ~done.exists()
    ids = connection.scalars(select(Render.id).where(early).with_for_update(of=Render)).all()
    if not ids:
        return
    _enter(connection, ids, {"state": RenderState.WAITING, "due_at": None})
    shifts: counts.Shifts = Counter()
    counts.moved(shifts, RenderState.PENDING, RenderState.WAITING, len(ids))
    counts.shift(connection, {job_id: shifts}, db.now(connection))
    _follow(connection, Render.job_id == job_id)


def follow(connection: Connection, ended: Mapping[int, RenderState]) -> None:
    """Move the children of renders that just ended."""
    final = [render_id for render_id, state in ended.items() if state.is_final]
    if final:
        _follow(connection, bulk.among(connection, _PARENT_ID, final))


def sweep(connection: Connection) -> int:
    """Move every child whose parent has ended; how many it was.

    A job that is brought in while a parent ends sees the parent as it was, and is not seen by it.
    """
    return _follow(connection, Render.parent_id.is_not(None))


def _follow(connection: Connection, chosen: ColumnElement[bool]) -> int:
    """Move children, then those of the ones that failed by it, and so on."""
    moved, left = 0, [chosen]
    while left:
        children = _of_ended(connection, left[-1])
        if len(children) < _MOST:
            left.pop()
        failed = _move(connection, children)
        moved += len(children)
        if failed:
            left.append(bulk.among(connection, _PARENT_ID, failed))
    return moved


def _move(connection: Connection, children: Collection[AnyRow]) -> list[int]:
    """Free those whose parent is done, and fail the others, parent by parent; who failed."""
    now = db.now(connection)
    by_parent: defaultdict[int | None, list[AnyRow]] = defaultdict(list)
    freed: list[AnyRow] = []
    for child in children:
        is_free = child.parent_state == RenderState.DONE
        (freed if is_free else by_parent[child.parent_id]).append(child)
    _enter(connection, [child.id for child in freed], {"state": RenderState.PENDING})
    for siblings in by_parent.values():
        _enter(connection, [child.id for child in siblings], _failed(siblings[0], now))
    failed = [child for siblings in by_parent.values() for child in siblings]
    _count(connection, freed, failed, now)
    return [child.id for child in failed]


def _of_ended(connection: Connection, chosen: ColumnElement[bool]) -> Collection[AnyRow]:
    """Lock some waiting children whose parent has ended; an unknown parent has, too."""
    query = (
        select(
            Render.id,
            Render.job_id,
            Render.parent_id,
            func.coalesce(_Parent.state, RenderState.CANCELLED.value).label("parent_state"),
            _Parent.row_id.label("parent_row"),
            func.coalesce(_Parent.message, _Parent.reason).label("said"),
        )
        .join(_Parent, _Parent.id == Render.parent_id, isouter=True)
        .where(Render.state == RenderState.WAITING, chosen)
        .where(_Parent.state.is_(None) | _Parent.state.in_([RenderState.DONE, *_ENDED]))
        .order_by(Render.id)
        .limit(_MOST)
        .with_for_update(of=Render)
    )
    return connection.execute(query).all()


def _failed(child: AnyRow, now: datetime) -> dict[str, Any]:
    said = f": {child.said}" if child.said else ""
    what = f"row {child.parent_row}" if child.parent_row else "a row that is in no job"
    return {
        "state": RenderState.FAILED,
        "reason": PARENT,
        "message": f"It changes the image of {what}, which was {child.parent_state}{said}"[:2_000],
        "finished_at": now,
    }


def _enter(connection: Connection, ids: Collection[int], values: Mapping[str, Any]) -> None:
    if ids:
        connection.execute(
            update(Render).where(bulk.among(connection, Render.id, ids)).values(**values)
        )


def _count(
    connection: Connection, freed: Iterable[AnyRow], failed: Iterable[AnyRow], now: datetime
) -> None:
    by_job: defaultdict[str, counts.Shifts] = defaultdict(Counter)
    for child in freed:
        counts.moved(by_job[child.job_id], RenderState.WAITING, RenderState.PENDING)
    for child in failed:
        counts.moved(by_job[child.job_id], RenderState.WAITING, RenderState.FAILED)
    counts.shift(connection, by_job, now)
