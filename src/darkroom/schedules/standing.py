"""How the images of runs stand: what a person said, or what the schedule says of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)

from darkroom.models import (
    Decision,
    Link,
    Publication,
    Render,
    RenderState,
    Review,
    Run,
    RunState,
)
from darkroom.schedules.terms import Terms

WAITING: Final = "waiting"

_CIRCLE: Final = 1 << 32
_STEP: Final = 2_654_435_761  # the golden part of the circle: steps of it fill it evenly
_BOUND: Final = 1 << 31  # so that the product fits 64 bits


class Standing(msgspec.Struct, frozen=True):
    """The images of a run: how many wait, are approved, are rejected, and lie where they should."""

    waiting: int = 0
    approved: int = 0
    rejected: int = 0
    published: int = 0


def standings(
    connection: Connection, terms: Terms, schedule_id: str, run_ids: Sequence[str]
) -> dict[str, Standing]:
    """Count the images of some runs of a schedule."""
    runs = select(*RUN).where(Run.id.in_(run_ids), Run.job_id.is_not(None)).subquery()
    each = pictures(runs)
    stands = case(
        (is_approved(each, terms.review_percent), Decision.APPROVED),
        (Review.decision == Decision.REJECTED, Decision.REJECTED),
        else_=WAITING,
    )
    lies = (
        (Publication.schedule_id == schedule_id)
        & (Publication.row_id == each.c.row_id)
        & (Publication.variant == each.c.variant)
        & (Publication.render_id == each.c.render_id)
    )
    query = (
        select(each.c.run_id, stands, func.count(), func.count(Publication.render_id))
        .outerjoin(Review, Review.render_id == each.c.render_id)
        .outerjoin(Publication, lies)
        .group_by(each.c.run_id, stands)
    )
    counted: dict[str, dict[str, int]] = {}
    for run_id, stand, images, published in connection.execute(query):
        counts = counted.setdefault(run_id, {})
        counts[stand] = images
        counts["published"] = counts.get("published", 0) + published
    return {run_id: Standing(**counts) for run_id, counts in counted.items()}


RUN: Final = (Run.id.label("run_id"), Run.job_id, Run.fire_at, Run.state.label("run_state"))


def pictures(runs: Subquery) -> Subquery:
    """The images of the jobs of runs, those that other jobs made included, row by row."""
    own = _of_run(runs, Render.row_id, Render.variant)
    own = own.join(Render, Render.job_id == runs.c.job_id).where(Render.turn == 0)
    linked = _of_run(runs, Link.row_id, Link.variant)
    linked = linked.join(Link, Link.job_id == runs.c.job_id).where(Link.turn == 0)
    linked = linked.join(Render, Render.id == Link.render_id)
    is_done = Render.state == RenderState.DONE
    return union_all(own.where(is_done), linked.where(is_done)).subquery()


def _of_run(runs: Subquery, row_id: Any, variant: Any) -> Select[Any]:  # noqa: ANN401  # columns
    of_run = (runs.c.run_id, runs.c.fire_at, runs.c.run_state)
    return select(*of_run, row_id, variant, Render.id.label("render_id")).select_from(runs)


def is_approved(each: Subquery, percent: int) -> ColumnElement[bool]:
    """The condition that an image counts as approved, `Review` being joined.

    Without a person's word that takes a run that did not fail, and no review to wait for.
    """
    is_let_pass = and_(
        Review.decision.is_(None),
        each.c.run_state != RunState.FAILED,
        ~is_sampled(each.c.render_id, percent),
    )
    return or_(Review.decision == Decision.APPROVED, is_let_pass)


def is_sampled(render_id: Any, percent: int) -> ColumnElement[bool]:  # noqa: ANN401  # a column
    """The condition that an image is among so many of a hundred: always the same ones, all over."""
    if percent <= 0:
        return false()
    place: ColumnElement[int] = (render_id % literal(_BOUND)) * literal(_STEP) % literal(_CIRCLE)
    return place < literal(_CIRCLE * min(percent, 100) // 100)
