"""How fast a job goes, and when it will be through."""

from __future__ import annotations

from collections import deque
from typing import Final

_WINDOW_SECONDS: Final = 15.0


class Pace:
    """Finished renders a second over the last quarter of a minute."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, at: float, finished: int) -> None:
        """Hear how many were finished at a moment, in seconds of any one clock."""
        self._marks.append((at, finished))
        while at - self._marks[0][0] > _WINDOW_SECONDS:
            self._marks.popleft()

    @property
    def rate(self) -> float | None:
        """Renders a second; None before anything was seen to be finished."""
        if not self._marks:
            return None
        (since, before), (now, after) = self._marks[0], self._marks[-1]
        return (after - before) / (now - since) if after > before else None

    def seconds_for(self, renders: int) -> float | None:
        """How long so many more would take; None when nobody can tell."""
        return None if self.rate is None else renders / self.rate
