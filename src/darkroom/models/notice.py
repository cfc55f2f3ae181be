"""Notices of what happened, and their way to each target."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Notice(Base):
    """One event. Its subject is unique: however many look, it is written once."""

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    event: Mapped[str] = mapped_column(String(24))
    subject: Mapped[str] = mapped_column(Text, unique=True, doc="what happened to what, and when")
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id"))
    body: Mapped[str] = mapped_column(Text, doc="JSON, to the byte as it is sent and signed")
    created_at: Mapped[datetime] = mapped_column(index=True)


class Delivery(Base):
    """The way of one notice to one target."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_next", "state", "target", "next_at"),)

    notice_id: Mapped[str] = mapped_column(ForeignKey("notices.id"), primary_key=True)
    target: Mapped[str] = mapped_column(Text, primary_key=True, doc="its name in the settings")
    state: Mapped[str] = mapped_column(String(12))
    tries: Mapped[int] = mapped_column(Integer, default=0, doc="those that began")
    next_at: Mapped[datetime] = mapped_column(doc="not before; while it is sent, its lease")
    last_error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]
