"""A watched folder, and each file that was dropped into it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class Inbox(Base):
    """A folder, or a prefix in a bucket, whose manifests become jobs; one scheduler watches it."""

    __tablename__ = "inboxes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    url: Mapped[str] = mapped_column(Text, unique=True, doc="an absolute path, or gs://…")
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None] = mapped_column(doc="nothing new is taken from it")
    tier: Mapped[str | None] = mapped_column(String(24))
    model: Mapped[str | None] = mapped_column(Text)
    max_cost_nusd: Mapped[int | None] = mapped_column(doc="of each file")
    deliver_within: Mapped[int | None] = mapped_column(doc="seconds from its acceptance")
    accept_valid: Mapped[bool] = mapped_column(default=False)
    catalog: Mapped[str | None] = mapped_column(String(64), doc="whose rows those of files are")
    watcher: Mapped[str | None] = mapped_column(String(32), doc="who watches it")
    watched_until: Mapped[datetime | None] = mapped_column(doc="that watcher's lease on it")
    looked_at: Mapped[datetime | None] = mapped_column(doc="when it was last read")
    trouble: Mapped[str | None] = mapped_column(Text, doc="why it cannot be read, and a remedy")


class Drop(Base):
    """One file that was dropped into an inbox. A content is accepted once an inbox."""

    __tablename__ = "drops"
    __table_args__ = (
        UniqueConstraint("inbox_id", "stamp", name="uq_drops_stamp"),
        UniqueConstraint("inbox_id", "sha256", name="uq_drops_sha256"),
        Index("ix_drops_state", "inbox_id", "state"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    inbox_id: Mapped[str] = mapped_column(ForeignKey("inboxes.id"))
    name: Mapped[str] = mapped_column(Text, doc="under which it was dropped")
    stamp: Mapped[str | None] = mapped_column(Text, doc="which file it is, while it is under way")
    state: Mapped[str] = mapped_column(String(12))
    sha256: Mapped[str | None] = mapped_column(String(64), doc="None: it may be dropped again")
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    kept: Mapped[str | None] = mapped_column(Text, doc="its name on the working shelf")
    message: Mapped[str | None] = mapped_column(Text, doc="why it was refused")
    told: Mapped[str | None] = mapped_column(String(12), doc="what its report last said")
    tries: Mapped[int] = mapped_column(Integer, default=0, doc="how often it ended its watcher")
    claimed_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
