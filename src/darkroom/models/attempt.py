"""One paid request, a line of the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base

STOPPED: Final = "GATE_"
"""How the finish reason begins where a gate stopped the image; the gate's name follows."""


class Attempt(Base):
    """One paid request for a render: a line of the ledger. Closed once, never opened again."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_render", "render_id", "fence", unique=True),
        Index("ix_attempts_job", "job_id"),
        Index("ix_attempts_sent", "tier", "sent_at"),
        Index(
            "ix_attempts_batch",
            "batch_id",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        Index(
            "ix_attempts_open",
            "worker_id",
            sqlite_where=text("state = 'sent'"),
            postgresql_where=text("state = 'sent'"),
        ),
        Index(
            "uq_attempts_open_render",
            "render_id",
            unique=True,
            sqlite_where=text("state = 'sent'"),
            postgresql_where=text("state = 'sent'"),
        ),
        Index(
            "uq_attempts_delivered_render",
            "render_id",
            unique=True,
            sqlite_where=text("state = 'delivered'"),
            postgresql_where=text("state = 'delivered'"),
        ),
        CheckConstraint(
            "reserved_nusd >= 0 AND charged_nusd >= 0 AND at_risk_nusd >= 0", name="money"
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    render_id: Mapped[int] = mapped_column(ForeignKey("renders.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    fence: Mapped[int] = mapped_column(Integer, doc="1, 2, 3 … within the render")
    tier: Mapped[str] = mapped_column(String(24))
    model: Mapped[str] = mapped_column(Text)
    worker_id: Mapped[str | None] = mapped_column(String(32))
    batch_id: Mapped[str | None] = mapped_column(String(32), doc="the batch that it travels in")
    state: Mapped[str] = mapped_column(String(12))
    reserved_nusd: Mapped[int]
    charged_nusd: Mapped[int] = mapped_column(default=0)
    at_risk_nusd: Mapped[int] = mapped_column(default=0)
    cost_source: Mapped[str | None] = mapped_column(String(12))
    price_version: Mapped[str | None] = mapped_column(Text)
    prompt_tokens: Mapped[int | None] = mapped_column(Integer)
    cached_tokens: Mapped[int | None] = mapped_column(Integer)
    image_tokens: Mapped[int | None] = mapped_column(Integer)
    text_tokens: Mapped[int | None] = mapped_column(Integer)
    thought_tokens: Mapped[int | None] = mapped_column(Integer)
    searches: Mapped[int | None] = mapped_column(Integer, doc="billed queries before it drew")
    traffic_type: Mapped[str | None] = mapped_column(Text, doc="the service level that served")
    http_status: Mapped[int | None] = mapped_column(Integer)
    finish_reason: Mapped[str | None] = mapped_column(Text)
    block_reason: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    response_id: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(String(12), doc="what its request said else")
    resend_rule: Mapped[str | None] = mapped_column(Text, doc="what allowed the next one")
    sent_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    latency_ms: Mapped[int | None] = mapped_column(Integer)
