"""One submitted manifest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base
from darkroom.models.state import RenderState


class Job(Base):
    """One submitted manifest. The counters equal the counts of its renders, by state."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    manifest_sha256: Mapped[str | None] = mapped_column(String(64))
    idempotency_key: Mapped[str | None] = mapped_column(Text, unique=True)
    catalog: Mapped[str | None] = mapped_column(String(64), doc="whose rows its own are, by id")
    created_at: Mapped[datetime]
    loaded_at: Mapped[datetime | None] = mapped_column(doc="None while rows are still streamed in")
    finished_at: Mapped[datetime | None]
    served_at: Mapped[datetime | None] = mapped_column(doc="when a worker last took from it")
    deliver_by: Mapped[datetime | None]
    priority: Mapped[int] = mapped_column(Integer, default=0)
    paused: Mapped[bool] = mapped_column(default=False)
    cancelled_at: Mapped[datetime | None]
    output_path: Mapped[str] = mapped_column(Text)
    storage_url: Mapped[str] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(Integer, default=0)
    invalid: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    shared: Mapped[int] = mapped_column(
        Integer, default=0, doc="pictures that another row of it asks for, too"
    )
    likely_nusd: Mapped[int] = mapped_column(default=0, doc="the estimate when submitted")
    held: Mapped[int] = mapped_column(Integer, default=0)
    waiting: Mapped[int] = mapped_column(Integer, default=0)
    pending: Mapped[int] = mapped_column(Integer, default=0)
    sent: Mapped[int] = mapped_column(Integer, default=0)
    submitted: Mapped[int] = mapped_column(Integer, default=0)
    done: Mapped[int] = mapped_column(Integer, default=0)
    refused: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    cancelled: Mapped[int] = mapped_column(Integer, default=0)

    @property
    def total(self) -> int:
        """How many renders it has."""
        return sum(getattr(self, state.value) for state in RenderState)

    @property
    def unfinished(self) -> int:
        """How many renders may still change by themselves or by approval."""
        return self.held + self.waiting + self.pending + self.sent + self.submitted
