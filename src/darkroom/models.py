"""The tables, and the closed sets that they hold.

Money is nano-dollars in BIGINT columns; times are aware and UTC; closed sets are text, by value.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class RenderState(StrEnum):
    """Where a render is on its way; design: one state at a time, counted in its job."""

    HELD = "held"
    PENDING = "pending"
    SENT = "sent"
    SUBMITTED = "submitted"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in _FINAL


_FINAL: Final = frozenset(
    {RenderState.DONE, RenderState.REFUSED, RenderState.FAILED, RenderState.CANCELLED}
)


class AttemptState(StrEnum):
    """`sent` is open; every other value is how the attempt ended, for good."""

    SENT = "sent"
    DELIVERED = "delivered"
    SPOILED = "spoiled"
    NO_IMAGE = "no-image"
    REFUSED = "refused"
    INVALID = "invalid"
    DENIED = "denied"
    GONE = "gone"
    BUSY = "busy"
    NOT_SENT = "not-sent"
    TRANSIENT = "transient"
    LOST = "lost"


class BatchState(StrEnum):
    """Where a provider batch is on its way."""

    BUILDING = "building"
    """Its attempts are claimed; its input is being written, nothing was asked for."""
    CREATING = "creating"
    """It was asked for, or may have been; the provider's name for it is not known."""
    RUNNING = "running"
    COLLECTING = "collecting"
    """Over at the provider; its results are being read."""
    MISSING = "missing"
    """Not found after a doubtful creation: its attempts are lost, and it is still looked for."""
    ENDED = "ended"


class CostSource(StrEnum):
    """How a charge is known."""

    METERED = "metered"
    ESTIMATED = "estimated"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time; SQLite, which has none, keeps it as UTC text that sorts."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: it would be read back as another instant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        stored = value.astimezone(UTC)
        return stored.replace(tzinfo=None) if dialect.name == "sqlite" else stored

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back that SQLite could not keep."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Serial: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""


class Base(DeclarativeBase):
    """Names constraints alike on every database, so that a migration can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy reads it as a class attribute
        datetime: UtcDateTime(),
        int: BigInteger(),
        dict[str, Any]: JSON(none_as_null=True),
    }


class Job(Base):
    """One submitted manifest. The counters equal the counts of its renders, by state."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    manifest_sha256: Mapped[str | None] = mapped_column(String(64))
    idempotency_key: Mapped[str | None] = mapped_column(Text, unique=True)
    created_at: Mapped[datetime]
    loaded_at: Mapped[datetime | None] = mapped_column(doc="None while rows are still streamed in")
    finished_at: Mapped[datetime | None]
    served_at: Mapped[datetime | None] = mapped_column(doc="when a worker last took from it")
    deliver_by: Mapped[datetime | None]
    priority: Mapped[int] = mapped_column(Integer, default=0)
    paused: Mapped[bool] = mapped_column(default=False)
    cancelled_at: Mapped[datetime | None]
    output_path: Mapped[str] = mapped_column(Text)
    storage_url: Mapped[str] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(Integer, default=0)
    invalid: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    likely_nusd: Mapped[int] = mapped_column(default=0, doc="the estimate when submitted")
    held: Mapped[int] = mapped_column(Integer, default=0)
    pending: Mapped[int] = mapped_column(Integer, default=0)
    sent: Mapped[int] = mapped_column(Integer, default=0)
    submitted: Mapped[int] = mapped_column(Integer, default=0)
    done: Mapped[int] = mapped_column(Integer, default=0)
    refused: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    cancelled: Mapped[int] = mapped_column(Integer, default=0)

    @property
    def total(self) -> int:
        """How many renders it has."""
        return sum(getattr(self, state.value) for state in RenderState)

    @property
    def unfinished(self) -> int:
        """How many renders may still change by themselves or by approval."""
        return self.held + self.pending + self.sent + self.submitted


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
    traffic_type: Mapped[str | None] = mapped_column(Text, doc="the service level that served")
    http_status: Mapped[int | None] = mapped_column(Integer)
    finish_reason: Mapped[str | None] = mapped_column(Text)
    block_reason: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    response_id: Mapped[str | None] = mapped_column(Text)
    resend_rule: Mapped[str | None] = mapped_column(Text, doc="what allowed the next one")
    sent_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    latency_ms: Mapped[int | None] = mapped_column(Integer)


class Batch(Base):
    """One provider batch: many attempts of one job and model, carried by one worker at a time.

    Its id is its name everywhere: of the job at the provider, of its input, of its output folder.
    """

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_due", "tier", "next_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    tier: Mapped[str] = mapped_column(String(24))
    model: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12))
    lines: Mapped[int] = mapped_column(Integer, default=0)
    tokens: Mapped[int] = mapped_column(default=0, doc="of input, as estimated")
    input_uri: Mapped[str | None] = mapped_column(Text)
    provider_name: Mapped[str | None] = mapped_column(Text, unique=True)
    provider_state: Mapped[str | None] = mapped_column(Text, doc="in the provider's word")
    succeeded: Mapped[int | None] = mapped_column(Integer, doc="lines, as the provider counts")
    failed: Mapped[int | None] = mapped_column(Integer, doc="lines, as the provider counts")
    delivered: Mapped[int] = mapped_column(Integer, default=0, doc="lines that were read")
    quarantined: Mapped[int] = mapped_column(Integer, default=0, doc="lines that are nobody's")
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    asked_at: Mapped[datetime | None] = mapped_column(doc="when its creation was last sent")
    submitted_at: Mapped[datetime | None] = mapped_column(doc="when the provider had it")
    cancelled_at: Mapped[datetime | None] = mapped_column(doc="when it was to end early")
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None] = mapped_column(doc="when to look again; None: never")
    looks: Mapped[int] = mapped_column(Integer, default=0, doc="since it entered its state")
    worker_id: Mapped[str | None] = mapped_column(String(32), doc="who carries it")
    carried_until: Mapped[datetime | None] = mapped_column(doc="that worker's lease on it")


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


class Rejection(Base):
    """A row that never became a render, kept for the job's rejection report."""

    __tablename__ = "rejections"

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    line: Mapped[int] = mapped_column(Integer)
    column: Mapped[str | None] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    hint: Mapped[str | None] = mapped_column(Text)


class Rest(Base):
    """A tier, or one model on it, that sends nothing: until a time, or until somebody acts."""

    __tablename__ = "rests"

    tier: Mapped[str] = mapped_column(String(24), primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True, doc="* for the whole tier")
    since: Mapped[datetime]
    until: Mapped[datetime | None] = mapped_column(doc="None: until a person resumes it")
    reason: Mapped[str] = mapped_column(Text)
    hint: Mapped[str | None] = mapped_column(Text)


class Worker(Base):
    """A worker process, and how long it is believed to live."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    tiers: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    draining_at: Mapped[datetime | None] = mapped_column(doc="told to end; takes nothing more")
    ended_at: Mapped[datetime | None]
