"""The closed sets that the tables hold, by value."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class RenderState(StrEnum):
    """Where a render is on its way; design: one state at a time, counted in its job."""

    HELD = "held"
    WAITING = "waiting"
    """It changes an image that is not there yet."""
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


class DropState(StrEnum):
    """Where a dropped file is on its way."""

    CLAIMED = "claimed"
    """Taken from its inbox; not judged yet."""
    ACCEPTED = "accepted"
    """It is a job, which goes on."""
    DONE = "done"
    FAILED = "failed"
    """Refused, or no image came of it."""
    DUPLICATE = "duplicate"
    """Its content was accepted before."""


class CostSource(StrEnum):
    """How a charge is known."""

    METERED = "metered"
    """Tokens or images that the provider reported, at Google's price list."""
    REPORTED = "reported"
    """The amount that the provider named itself."""
    LISTED = "listed"
    """The operator's own price list of a proxy, by the call or by reported tokens."""
    ESTIMATED = "estimated"


class Remedy(StrEnum):
    """What a request says differently than the row did."""

    ONLY_IMAGE = "only-image"
    """It asks for the image alone: the answer before had none."""
    JPEG = "jpeg"
    """Its references are written anew, as JPEG: the prompt was blocked for no named reason."""
    WITHOUT_1 = "without-1"
    WITHOUT_2 = "without-2"
    WITHOUT_3 = "without-3"
    WITHOUT_4 = "without-4"
    WITHOUT_5 = "without-5"
    WITHOUT_6 = "without-6"
    WITHOUT_7 = "without-7"
    WITHOUT_8 = "without-8"
    WITHOUT_9 = "without-9"
    WITHOUT_10 = "without-10"
    WITHOUT_11 = "without-11"
    WITHOUT_12 = "without-12"
    WITHOUT_13 = "without-13"
    WITHOUT_14 = "without-14"
    """It lacks the reference of this number, for the same reason. No model takes more than 14."""

    @property
    def omitted(self) -> int | None:
        """The number of the reference that is left out, from 1."""
        name, _, number = self.value.partition("-")
        return int(number) if name == "without" else None


class Decision(StrEnum):
    """What somebody said of an image. One of which nobody said anything is unreviewed."""

    APPROVED = "approved"
    REJECTED = "rejected"
    """It does not count as delivered: who asks for it again has it made, and pays."""


class DeliveryState(StrEnum):
    """Where a notice is on its way to one target."""

    PENDING = "pending"
    """It is to be sent, or to be sent again."""
    SENT = "sent"
    GIVEN_UP = "given-up"
    """The target wants no more, or did not take it however often it was sent."""


class RunState(StrEnum):
    """Where a run of a schedule is on its way."""

    WAITING = "waiting"
    """It is to begin: its jitter, or an earlier run, is waited for."""
    WORKING = "working"
    """A scheduler gathers its rows and plans them."""
    SUBMITTED = "submitted"
    """It is a job, which runs or waits for approval."""
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    """It did not begin, by the schedule's own rules."""
    MISSED = "missed"
    """Nothing ticked until its catch-up window was over."""

    @property
    def is_open(self) -> bool:
        """Whether something is still to come of it."""
        return self in _OPEN


_OPEN: Final = frozenset({RunState.WAITING, RunState.WORKING, RunState.SUBMITTED})
