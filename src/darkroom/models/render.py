"""One image to be made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base, Serial


class Render(Base):
    """One image to be made: the unit of work, state, cost and storage."""

    __tablename__ = "renders"
    __table_args__ = (
        Index(
            "ix_renders_due",
            "job_id",
            "tier",
            "rank",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_renders_fingerprint", "fingerprint"),
        Index(
            "ix_renders_waiting",
            "parent_id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_renders_job", "job_id", "id"),
        CheckConstraint("charged_nusd >= 0 AND at_risk_nusd >= 0", name="money"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    row_no: Mapped[int] = mapped_column(Integer, doc="0, 1, 2 … within the job")
    line: Mapped[int] = mapped_column(Integer, doc="first line of the row in its manifest")
    row_id: Mapped[str] = mapped_column(Text)
    variant: Mapped[int] = mapped_column(Integer, doc="1 … n")
    n: Mapped[int] = mapped_column(Integer)
    fingerprint: Mapped[str] = mapped_column(String(32))
    turn: Mapped[int] = mapped_column(
        Integer, default=0, doc="1, 2 … of a row of several turns; 0: its last or only one"
    )
    edits: Mapped[str | None] = mapped_column(
        String(32), doc="fingerprint of the picture that it changes"
    )
    parent_id: Mapped[int | None] = mapped_column(BigInteger, doc="the render of that picture")
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(Text, doc="why it is held, refused or failed")
    message: Mapped[str | None] = mapped_column(Text)
    tier: Mapped[str] = mapped_column(String(24))
    model: Mapped[str] = mapped_column(Text)
    request: Mapped[str] = mapped_column(Text, doc="JSON: what the backend is asked for")
    labels: Mapped[str | None] = mapped_column(Text, doc="JSON: tags and variables of the row")
    output_path: Mapped[str | None] = mapped_column(Text)
    rank: Mapped[int] = mapped_column(Integer, default=0, doc="lowest first: minus its priority")
    due_at: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(Integer, default=0, doc="number of its newest attempt")
    tries: Mapped[int] = mapped_column(Integer, default=0, doc="attempts used up by failures")
    imageless: Mapped[int] = mapped_column(Integer, default=0, doc="paid answers without image")
    losses: Mapped[int] = mapped_column(Integer, default=0, doc="answers that never came back")
    remedy: Mapped[str | None] = mapped_column(String(12), doc="what its next request says else")
    reserve_nusd: Mapped[int] = mapped_column(doc="set aside for each attempt")
    max_cost_nusd: Mapped[int | None]
    charged_nusd: Mapped[int] = mapped_column(default=0)
    at_risk_nusd: Mapped[int] = mapped_column(default=0)
    attempt_id: Mapped[str | None] = mapped_column(String(32), doc="the delivered one")
    uri: Mapped[str | None] = mapped_column(Text, doc="below the job's storage place")
    sha256: Mapped[str | None] = mapped_column(String(64))
    crc32c: Mapped[str | None] = mapped_column(String(8), doc="as object storage gives it")
    bytes: Mapped[int | None]
    mime: Mapped[str | None] = mapped_column(String(40))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    finished_at: Mapped[datetime | None]
