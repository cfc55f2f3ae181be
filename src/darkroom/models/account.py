"""Money of one scope."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Account(Base):
    """Money of one scope, kept equal to the attempts' sums; a cap is kept by its updates."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint(
            "reserved_nusd >= 0 AND spent_nusd >= 0 AND at_risk_nusd >= 0", name="money"
        ),
    )

    scope: Mapped[str] = mapped_column(Text, primary_key=True)
    cap_nusd: Mapped[int | None]
    reserved_nusd: Mapped[int] = mapped_column(default=0)
    spent_nusd: Mapped[int] = mapped_column(default=0)
    at_risk_nusd: Mapped[int] = mapped_column(default=0)

    @classmethod
    def scope_of(cls: type[Self], job_id: str) -> str:
        """The scope of one job."""
        return f"job:{job_id}"

    @classmethod
    def scope_of_day(cls: type[Self], moment: datetime) -> str:
        """The scope of the day, in UTC, that a moment belongs to."""
        return f"day:{moment.astimezone(UTC):%Y-%m-%d}"
