"""What the books have of pictures that somebody asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, String, cast, exists, func, select
from sqlalchemy.orm import aliased

from darkroom import bulk
from darkroom.jobs.reviews import are_any_rejected, is_rejected
from darkroom.models import Job, Render, RenderState


class Known(msgspec.Struct, frozen=True, gc=False):
    """A render that has a picture or may still get one, or was refused for good."""

    render_id: int
    state: RenderState


def known(connection: Connection, fingerprints: Sequence[str]) -> dict[str, Known]:
    """Which of these pictures are made, refused for good, or on their way, and by which render.

    Failed and cancelled ones are not known: submitting them again means to try again. Nor is one
    that was rejected: it does not count as delivered.
    """
    given = bulk.table_of(connection, fingerprints)
    # One look at the index for each, whatever PostgreSQL thinks of a table that it has not counted
    # yet: it would rather read all of it, which a large manifest makes longer with every chunk.
    best = (
        select(_BEST)
        .join(Job, Job.id == Render.job_id)
        .where(Render.fingerprint == given.c.value, *_OF_A_JOB)
        .scalar_subquery()
    )
    found = connection.execute(select(given.c.value, best))
    return {fingerprint: _known(said) for fingerprint, said in found if said is not None}


def known_by_id(
    connection: Connection, fingerprints: Sequence[str]
) -> dict[tuple[str, str], Known]:
    """The same, each only for the row with the id that asked for it, by fingerprint and id."""
    query = (
        select(Render.fingerprint, Render.row_id, _BEST)
        .join(Job, Job.id == Render.job_id)
        .where(bulk.among(connection, Render.fingerprint, fingerprints), *_OF_A_JOB)
        .group_by(Render.fingerprint, Render.row_id)
    )
    found = connection.execute(query)
    return {(fingerprint, row_id): _known(said) for fingerprint, row_id, said in found}


def tried(connection: Connection, fingerprints: Sequence[str]) -> set[str]:
    """Which of these pictures were asked for before, and failed or were cancelled.

    Where one was rejected, only what was asked for after it counts.
    """
    thrown_out = aliased(Render)
    since = exists().where(
        thrown_out.fingerprint == Render.fingerprint,
        thrown_out.id > Render.id,
        is_rejected(thrown_out),
    )
    ended = Render.state.in_(_TRY_AGAIN) & Render.job_id.in_(_LOADED)
    return _having(connection, fingerprints, ended & ~since.correlate(Render))


def rejected(connection: Connection, fingerprints: Sequence[str]) -> set[str]:
    """Which of these pictures were made, and thrown out by a person."""
    if not are_any_rejected(connection):
        return set()  # as most books: a tenth of what a new row costs
    return _having(connection, fingerprints, is_rejected(Render))


def _having(
    connection: Connection, fingerprints: Sequence[str], such: ColumnElement[bool]
) -> set[str]:
    """Which of these pictures have such a render; one look at the index for each, as above."""
    given = bulk.table_of(connection, fingerprints)
    first = select(Render.id).where(Render.fingerprint == given.c.value, such).limit(1)
    found = connection.execute(select(given.c.value, first.scalar_subquery()))
    return {fingerprint for fingerprint, render_id in found if render_id is not None}


_TRY_AGAIN: Final = (RenderState.FAILED, RenderState.CANCELLED)
ALIVE: Final = tuple(state for state in RenderState if state not in _TRY_AGAIN)
"""The states of renders that need not be made again, unless their image was rejected."""
_LOADED: Final = select(Job.id).where(Job.loaded_at.is_not(None))
_OF_A_JOB: Final[tuple[ColumnElement[bool], ...]] = (
    Render.state.in_(ALIVE),
    Job.loaded_at.is_not(None),
    ~is_rejected(Render),
)
_BEST: Final = func.min(Render.state + ":" + cast(Render.id, String))
"""State and id of one of them; by its name `done` comes before all other states."""


def _known(said: str) -> Known:
    state, _, render_id = said.partition(":")
    return Known(int(render_id), RenderState(state))
