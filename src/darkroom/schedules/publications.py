"""The books of what schedules published, and of who publishes: nothing else writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select, tuple_, update

from darkroom import db
from darkroom.models import Decision, Job, Publication, Render, Review, Run, Schedule
from darkroom.schedules import standing
from darkroom.schedules.entry import Entry

_RUNS: Final = 30
"""Runs of a schedule that are looked at. Later ones lead to what they took over from these."""
_PAGE: Final = 5_000  # each is found by a look at all images of those runs


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is to be published as that of a row. `uri` is below `storage_url`."""

    row_id: str
    variant: int
    render_id: int
    attempt_id: str
    job_id: str
    storage_url: str
    uri: str
    sha256: str
    bytes: int
    mime: str
    finished_at: datetime


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An image that lies where it was published, `uri` below that place."""

    row_id: str
    variant: int
    uri: str
    sha256: str
    width: int
    height: int
    model: str
    charged_nusd: int
    published_at: datetime


def due(connection: Connection, entry: Entry, after: tuple[str, int]) -> list[Image]:
    """The newest approved image of each row of the runs that are over, where it is not published.

    A page of them, those after a row's id and variant.
    """
    newest = _newest(entry).subquery()
    lies = (
        (Publication.schedule_id == entry.id)
        & (Publication.row_id == newest.c.row_id)
        & (Publication.variant == newest.c.variant)
    )
    is_elsewhere = Publication.render_id.is_distinct_from(newest.c.render_id)
    is_elsewhere |= Publication.place.is_distinct_from(entry.place)
    key = (newest.c.row_id, newest.c.variant)
    columns = [getattr(Render, name) for name in _OF_RENDER]
    query = (
        select(*key, newest.c.render_id, *columns, Job.storage_url)
        .join(Render, Render.id == newest.c.render_id)
        .join(Job, Job.id == Render.job_id)
        .outerjoin(Publication, lies)
        .where(newest.c.age == 1, is_elsewhere, tuple_(*key) > after)
        .order_by(*key)
        .limit(_PAGE)
    )
    return [Image(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001  # its public name


_OF_RENDER: Final = ("attempt_id", "job_id", "uri", "sha256", "bytes", "mime", "finished_at")


def _newest(entry: Entry) -> Any:  # noqa: ANN401  # a SELECT
    """Number the approved images of each row, the newest first."""
    is_over = Run.finished_at.is_not(None) & Run.job_id.is_not(None)
    mine = select(*standing.RUN).where(Run.schedule_id == entry.id, is_over)
    each = standing.pictures(mine.order_by(Run.fire_at.desc()).limit(_RUNS).subquery())
    order = (each.c.fire_at.desc(), each.c.render_id.desc())
    age = func.row_number().over(partition_by=(each.c.row_id, each.c.variant), order_by=order)
    return (
        select(each.c.row_id, each.c.variant, each.c.render_id, age.label("age"))
        .outerjoin(Review, Review.render_id == each.c.render_id)
        .where(standing.is_approved(each, _percent(entry)))
    )


def _percent(entry: Entry) -> int:
    publish = entry.terms.publish
    waits_for_none = publish is not None and publish.when == "done"
    return 0 if waits_for_none else entry.terms.review_percent


def note(connection: Connection, entry: Entry, lying: Sequence[tuple[Image, str]]) -> None:
    """Write down where images lie now."""
    now = db.now(connection)
    rows = [
        {
            "schedule_id": entry.id,
            "row_id": image.row_id,
            "variant": image.variant,
            "render_id": image.render_id,
            "place": entry.place,
            "uri": uri,
            "published_at": now,
        }
        for image, uri in lying
    ]
    insert = db.insert_of(connection, Publication).values(rows)
    names = ("render_id", "place", "uri", "published_at")
    changed = {name: insert.excluded[name] for name in names}
    unique = ["schedule_id", "row_id", "variant"]
    connection.execute(insert.on_conflict_do_update(index_elements=unique, set_=changed))


def shown(connection: Connection, entry: Entry) -> Iterator[Shown]:
    """What lies there and still counts as approved, in the order of the rows' ids."""
    key = (Publication.row_id, Publication.variant)
    of_render = ("sha256", "width", "height", "model", "charged_nusd")
    columns = [getattr(Render, name) for name in of_render]
    query = (
        select(*key, Publication.uri, Publication.published_at, *columns)
        .join(Render, Render.id == Publication.render_id)
        .outerjoin(Review, Review.render_id == Publication.render_id)
        .where(_lies(entry), _still_counts(entry))
        .order_by(*key)
        .execution_options(yield_per=_PAGE)
    )
    for row in connection.execute(query):
        yield Shown(**row._mapping)  # noqa: SLF001  # its public name


def _still_counts(entry: Entry) -> ColumnElement[bool]:
    """The condition that nobody rejected it since, or took back a word that it needs."""
    needs_word = standing.is_sampled(Publication.render_id, _percent(entry))
    is_approved = Review.decision == Decision.APPROVED
    return is_approved | (Review.decision.is_(None) & ~needs_word)


def count(connection: Connection, entry: Entry) -> int:
    """Of how many rows' images the last that was approved lies there."""
    query = select(func.count()).select_from(Publication).where(_lies(entry))
    return connection.scalar(query) or 0


def _lies(entry: Entry) -> ColumnElement[bool]:
    return (Publication.schedule_id == entry.id) & (Publication.place == entry.place)


def changed_at(connection: Connection, entry: Entry) -> datetime:
    """When something last happened that may let images be published, or no more."""
    decided = select(func.max(Review.decided_at))
    ended = (
        select(func.max(Run.finished_at), func.max(Job.finished_at))  # a job may be retried
        .outerjoin(Job, Job.id == Run.job_id)
        .where(Run.schedule_id == entry.id)
    )
    moments = [entry.applied_at, connection.scalar(decided), *connection.execute(ended).one()]
    return max(moment for moment in moments if moment is not None)


def begin(connection: Connection, entry: Entry, who: str, seconds: float) -> bool:
    """Publish for a schedule, or go on with it; False while another scheduler does."""
    now = db.now(connection)
    free = (Schedule.publisher == who) | (Schedule.publishing_until.is_(None))
    free |= Schedule.publishing_until < now
    told = {"publisher": who, "publishing_until": now + timedelta(seconds=seconds)}
    change = update(Schedule).where(Schedule.id == entry.id, free).values(**told)
    return bool(connection.execute(change).rowcount)


def end(connection: Connection, entry: Entry, who: str, trouble: str | None) -> bool:
    """Let others publish, and keep what went wrong, if anything did; False: another has begun."""
    mine = (Schedule.id == entry.id) & (Schedule.publisher == who)
    told = {"publisher": None, "publishing_until": None, "publish_trouble": trouble}
    return bool(connection.execute(update(Schedule).where(mine).values(**told)).rowcount)
