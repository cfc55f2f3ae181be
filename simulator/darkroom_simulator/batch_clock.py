"""Batch time: it runs faster than the world's where it is told to, and can be put forward."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable


class Clock:
    """Seconds of batch time since the start; `speed` of them pass in one of the world's."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._begun = time.monotonic()
        self._skipped = 0.0
        self._nudged = asyncio.Event()

    def now(self) -> float:
        """Tell the time."""
        return (time.monotonic() - self._begun) * self._speed + self._skipped

    def advance(self, seconds: float) -> None:
        """Put batch time forward."""
        self._skipped += seconds
        self.nudge()

    def nudge(self) -> None:
        """Let everybody who waits look again."""
        nudged, self._nudged = self._nudged, asyncio.Event()
        nudged.set()

    async def until(self, moment: float, given_up: Callable[[], bool]) -> None:
        """Wait for a moment, or until a nudged look at `given_up` says True."""
        while (rest := moment - self.now()) > 0 and not given_up():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), min(rest / self._speed, 3600))
