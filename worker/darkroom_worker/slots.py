"""Slots: what is asked for, what was booked, and by which clock they are to be used."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

HORIZON: Final = 1.9  # seconds that slots are booked ahead: long enough for few calls
TOLERANCE: Final = 0.15  # seconds that a request may leave after its slot
# A strict window of a minute sees what left late or travelled slowly beside what did not. So a
# minute's slots are spread over this much more: half of it is TOLERANCE, half for the way.
SLACK: Final = 0.3
SETTLE: Final = 2.1  # seconds after which whatever was booked has left, even a little late
LEASE: Final = 10.0  # seconds that a worker's word about its requests in flight is believed
_MICRO: Final = 1_000_000


class Why(StrEnum):
    """What gave fewer slots than were asked for."""

    NOTHING = ""
    PACE = "pace"
    REST = "rest"
    FLEET = "fleet"
    DAY = "day"
    SPEND = "spend"
    LOST = "lost"


class Slot(msgspec.Struct, frozen=True):
    """One booked request: `at` by this process's monotonic clock, `us` by the server's."""

    at: float
    us: int


class Slots(msgspec.Struct, frozen=True):
    """Booked slots in order; `wait` is the seconds until more can be had, `why` what held back."""

    booked: tuple[Slot, ...]
    wait: float = 0.0
    why: Why = Why.NOTHING
    rate: float = 0.0


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """What one booking asks for. `lead` and `ahead` are seconds; money is nano-dollars."""

    most: int
    flying: int = 0
    lead: float = 0.0
    ahead: float = HORIZON
    gap: float = 0.0
    shift: float = 0.0
    each_nusd: int = 0
    correction_nusd: int = 0


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers of a model taught: good ones, seconds of a round, the newest throttled."""

    good: int = 0
    round: float = 10.0
    throttled_us: int = 0
    wait: float = 0.0


class ServerClock:
    """The server's clock, told by this process's monotonic one."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def note(self, sent: float, received: float, server_us: int) -> None:
        """Hear what it was at some moment in between: no estimate may lie outside."""
        low, high = server_us / _MICRO - received, server_us / _MICRO - sent
        guess = (low + high) / 2 if self._ahead is None else self._ahead
        self._ahead = min(max(guess, low), high)

    def here(self, server_us: int) -> float:
        """Tell a moment of the server by the clock of this process."""
        return server_us / _MICRO - (self._ahead or 0.0)

    def there(self, moment: float) -> int:
        """Tell a moment of this process by the server's clock, in microseconds."""
        return round((moment + (self._ahead or 0.0)) * _MICRO)

    @property
    def is_known(self) -> bool:
        """Whether the server has spoken yet."""
        return self._ahead is not None
