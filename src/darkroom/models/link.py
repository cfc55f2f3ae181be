"""A picture of one row that another row's render makes, or has made."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Link(Base):
    """A picture of a job that is not rendered for it: it is there, or another row asks for it.

    Renders of jobs that were loaded are never removed, so the render has no foreign key: that
    would cost a look at its index for each of a million links.
    """

    __tablename__ = "links"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    row_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    variant: Mapped[int] = mapped_column(Integer, primary_key=True)
    line: Mapped[int] = mapped_column(Integer)
    row_id: Mapped[str] = mapped_column(Text)
    turn: Mapped[int] = mapped_column(Integer, default=0, doc="as a render's")
    labels: Mapped[str | None] = mapped_column(Text, doc="JSON: tags and variables of the row")
    render_id: Mapped[int] = mapped_column(BigInteger)
