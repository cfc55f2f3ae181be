"""What must not leave although it was claimed: the kill switch, and tiers and models that rest.

A claim looks for them, but it may wait for its turn for many seconds after that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.jobs import rests
from darkroom_manifests.tier import Tier

_log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.8  # between two looks, while anything waits
_BELIEVED: Final = 1.8  # seconds; a person who stops everything counts on two

Stopped = tuple[str, str]  # tier and model, either of them perhaps "*"


class Stops:
    """What the database says that rests, looked at again as long as something waits.

    Nothing leaves on word that is too old: a database that does not answer stops everything.
    """

    def __init__(
        self, read: Callable[[], frozenset[Stopped]], is_needed: Callable[[], bool]
    ) -> None:
        self._read = read
        self._is_needed = is_needed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stops")  # claims may take long
        self._looked_at = 0.0
        self._found: frozenset[Stopped] = frozenset()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look. Call it on the event loop."""
        self._watching = asyncio.create_task(self._watch())

    def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
        self._thread.shutdown(wait=False)

    def let(self, tier: Tier, model: str, since: float) -> bool:
        """Whether a claim may leave that found nothing stopped at a monotonic time."""
        is_newer = since > self._looked_at
        told = max(since, self._looked_at)
        return time.monotonic() - told <= _BELIEVED and (is_newer or not self._stop(tier, model))

    def hold(self, tier: Tier, model: str) -> bool:
        """Whether a stop was seen just now: a claim that has no slot yet needs none."""
        is_news = time.monotonic() - self._looked_at <= _BELIEVED
        return is_news and self._stop(tier, model)

    def _stop(self, tier: Tier, model: str) -> bool:
        return any(
            (where, what) in self._found
            for where in (rests.EVERY_TIER, tier.value)
            for what in (rests.WHOLE_TIER, model)
        )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._is_needed():
                try:
                    await self.look()
                except DBAPIError as error:
                    _log.warning("the database does not say what rests", error=error)

    async def look(self) -> None:
        """Ask what rests now. Raises DBAPIError."""
        began = time.monotonic()
        self._found = await asyncio.get_running_loop().run_in_executor(self._thread, self._read)
        self._looked_at = began


def read_stops(database: Engine) -> frozenset[Stopped]:
    """Read what rests now. Raises DBAPIError."""
    with db.reading(database) as connection:
        found = rests.current(connection)
    return frozenset((rest.tier, rest.model) for rest in found if rest.reason != rests.DAY_SPENT)
