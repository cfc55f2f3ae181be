"""A worker process."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Worker(Base):
    """A worker process, and how long it is believed to live."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    tiers: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    draining_at: Mapped[datetime | None] = mapped_column(doc="told to end; takes nothing more")
    ended_at: Mapped[datetime | None]
