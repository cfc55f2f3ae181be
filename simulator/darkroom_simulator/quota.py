"""A request quota as strict as it can be: never more than so many in any 60 seconds."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Any

WINDOW = 60.0
KEPT = 500_000  # moments for `report`: more than an hour at 6,000 a minute
LOOKED_AT = (10.0, 60.0)  # seconds of the windows that `report` looks at
STEP = 0.5  # seconds from one of them to the next


class Quota:
    """A sliding window over the requests that were let in; `per_minute` 0 means no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.refused = 0
        self._taken: deque[float] = deque()
        self._kept: deque[float] = deque(maxlen=KEPT)

    def take(self, now: float) -> float:
        """Let a request in and return 0, or return the seconds until one would be let in."""
        if not self.per_minute:
            return 0.0
        while self._taken and self._taken[0] <= now - WINDOW:
            self._taken.popleft()
        if len(self._taken) >= self.per_minute:
            self.refused += 1
            return self._taken[0] + WINDOW - now
        self._taken.append(now)
        self._kept.append(now)
        return 0.0

    def reset(self) -> None:
        """Forget every request."""
        self.refused = 0
        self._taken.clear()
        self._kept.clear()

    def report(self) -> dict[str, Any]:
        """Tell how many were let in and refused, and how full the windows were.

        `use` is by the seconds of a window: the least and the mean share of the quota in those
        that lie between the first request and the last.
        """
        moments = list(self._kept)
        return {
            "per_minute": self.per_minute,
            "let_in": len(moments),
            "refused": self.refused,
            "seconds": moments[-1] - moments[0] if moments else 0.0,
            "use": {f"{window:g}": self._use(moments, window) for window in LOOKED_AT},
        }

    def _use(self, moments: list[float], window: float) -> dict[str, float] | None:
        """Look at every window, half a second apart; None where not one is whole."""
        if not moments or moments[-1] - moments[0] < window:
            return None
        share, begins = self.per_minute * window / WINDOW, moments[0]
        shares = []
        while begins + window <= moments[-1]:
            inside = bisect_left(moments, begins + window) - bisect_left(moments, begins)
            shares.append(inside / share)
            begins += STEP
        return {"least": min(shares), "mean": sum(shares) / len(shares)}
