"""What must be sent back with an image when the next turn goes on from it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Signature(Base):
    """The parts of an answer with the model's thought signatures; only where a turn follows.

    Some time after their job was finished they are removed: see `darkroom.jobs.signatures`.

    Renders of jobs that were loaded are never removed, so the render has no foreign key.
    """

    __tablename__ = "signatures"

    render_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    parts: Mapped[str] = mapped_column(Text, doc="JSON: the parts, without the bytes of images")
