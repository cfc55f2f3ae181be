"""What came of telling somebody."""

from __future__ import annotations

import msgspec

from darkroom.models import DeliveryState


class Verdict(msgspec.Struct, frozen=True):
    """How one try ended. `said` is what the receiver answered, or why it could not."""

    state: DeliveryState
    said: str | None = None

    @classmethod
    def sent(cls, said: str | None = None) -> Verdict:
        """It has it."""
        return cls(DeliveryState.SENT, said)

    @classmethod
    def again(cls, said: str) -> Verdict:
        """It is to be tried again later."""
        return cls(DeliveryState.PENDING, said)

    @classmethod
    def never(cls, said: str) -> Verdict:
        """Trying again is of no use."""
        return cls(DeliveryState.GIVEN_UP, said)
