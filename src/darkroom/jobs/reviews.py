"""What people decide on images. The last word on an image counts, through whichever job it came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, union_all, update
from sqlalchemy.orm import aliased

from darkroom import bulk, db
from darkroom.models import Decision, Link, Render, RenderState, Review

Word = tuple[Decision, str | None]
"""A decision and its note."""


class Subject(msgspec.Struct, frozen=True, gc=False):
    """One picture of a row that somebody names. There is an image to decide on when it is done."""

    row_id: str
    variant: int
    render_id: int
    state: RenderState


class Tally(msgspec.Struct, frozen=True):
    """How many images of a job wait for a word, and what was said of the others."""

    waiting: int
    approved: int
    rejected: int


def subjects(connection: Connection, job_id: str, row_ids: Sequence[str]) -> list[Subject]:
    """Find the pictures of some rows of a job, those that other jobs made included.

    Earlier turns of a row are none: they are no answer to it.
    """
    own = select(Render.row_id, Render.variant, Render.id, Render.state).where(
        Render.job_id == job_id, Render.turn == 0, bulk.among(connection, Render.row_id, row_ids)
    )
    linked = (
        select(Link.row_id, Link.variant, Render.id, Render.state)
        .join(Render, Render.id == Link.render_id)
        .where(Link.job_id == job_id, Link.turn == 0)
        .where(bulk.among(connection, Link.row_id, row_ids))
    )
    found = connection.execute(union_all(own, linked))
    return [Subject(name, no, at, RenderState(state)) for name, no, at, state in found]


def decide(connection: Connection, words: Mapping[int, Word], reviewer: str) -> int:
    """Say something of images, by the ids of their renders; how many it was news for.

    What is not done has no image, and is left out.
    """
    groups: defaultdict[Word, list[int]] = defaultdict(list)
    for render_id, word in words.items():
        groups[word].append(render_id)
    return sum(
        _say(connection, bulk.among(connection, Render.id, ids), word, reviewer)
        for word, ids in groups.items()
    )


def decide_rest(connection: Connection, job_id: str, word: Word, reviewer: str) -> int:
    """Say something of every image of a job that waits for a word; how many."""
    waiting = _pictures(job_id).where(Review.decision.is_(None)).subquery()
    return _say(connection, Render.id.in_(select(waiting.c.render_id)), word, reviewer)


def _say(connection: Connection, which: ColumnElement[bool], word: Word, reviewer: str) -> int:
    decision, note = word
    told: dict[str, Any] = {
        "decision": decision.value,
        "reviewer": reviewer,
        "note": note,
        "decided_at": db.now(connection),
    }
    values = [literal(value, Review.__table__.c[name].type) for name, value in told.items()]
    done = select(Render.id, *values).where(which, Render.state == RenderState.DONE)
    insert = db.insert_of(connection, Review).from_select(["render_id", *told], done)
    is_news = Review.decision.is_distinct_from(insert.excluded.decision)
    is_news |= Review.note.is_distinct_from(insert.excluded.note)
    said = insert.on_conflict_do_update(
        index_elements=["render_id"],
        set_={name: insert.excluded[name] for name in told},
        where=is_news,
    )
    return int(connection.execute(said.execution_options(preserve_rowcount=True)).rowcount)


def take_back(connection: Connection, render_ids: Sequence[int], reviewer: str) -> int:
    """Let images be unreviewed again; how many had been decided on."""
    told = {"decision": None, "note": None, "reviewer": reviewer, "decided_at": db.now(connection)}
    mine = bulk.among(connection, Review.render_id, render_ids) & Review.decision.is_not(None)
    return connection.execute(update(Review).where(mine).values(**told)).rowcount


def tally(connection: Connection, job_id: str) -> Tally:
    """Count what was said of a job's images."""
    each = _pictures(job_id).subquery()
    query = select(each.c.decision, func.count()).group_by(each.c.decision)
    counted = {decision: how_many for decision, how_many in connection.execute(query)}  # noqa: C416  # rows are no pairs to mypy
    return Tally(
        counted.get(None, 0), counted.get(Decision.APPROVED, 0), counted.get(Decision.REJECTED, 0)
    )


def _pictures(job_id: str) -> Select[int, str | None]:
    """The images of a job with what was said of them; a row's and another's may be the same."""
    linked = select(Link.render_id).where(Link.job_id == job_id, Link.turn == 0)
    own = select(Render.id).where(Render.job_id == job_id, Render.turn == 0)
    every = union_all(own, linked).subquery()
    image = aliased(Render)
    return (
        select(image.id.label("render_id"), Review.decision)
        .select_from(every)
        .join(image, image.id == every.c[0])
        .outerjoin(Review, Review.render_id == image.id)
        .where(image.state == RenderState.DONE)
    )


def are_any_rejected(connection: Connection) -> bool:
    """Whether a person threw any image out."""
    query = select(Review.render_id).where(Review.decision == Decision.REJECTED)
    return connection.scalar(query.limit(1)) is not None


def is_rejected(render: Any) -> ColumnElement[bool]:  # noqa: ANN401  # Render, or an alias of it
    """The condition that a person threw a render's image out."""
    said = select(Review.render_id).where(
        Review.render_id == render.id, Review.decision == Decision.REJECTED
    )
    return said.correlate(render).exists()
