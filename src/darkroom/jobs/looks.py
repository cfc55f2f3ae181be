"""Images of a job that look alike: found while they are booked, by whichever worker made them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, select

from darkroom import bulk
from darkroom.db import AnyRow
from darkroom.jobs.picture import Picture
from darkroom.models import Look, Render
from darkroom.models.attempt import STOPPED

DUPLICATE: Final = f"{STOPPED}DUPLICATE"


def book(
    connection: Connection, rows: Sequence[AnyRow], pictures: Mapping[str, Picture]
) -> dict[str, str]:
    """Keep how the pictures look; those that must differ and do not.

    For each of these the id of the row whose picture it equals. Of two transactions at once neither
    sees what the other books: both keep theirs.
    """
    seen = [row for row in rows if _look(row, pictures) is not None]
    if not seen:
        return {}
    first = _known(connection, {_look(row, pictures) for row in seen}, {row.job_id for row in seen})
    alike: dict[str, str] = {}
    for row in seen:
        key = row.job_id, _look(row, pictures)
        if key in first and pictures[row.attempt_id].must_differ:
            alike[row.attempt_id] = first[key]
        first.setdefault(key, row.row_id)
    kept = [_values(row, pictures) for row in seen if row.attempt_id not in alike]
    if kept:
        bulk.put(connection, Look, kept)
    return alike


def _look(row: AnyRow, pictures: Mapping[str, Picture]) -> str | None:
    picture = pictures.get(row.attempt_id)
    return None if picture is None else picture.look


def _known(
    connection: Connection, looks: Collection[str | None], job_ids: Collection[str]
) -> dict[tuple[str, str | None], str]:
    """The rows that have these looks already, the last made of each."""
    query = (
        select(Look.job_id, Look.look, Render.row_id)
        .join(Render, Render.id == Look.render_id)
        .where(bulk.among(connection, Look.look, looks))
        .where(bulk.among(connection, Look.job_id, job_ids))
    )
    return {(row.job_id, row.look): row.row_id for row in connection.execute(query)}


def _values(row: AnyRow, pictures: Mapping[str, Picture]) -> dict[str, str | int | None]:
    look = _look(row, pictures)
    return {"render_id": row.render_id, "job_id": row.job_id, "look": look}
