"""Rates that nobody publishes: each model's is learned from its answers, for the whole fleet.

The rate itself lives in Redis (`learn.lua`), so that every worker learns from every other. Here is
what this process has heard since it last said so, and which models it sends.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.limits import Limiter, LimiterAway
from darkroom_worker.slots import Lesson, Slot, Want

_FORGET_SECONDS: Final = 60.0  # without a request: booking for a model that is through wastes calls
_SHORTEST_ROUND: Final = 10.0  # a rate that doubles with each quick answer would overshoot far
_NEWER: Final = 0.2  # how much the newest answer counts in the mean latency


class _Heard:
    """What one model's answers said since they were last told on."""

    def __init__(self) -> None:
        self.good = 0
        self.latency = _SHORTEST_ROUND
        self.throttled_us = 0
        self.wait = 0.0
        self.used = time.monotonic()

    def lesson(self) -> Lesson:
        """Take what was heard; it is told once."""
        told = Lesson(
            good=self.good,
            round=max(self.latency, _SHORTEST_ROUND),
            throttled_us=self.throttled_us,
            wait=self.wait,
        )
        self.good, self.throttled_us, self.wait = 0, 0, 0.0
        return told


class Adaptive:
    """The models that this process sends, tier by tier."""

    def __init__(self, limiter: Limiter, settings: Settings) -> None:
        self._limiter = limiter
        self._settings = settings
        self._heard: defaultdict[Tier, dict[str, _Heard]] = defaultdict(dict)
        self._telling: set[asyncio.Task[None]] = set()

    def answered(self, tier: Tier, model: str, seconds: float) -> None:
        """Hear of an answer that was no refusal of capacity, and how long it took."""
        heard = self._model(tier, model)
        heard.good += 1
        heard.latency += _NEWER * (seconds - heard.latency)

    def throttled(self, tier: Tier, model: str, sent_us: int, wait: float) -> None:
        """Hear that a request was one too many, and tell the fleet at once."""
        heard = self._model(tier, model)
        heard.throttled_us = max(heard.throttled_us, sent_us)
        heard.wait = max(heard.wait, wait)
        telling = asyncio.create_task(self._tell(tier, model))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell(self, tier: Tier, model: str) -> None:
        heard = self._model(tier, model)
        if heard.throttled_us:
            try:
                await self._slots(tier, model, Want(most=0))
            except LimiterAway:
                return  # nothing is sent meanwhile, and a Redis that comes back empty starts slowly

    async def book(
        self, tier: Tier, want: Want, models: Sequence[str] | None = None
    ) -> dict[str, list[Slot]]:
        """Book up to `want.most` slots of each model named, or in use. Raises LimiterAway."""
        chosen = self._in_use(tier) if models is None else models
        return {model: await self._slots(tier, model, want) for model in chosen}

    def _in_use(self, tier: Tier) -> list[str]:
        old, known = time.monotonic() - _FORGET_SECONDS, self._heard[tier]
        for model in [model for model, heard in known.items() if heard.used < old]:
            del known[model]
        return list(known)

    async def _slots(self, tier: Tier, model: str, want: Want) -> list[Slot]:
        limits = self._settings.limits(tier)
        lesson = self._model(tier, model).lesson()
        slots = await self._limiter.learn(tier, model, limits, want, lesson)
        return list(slots.booked)

    def use(self, tier: Tier, model: str) -> None:
        """Remember that a model is being sent."""
        self._model(tier, model).used = time.monotonic()

    def _model(self, tier: Tier, model: str) -> _Heard:
        return self._heard[tier].setdefault(model, _Heard())
