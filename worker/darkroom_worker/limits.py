"""Books slots for the whole fleet in Redis: it says when to send, and is never asked again.

All counting is done by Lua scripts with the server's clock, so that workers with wrong clocks
agree. A worker knows that clock from the answers that it gets (`ServerClock`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from darkroom import gauges, pacific
from darkroom.report import Past
from darkroom.settings import Limits
from darkroom_manifests.tier import Tier
from darkroom_worker.slots import LEASE, SETTLE, SLACK, Lesson, ServerClock, Slot, Slots, Want, Why

_MICRO: Final = 1_000_000
_MINUTE: Final = 60.0
_PATIENCE: Final = 1.5  # seconds
_NUSD: Final = 1_000_000_000  # nano-dollars a dollar


class LimiterAway(Exception):
    """Redis does not answer: nothing may be sent, because nobody counts."""


class Limiter:
    """Slots of every tier. One for each process, used on its event loop."""

    def __init__(self, redis: Redis, worker_id: str) -> None:
        self._redis = redis
        self._worker_id = worker_id
        self.clock = ServerClock()
        self._book = self._script("slots", "book")
        self._learn = self._script("slots", "learn")
        self._seed = self._script("seed")
        self._unbook = self._script("unbook")
        self._rest = self._script("rest")

    def _script(self, *names: str) -> AsyncScript:
        folder = files("darkroom_worker")
        texts = [folder.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in names]
        return self._redis.register_script("\n".join(texts))

    async def book(self, tier: Tier, limits: Limits, want: Want) -> Slots:
        """Book up to `want.most` requests on every limit of a tier. Raises LimiterAway.

        `Why.LOST`: Redis has forgotten what was sent. `seed` it and book again.
        """
        day, kept_ms = await self._day()
        money, window = _money(limits)
        sent = time.monotonic()
        said = await _told(
            self._book(
                keys=self._keys(tier, day),
                args=[
                    self._worker_id,
                    want.most,
                    want.flying,
                    *map(_us, (want.lead, want.ahead, want.gap, want.shift)),
                    limits.fleet_concurrency or 0,
                    _us(LEASE),
                    limits.requests_per_day or 0,
                    kept_ms,
                    *(money, want.each_nusd, want.correction_nusd, window),
                ],
            )
        )
        state, now, wait, why, *slots = [part.decode() for part in said]
        self.clock.note(sent, time.monotonic(), int(now))
        if state == "seed":
            return Slots((), why=Why.LOST)
        return Slots(self._slots(slots), int(wait) / _MICRO, Why(why))

    async def learn(
        self, tier: Tier, model: str, limits: Limits, want: Want, lesson: Lesson
    ) -> Slots:
        """Teach a model's rate, and book up to `want.most` slots at it. Raises LimiterAway."""
        keys = [gauges.key(tier, name, model) for name in ("learned", "next", "free")]
        rates = (limits.adaptive_start, limits.adaptive_least, limits.adaptive_most)
        lessons = (lesson.good, lesson.round, lesson.throttled_us, lesson.wait)
        args: list[Any] = [want.most, _us(want.lead), _us(want.ahead), *rates, *lessons, model]
        sent = time.monotonic()
        said = await _told(self._learn(keys=[*keys, gauges.key(tier, "models")], args=args))
        now, wait, rate, *slots = [part.decode() for part in said]
        self.clock.note(sent, time.monotonic(), int(now))
        why = Why.PACE if len(slots) < want.most else Why.NOTHING
        return Slots(self._slots(slots), int(wait) / _MICRO, why, float(rate))

    async def seed(self, tier: Tier, limits: Limits, gap: float, past: Past) -> None:
        """Write down what SQL remembers, if Redis has forgotten it. Raises LimiterAway.

        Whoever sent within a minute may hold slots that Redis knows nothing of any more: new ones
        begin where those must have ended. Of what is in flight the fleet is full, until each worker
        has said how much it is.
        """
        day, kept_ms = await self._day()
        money, window = _money(limits)
        is_idle = past.newest is None or past.newest > _MINUTE + SLACK + SETTLE
        first = 0.0 if is_idle else SETTLE + gap
        spending = [part for ago, nusd in past.spending for part in (_us(ago), nusd)]
        daily = (limits.requests_per_day or 0, past.today, kept_ms)
        fleet = limits.fleet_concurrency or 0
        flying = (fleet, 0 if is_idle and not past.in_flight else fleet, _us(SETTLE))
        args = [_us(gap), _us(first), *daily, *flying, money, window, *(spending if money else [])]
        await _told(self._seed(keys=self._keys(tier, day), args=args))

    async def unbook(
        self, tier: Tier, limits: Limits, count: int, slots: Sequence[Slot], each_nusd: int
    ) -> None:
        """Give back requests that will not be sent; slots still to come go to somebody else."""
        day, _ = await self._day()
        _, _, free, today, _, spend = self._keys(tier, day)
        _, window = _money(limits)
        args = [count, each_nusd, window, *(slot.us for slot in slots)]
        await _told(self._unbook(keys=[free, today, spend], args=args))

    async def unlearn(self, tier: Tier, model: str, slots: Sequence[Slot]) -> None:
        """Give back a model's slots. Raises LimiterAway."""
        keys = [gauges.key(tier, name, model) for name in ("free", "none", "none")]
        await _told(self._unbook(keys=keys, args=[len(slots), 0, 1, *(slot.us for slot in slots)]))

    async def rest(self, tier: Tier, seconds: float) -> None:
        """Book nothing on a tier for some seconds, anywhere in the fleet. Raises LimiterAway.

        A rest that lasts longer stays.
        """
        await _told(self._rest(keys=[gauges.key(tier, "rest")], args=[_us(seconds)]))

    async def leave(self, tiers: Sequence[Tier]) -> None:
        """Take this worker's requests in flight off the books. Raises LimiterAway."""
        for tier in tiers:
            await _told(self._redis.hdel(gauges.key(tier, "flying"), self._worker_id))

    async def now(self) -> datetime:
        """Tell the time by the server's clock. Raises LimiterAway if it never spoke."""
        await self._hear()
        return datetime.fromtimestamp(self.clock.there(time.monotonic()) / _MICRO, UTC)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()

    async def _hear(self) -> None:
        if not self.clock.is_known:
            sent = time.monotonic()
            seconds, micro = await _told(self._redis.time())
            self.clock.note(sent, time.monotonic(), seconds * _MICRO + micro)

    async def _day(self) -> tuple[str, int]:
        """Name the Pacific day by the server's clock; its key is kept to its end and a bit."""
        now = await self.now()
        day = pacific.day_of(now)
        return day.name, round((day.ends - now).total_seconds() * 1000) + 3_600_000

    def _keys(self, tier: Tier, day: str) -> list[str]:
        names = (("rest",), ("next",), ("free",), ("day", day), ("flying",), ("spend",))
        return [gauges.key(tier, *name) for name in names]

    def _slots(self, said: Sequence[str]) -> tuple[Slot, ...]:
        return tuple(Slot(self.clock.here(int(us)), int(us)) for us in said)


def open_redis(url: str) -> Redis:
    """Make a client that gives up soon: a frozen server must not freeze the workers."""
    return Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        health_check_interval=0,
    )


async def _told(asked: Any) -> Any:  # noqa: ANN401  # the client is typed for both kinds
    """Wait for an answer; whatever Redis fails with, nobody counts."""
    try:
        return await asked
    except (RedisError, OSError, TimeoutError) as error:
        raise LimiterAway(str(error) or type(error).__name__) from error


def _us(seconds: float) -> int:
    return round(seconds * _MICRO)


def _money(limits: Limits) -> tuple[int, int]:
    """The most nano-dollars a window, 0 for no limit, and the window in microseconds."""
    most = int((limits.spend_per_window or 0) * _NUSD)
    return most, _us(limits.spend_window_seconds)


def gap_of(limits: Limits, tokens: float) -> float:
    """Seconds from one slot to the next, by the slowest limit; 0 where there is none."""
    weights = (
        (limits.requests_per_minute, 1.0),
        (limits.images_per_minute, 1.0),
        (limits.tokens_per_minute, tokens),
    )
    return max((_spread(rate) * weight for rate, weight in weights if rate), default=0.0)


def _spread(rate: float) -> float:
    return (_MINUTE + SLACK) / rate
