"""What somebody decided on an image."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Review(Base):
    """The last word on one done render's image. Without a row, or a decision, it is unreviewed.

    Renders of jobs that were loaded are never removed, so the render has no foreign key.
    """

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_decided", "decided_at"),)

    render_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    decision: Mapped[str | None] = mapped_column(String(12), doc="None: it was taken back")
    reviewer: Mapped[str] = mapped_column(Text, doc="who said so last")
    note: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(doc="when that was, or was taken back")
