"""One provider batch."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Batch(Base):
    """One provider batch: many attempts of one job and model, carried by one worker at a time.

    Its id is its name everywhere: of the job at the provider, of its input, of its output folder.
    """

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_due", "tier", "next_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    tier: Mapped[str] = mapped_column(String(24))
    model: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12))
    lines: Mapped[int] = mapped_column(Integer, default=0)
    tokens: Mapped[int] = mapped_column(default=0, doc="of input, as estimated")
    input_uri: Mapped[str | None] = mapped_column(Text)
    provider_name: Mapped[str | None] = mapped_column(Text, unique=True)
    provider_state: Mapped[str | None] = mapped_column(Text, doc="in the provider's word")
    succeeded: Mapped[int | None] = mapped_column(Integer, doc="lines, as the provider counts")
    failed: Mapped[int | None] = mapped_column(Integer, doc="lines, as the provider counts")
    delivered: Mapped[int] = mapped_column(Integer, default=0, doc="lines that were read")
    quarantined: Mapped[int] = mapped_column(Integer, default=0, doc="lines that are nobody's")
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    asked_at: Mapped[datetime | None] = mapped_column(doc="when its creation was last sent")
    submitted_at: Mapped[datetime | None] = mapped_column(doc="when the provider had it")
    cancelled_at: Mapped[datetime | None] = mapped_column(doc="when it was to end early")
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None] = mapped_column(doc="when to look again; None: never")
    looks: Mapped[int] = mapped_column(Integer, default=0, doc="since it entered its state")
    worker_id: Mapped[str | None] = mapped_column(String(32), doc="who carries it")
    carried_until: Mapped[datetime | None] = mapped_column(doc="that worker's lease on it")
