"""How a finished image looks at a glance."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Look(Base):
    """One done render's image, by a hash of what is seen of it; only where that is asked for.

    Renders of jobs that were loaded are never removed, so the render has no foreign key.
    """

    __tablename__ = "looks"
    __table_args__ = (Index("ix_looks_job", "job_id", "look"),)

    render_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    look: Mapped[str] = mapped_column(String(32), doc="equal for images that look alike")
