"""The states of a job, in the words of both platforms."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job stands. AI Studio knows pending, running and five ends: google-genai 3.4.0."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"

    @property
    def over(self) -> bool:
        """Tell whether nothing more happens."""
        return self in OVER

    @property
    def studio(self) -> str:
        """AI Studio's word."""
        return f"BATCH_STATE_{STUDIO.get(self, self)}"

    @property
    def vertex(self) -> str:
        """Vertex's word."""
        return f"JOB_STATE_{self}"


OVER = frozenset(
    {
        State.SUCCEEDED,
        State.FAILED,
        State.CANCELLED,
        State.EXPIRED,
        State.PARTIALLY_SUCCEEDED,
    }
)
STUDIO = {State.QUEUED: State.PENDING, State.CANCELLING: State.RUNNING}
