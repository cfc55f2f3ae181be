"""How workers work."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field

from darkroom.settings.value import FROZEN


class OnLost(StrEnum):
    """What becomes of a render whose answer never came back."""

    RETRY_ONCE = "retry-once"
    HOLD = "hold"


class Rules(BaseModel):
    """How often a render is tried, and what a lost answer costs at most."""

    model_config = FROZEN

    max_attempts: int = Field(4, ge=1, le=20, description="failed attempts before giving up")
    no_image_retries: int = Field(1, ge=0, le=5, description="paid answers without an image")
    rerolls: int = Field(1, ge=0, le=5, description="images that a gate stopped, asked for anew")
    remedies: bool = Field(
        default=True, description="after an answer without an image, ask for the image alone"
    )
    reference_remedies: int = Field(
        1, ge=0, le=15, description="requests after a prompt with references that was blocked"
    )
    on_lost: OnLost = OnLost.RETRY_ONCE
    backoff_seconds: float = Field(2.0, gt=0, description="first wait after a failure; doubles")
    breaker_failures: int = Field(
        10, ge=0, description="in a row, after which a model rests on its tier; 0: never"
    )
    breaker_seconds: float = Field(30.0, gt=0, description="its first rest; doubles, to 600")
    signature_days: float = Field(
        30.0, ge=0, le=36_500, description="how long those of a finished job's turns are kept"
    )


class Work(BaseModel):
    """A worker process."""

    model_config = FROZEN

    lease_seconds: float = Field(30.0, ge=2, description="a silent worker is dead after this")
    take_seconds: float = Field(60.0, gt=0, description="how long one call takes new work")
    grace_seconds: float = Field(600.0, gt=0, description="how long TERM waits for answers")
    hurry_seconds: float = Field(10.0, gt=0, description="how long a second TERM waits for them")
    request_seconds: float = Field(300.0, gt=0, description="longest wait for an answer")
    request_seconds_4k: float = Field(600.0, gt=0, description="the same for 4K")
    request_seconds_flex: float = Field(1_800.0, gt=0, description="the same at level flex")
    answers_at_once: int = Field(64, ge=1, description="read at a time; others wait in sockets")
    most_waiting: int = Field(
        500, ge=1, description="answers that wait to be booked; with more, nothing is claimed"
    )
    metrics_port: int | None = Field(None, ge=1, le=65535, description="first free one from here")
    metrics_host: str = Field("127.0.0.1", description="where the metrics are served")


class Batches(BaseModel):
    """Provider batches: how large, how often looked at, how long looked for."""

    model_config = FROZEN

    poll_interval: float = Field(30.0, gt=0, description="seconds between looks, at first; doubles")
    poll_longest: float = Field(600.0, gt=0, description="longest pause between looks, in seconds")
    find_seconds: float = Field(
        1_200.0, gt=0, description="how long a batch whose creation is in doubt is looked for"
    )
    lease_seconds: float = Field(120.0, ge=2, description="a silent carrier is replaced after this")
    most_lines: int = Field(200_000, ge=1, le=200_000)
    most_input_bytes: int = Field(1_000_000_000, ge=1_000_000, le=2_000_000_000)
    most_output_bytes: int = Field(
        2 << 30, ge=1, description="predicted size of a result file: a batch is cut there"
    )
    longest_wait: float = Field(
        86_400.0, gt=0, description="seconds before it runs; with a deadline, longer is too long"
    )
    margin_seconds: float = Field(
        600.0, ge=0, description="time kept in hand for finishing on demand before a deadline"
    )
