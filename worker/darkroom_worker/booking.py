"""What one booking brought, and which claim gets which slot of it: plain arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from darkroom.jobs.claim import Claim
from darkroom_worker.backends.base import Break
from darkroom_worker.slots import TOLERANCE, Slot, Want


class Turn(msgspec.Struct):
    """When a claim may be sent, by the monotonic clock; None: it must get another slot first.

    `since` is when nothing stood against it yet: before it was claimed.
    """

    at: float | None
    since: float


class Booking(msgspec.Struct):
    """Slots of a tier, and of its models where their rates are learned.

    Without slots there is a `wait` in seconds; `rest` says that it is worth writing down.
    """

    made_at: float
    want: Want
    slots: list[Slot]
    models: dict[str, list[Slot]] | None = None
    resting: frozenset[str] = frozenset()
    wait: float = 0.0
    rest: Break | None = None

    @property
    def most(self) -> int:
        """How many renders to claim."""
        return len(self.slots)

    @property
    def rooms(self) -> Mapping[str, int]:
        """How many renders of a model to claim at most; those not named are free."""
        booked = {model: len(slots) for model, slots in (self.models or {}).items()}
        return {**booked, **dict.fromkeys(self.resting, 0)}

    @property
    def is_short(self) -> bool:
        """Whether work may be waiting for a model that has no slot now."""
        return any(not slots for slots in (self.models or {}).values())

    @property
    def has_left(self) -> bool:
        """Whether slots were left over for want of work."""
        return any(self.models.values()) if self.models else bool(self.slots)

    def deal(
        self, claims: Sequence[Claim], now: float
    ) -> tuple[list[tuple[Claim, Turn]], list[Claim]]:
        """Give each claim its turn; those whose model has no slot left are handed back.

        What stays in `slots` and `models` was not needed. A slot whose time has gone by already is
        of no use: its claim gets another one later.
        """
        self.slots = [slot for slot in self.slots if slot.at + TOLERANCE > now]
        turns, unsent = [], []
        for one in claims:
            after = 0.0
            if self.models is not None:
                own = self.models.get(one.model)
                if not own:
                    unsent.append(one)
                    continue
                after = own.pop(0).at
            turns.append((one, Turn(self._pick(after), self.made_at)))
        return turns, unsent

    def _pick(self, after: float) -> float | None:
        """Take the first slot that is not before a moment: so the tier keeps its own spacing."""
        if not self.want.gap:
            return max(after, self.slots.pop(0).at) if self.slots else None
        for number, slot in enumerate(self.slots):
            if slot.at >= after:
                return self.slots.pop(number).at
        return None
