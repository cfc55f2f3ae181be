"""A schedule, and each of its runs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Schedule(Base):
    """What is rendered again and again, as it was applied from its file."""

    __tablename__ = "schedules"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    terms: Mapped[str] = mapped_column(Text, doc="JSON: what its file says")
    folder: Mapped[str] = mapped_column(Text, doc="where relative paths and modules begin")
    created_at: Mapped[datetime]
    applied_at: Mapped[datetime]
    removed_at: Mapped[datetime | None] = mapped_column(doc="it fires no more")
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(Integer, default=0, doc="runs that failed in a row")
    looked_until: Mapped[datetime] = mapped_column(doc="every fire up to here has its run")
    publisher: Mapped[str | None] = mapped_column(
        String(32), doc="which scheduler publishes for it"
    )
    publishing_until: Mapped[datetime | None] = mapped_column(doc="that scheduler's lease on it")
    publish_trouble: Mapped[str | None] = mapped_column(Text, doc="why images are not published")


class Run(Base):
    """One fire of a schedule, and what became of it. Two clocks make one of it."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "fire_at", name="uq_runs_fire"),
        Index("ix_runs_state", "state"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    schedule_id: Mapped[str] = mapped_column(ForeignKey("schedules.id"))
    fire_at: Mapped[datetime] = mapped_column(doc="when it should begin, without jitter")
    due_at: Mapped[datetime] = mapped_column(doc="when it may begin, with jitter")
    deadline_at: Mapped[datetime | None]
    local_date: Mapped[str] = mapped_column(String(10), doc="of the fire, where the schedule is")
    cause: Mapped[str] = mapped_column(String(10), doc="cron, person or backfill")
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(Text, doc="why it ended so, or what it waits for")
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    worker: Mapped[str | None] = mapped_column(String(32), doc="which scheduler works on it")
    worked_until: Mapped[datetime | None] = mapped_column(doc="that scheduler's lease on it")
    tries: Mapped[int] = mapped_column(Integer, default=0, doc="how often work on it began")
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    deadline_acted: Mapped[bool] = mapped_column(default=False)
