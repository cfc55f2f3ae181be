"""The image of a row that a schedule published."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Publication(Base):
    """The image of a row that its schedule published last; earlier ones stay where they lie.

    Renders of jobs that were loaded are never removed, so the render has no foreign key.
    """

    __tablename__ = "publications"

    schedule_id: Mapped[str] = mapped_column(
        String(32), ForeignKey("schedules.id"), primary_key=True
    )
    row_id: Mapped[str] = mapped_column(Text, primary_key=True)
    variant: Mapped[int] = mapped_column(Integer, primary_key=True)
    render_id: Mapped[int] = mapped_column(BigInteger)
    place: Mapped[str] = mapped_column(Text, doc="an absolute path, or gs://…")
    uri: Mapped[str] = mapped_column(Text, doc="below that place")
    published_at: Mapped[datetime]
