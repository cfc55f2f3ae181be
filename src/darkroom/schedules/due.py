"""Which runs may begin now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from darkroom.models import RunState
from darkroom.schedules import books
from darkroom.schedules.entry import Entry, RunEntry


def take_due(
    connection: Connection, name: str, who: str, seconds: float, now: datetime, most: int = 1
) -> list[RunEntry]:
    """Take so many runs of a schedule that may begin, or whose scheduler is silent."""
    entry = books.entry(connection, name, lock=True, removed_too=True)
    found = books.open_runs(connection, entry.id)
    begun = [run for run in found if run.state is not RunState.WAITING]
    silent = [run for run in begun if _is_working(run)][:most]
    taken = [run for run in silent if _take(connection, run, who, seconds)]
    for run in found:
        if len(taken) >= most:
            break
        if run.state is not RunState.WAITING or run.due_at > now or not _may(entry, run, begun):
            continue
        if _take(connection, run, who, seconds):
            begun.append(run)
            taken.append(run)
    return taken


def _is_working(run: RunEntry) -> bool:
    return run.state is RunState.WORKING


def _take(connection: Connection, run: RunEntry, who: str, seconds: float) -> bool:
    return books.take(connection, run.id, who, seconds)


def _may(entry: Entry, run: RunEntry, begun: list[RunEntry]) -> bool:
    """Whether the overlap and a pause let it begin; a person's own runs are asked for."""
    if run.cause == "person":
        return True
    if run.cause == "cron" and entry.paused_at is not None:
        return False
    if run.cause == "cron" and entry.terms.overlap == "allow":
        return True
    return not begun
