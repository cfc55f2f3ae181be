"""Pictures of a job that other rows' renders make, or have made: they cost it nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update
from sqlalchemy.orm import aliased

from darkroom import bulk
from darkroom.errors import PlanOutdated
from darkroom.jobs.known import ALIVE
from darkroom.jobs.reviews import is_rejected
from darkroom.models import Link, Render


class NewLink(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """One picture of a row. `render_id` None: another row of the same job has it made."""

    row_no: int
    variant: int
    line: int
    row_id: str
    turn: int
    labels: str | None
    fingerprint: str
    render_id: int | None


def add(connection: Connection, job_id: str, links: Sequence[NewLink]) -> None:
    """Store some links, after the renders of the job that they lead to. Raises PlanOutdated."""
    own = _own(connection, job_id, {one.fingerprint for one in links if one.render_id is None})
    bulk.stream(connection, Link, _COLUMNS, _rows(job_id, links, own))


def _own(connection: Connection, job_id: str, fingerprints: Collection[str]) -> dict[str, int]:
    if not fingerprints:
        return {}
    query = select(Render.fingerprint, Render.id).where(
        Render.job_id == job_id, bulk.among(connection, Render.fingerprint, fingerprints)
    )
    found = {name: render_id for name, render_id in connection.execute(query)}  # noqa: C416  # rows are no pairs to mypy
    if len(found) < len(fingerprints):
        # Rows of a manifest are told apart by 64 bits: among a million, 1 in 30 million is not.
        raise PlanOutdated("Two pictures were taken for the same.", hint="Submit it once more.")
    return found


def _rows(
    job_id: str, links: Iterable[NewLink], own: dict[str, int]
) -> Iterable[tuple[str | int | None, ...]]:
    for one in links:
        render_id = own[one.fingerprint] if one.render_id is None else one.render_id
        yield job_id, one.row_no, one.variant, one.line, one.row_id, one.turn, one.labels, render_id


_COLUMNS: Final = ("job_id", "row_no", "variant", "line", "row_id", "turn", "labels", "render_id")


def have_lapsed(connection: Connection, job_id: str) -> bool:
    """Whether a picture that was known is not there any more: failed, cancelled or rejected."""
    lapsed = (
        select(Link.render_id)
        .join(Render, Render.id == Link.render_id)
        .where(Link.job_id == job_id, Render.state.not_in(ALIVE) | is_rejected(Render))
    )
    return connection.scalar(lapsed.limit(1)) is not None


def give_way(connection: Connection, job_id: str, others: Sequence[str], *, share: bool) -> int:
    """Link the pictures that these jobs brought meanwhile, and drop their renders; how many.

    Without `share` only rows of the same id have the same picture.
    """
    other = aliased(Render)
    is_same: list[ColumnElement[bool]] = [
        other.fingerprint == Render.fingerprint,
        other.job_id.in_(others),
        other.state.in_(ALIVE),
        ~is_rejected(other),
    ]
    if not share:
        is_same.append(other.row_id == Render.row_id)
    theirs = select(func.min(other.id)).where(*is_same).correlate(Render).scalar_subquery()
    mine = (Render.job_id == job_id, theirs.is_not(None))
    copied = ("row_no", "variant", "line", "row_id", "turn", "labels")
    chosen = select(Render.job_id, *(getattr(Render, name) for name in copied), theirs).where(*mine)
    mains = select(theirs).select_from(Render).where(Render.id == Link.render_id)
    led = mains.correlate(Link).scalar_subquery()
    leads = Link.render_id.in_(select(Render.id).where(*mine))
    connection.execute(update(Link).where(Link.job_id == job_id, leads).values(render_id=led))
    connection.execute(insert(Link).from_select(_COLUMNS, chosen))
    return connection.execute(delete(Render).where(*mine)).rowcount
