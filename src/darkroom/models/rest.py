"""A tier that sends nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Rest(Base):
    """A tier, or one model on it, that sends nothing: until a time, or until somebody acts."""

    __tablename__ = "rests"

    tier: Mapped[str] = mapped_column(String(24), primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True, doc="* for the whole tier")
    since: Mapped[datetime]
    until: Mapped[datetime | None] = mapped_column(doc="None: until a person resumes it")
    reason: Mapped[str] = mapped_column(Text)
    hint: Mapped[str | None] = mapped_column(Text)
