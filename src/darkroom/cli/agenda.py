"""Schedules and their runs, in words and as documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from rich.table import Table
from rich.text import Text

from darkroom.cli import document, voice, wording
from darkroom.models import RunState
from darkroom.schedules.calendar import Fire
from darkroom.schedules.desk import Seen
from darkroom.schedules.entry import Entry
from darkroom.schedules.file import Applied
from darkroom.schedules.terms import Terms


def applied(each: Applied, word: str) -> str:
    """Say what became of one file."""
    terms = each.terms
    fire = _next(terms)
    when = "never" if fire is None else f"{fire.local:%Y-%m-%d %H:%M}"
    explained = terms.calendar().explain()
    return f"{terms.name} ({word}): {explained}, {terms.timezone}; next {when}"


def of_applied(each: Applied, word: str) -> document.Document:
    """What became of one file."""
    return {
        "schedule": each.terms.name,
        "file": str(each.path),
        "state": word,
        "doubts": list(each.doubts),
        "next": _of_next(each.terms),
    }


def of_entry(entry: Entry, last: Seen | None) -> document.Document:
    """A schedule as it stands."""
    return {
        "schedule": entry.name,
        "terms": entry.terms.model_dump(mode="json", exclude_unset=True),
        "explained": entry.terms.calendar().explain(),
        "folder": str(entry.folder),
        "paused": entry.paused_at is not None,
        "pause_reason": entry.pause_reason,
        "failures": entry.failures,
        "publish_place": entry.place,
        "publish_trouble": entry.publish_trouble,
        "next": None if entry.paused_at else _of_next(entry.terms),
        "last": None if last is None else of_run(last),
    }


def of_run(seen: Seen) -> document.Document:
    """A run, with its job."""
    known: document.Document = msgspec.to_builtins(seen.run)
    job = None if seen.job is None else document.of_job(seen.job)
    return known | {"job": job, "images": msgspec.to_builtins(seen.images)}


def of_fire(fire: Fire) -> document.Document:
    """A time at which it fires."""
    return {"utc": msgspec.to_builtins(fire.at), "local": fire.local.isoformat(), "note": fire.note}


def _next(terms: Terms) -> Fire | None:
    return next(terms.calendar().after(datetime.now(UTC)), None)


def _of_next(terms: Terms) -> document.Document | None:
    fire = _next(terms)
    return None if fire is None else of_fire(fire)


def fires(found: Sequence[Fire]) -> Table:
    """Times, there and in UTC."""
    made = voice.table("LOCAL<", "UTC<", "NOTE")
    for fire in found:
        made.add_row(f"{fire.local:%a %Y-%m-%d %H:%M %Z}", wording.stamp(fire.at), fire.note or "")
    return made


def table(found: Sequence[tuple[Entry, Seen | None]]) -> Table:
    """Schedules, a line each."""
    made = voice.table("NAME<", "WHEN", "NEXT<", "LAST RUN<", "COST>", "STATE")
    for entry, last in found:
        fire = None if entry.paused_at else _next(entry.terms)
        made.add_row(
            voice.safe(entry.name),
            f"{entry.terms.calendar().explain()}, {entry.terms.timezone}",
            "" if fire is None else f"{fire.local:%Y-%m-%d %H:%M}",
            "" if last is None else f"{last.run.local_date} {last.run.state}",
            "" if last is None or last.job is None else wording.money(last.job),
            voice.safe(_state(entry)),
        )
    return made


def _state(entry: Entry) -> str:
    if entry.paused_at is not None:
        return f"paused: {entry.pause_reason}"
    return f"{entry.failures} failed in a row" if entry.failures else "fires"


def facts(entry: Entry, published: int) -> Iterator[tuple[str, str | Text]]:
    """A schedule, fact by fact."""
    terms, source = entry.terms, entry.terms.source
    yield "schedule", voice.safe(entry.name)
    yield "when", f"{terms.calendar().explain()}, {terms.timezone}"
    yield "rows", voice.safe(source.manifest or source.python or source.query or "")
    yield "state", voice.safe(_state(entry))
    if terms.max_cost is not None:
        yield "max cost", f"${terms.max_cost:f}; above it a run waits for approval"
    if terms.deadline is not None:
        yield "deadline", f"{terms.deadline}, then {terms.on_deadline.action}"
    if terms.review_percent:
        yield "review", f"of 100 images {terms.review_percent} wait for it"
    if terms.publish is not None:
        yield "publish", voice.safe(f"what is {terms.publish.when}, to {entry.place}")
        yield "published", f"{published:,} images"
    if entry.publish_trouble:
        yield "trouble", voice.safe(entry.publish_trouble)


def runs(seen: Sequence[Seen]) -> Table:
    """Runs, a line each."""
    is_reviewed = any(each.images is not None for each in seen)
    more = ("REVIEW<", "PUBLISHED>") if is_reviewed else ()
    made = voice.table("FIRE<", "BY<", "STATE<", "IMAGES>", "COST>", *more, "JOB<", "WHY")
    for each in seen:
        run, job = each.run, each.job
        made.add_row(
            wording.stamp(run.fire_at),
            run.cause,
            _word(each),
            "" if job is None else f"{job.done:,}/{job.total:,}",
            "" if job is None else wording.money(job),
            *(_images(each) if is_reviewed else ()),
            run.job_id or "",
            voice.safe(run.reason or ""),
        )
    return made


def _images(seen: Seen) -> tuple[str, str]:
    """How many images wait for a review, and how many lie where they are published."""
    images = seen.images
    if images is None:
        return "", ""
    parts = [
        f"{how_many:,} {word}"
        for word, how_many in (
            ("wait", images.waiting),
            ("approved", images.approved),
            ("rejected", images.rejected),
        )
        if how_many
    ]
    return ", ".join(parts), f"{images.published:,}"


def _word(seen: Seen) -> str:
    """A run that is a job stands as the job does."""
    is_job = seen.run.state is RunState.SUBMITTED and seen.job is not None
    return seen.job.state if is_job and seen.job is not None else seen.run.state.value
