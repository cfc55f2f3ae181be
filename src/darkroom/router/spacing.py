"""How close upon each other a tier's limits let its images come."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from darkroom.router.outlook import Prospect
from darkroom.settings import Limits
from darkroom_manifests.money import NANO

_MINUTE = 60.0


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much one image of a kind takes of what is limited."""

    model: str
    prompt_tokens: int
    nusd: int
    seconds: float
    """In flight, usually."""


def spacing(limits: Limits, prospect: Prospect, size: Size) -> float:
    """Seconds from one image to the next when there is more to send than the limits allow."""
    return max(_spaces(limits, prospect, size))


def _spaces(limits: Limits, prospect: Prospect, size: Size) -> Iterator[float]:
    for rate in (limits.requests_per_minute, limits.images_per_minute):
        yield _MINUTE / rate if rate else 0.0
    if limits.tokens_per_minute:
        yield _MINUTE * size.prompt_tokens / limits.tokens_per_minute
    if limits.spend_per_window:
        yield limits.spend_window_seconds * size.nusd / float(limits.spend_per_window * NANO)
    if limits.adaptive:
        yield _MINUTE / prospect.learned.get(size.model, limits.adaptive_start)
    at_once = limits.concurrency * max(1, prospect.workers)
    yield size.seconds / min(at_once, limits.fleet_concurrency or at_once)
