"""One process that asks for images as fast as a limiter lets it; no books, no pictures kept.

`python -m benchmarks.sender SIDE BROKER SIMULATOR RPM SECONDS` prints what it did as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import msgspec
import structlog
from benchmarks.load import MODEL
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from pyrate_limiter import Duration, Rate, RedisBucket
from pyrate_limiter import Limiter as PyrateLimiter
from redis.asyncio import Redis

from darkroom.ids import new_id
from darkroom.jobs.claim import Claim
from darkroom.report import Past
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.booking import Turn
from darkroom_worker.limits import Limiter, open_redis
from darkroom_worker.pace import Pace
from darkroom_worker.stops import Stops
from darkroom_worker.turns import Turns

_RETRY: Final = 0.05  # seconds between two questions to a limiter that only says no
_MOST: Final = 128  # requests a booking, as in the engine
_FLYING: Final = 64  # requests in flight where the side sets no other bound

Post = Callable[[], Awaitable[None]]


class Sent(msgspec.Struct):
    """What one process did: requests it sent, and questions it asked Redis."""

    requests: int = 0
    calls: int = 0


async def darkroom(broker: str, rpm: float, ends: float, post: Post) -> None:
    """Send as the engine does, with claims made of nothing."""
    tier, own = Tier.SIMULATOR, {"requests_per_minute": rpm, "concurrency": 10_000}
    settings = Settings.model_validate({"tiers": {"simulator": own}})
    flying: set[asyncio.Task[None]] = set()
    pace = Pace(
        limiter=Limiter(open_redis(broker), new_id("wrk")),
        settings=settings,
        recall=_nothing,
        tokens_of=lambda _: 0,
        flying=lambda _: len(flying),
    )
    stops = Stops(frozenset, lambda: True)
    stops.start()
    turns = Turns(pace, stops)

    async def send(one: Claim, turn: Turn) -> None:
        if await turns.wait(one, turn):
            await post()

    while time.monotonic() < ends:
        booking = await pace.book(tier, _MOST)
        if not booking.most:
            await asyncio.sleep(min(booking.wait, 1.0))
            continue
        placed, _ = await pace.place(tier, booking, [_claim(tier) for _ in booking.slots])
        for one, turn in placed:
            task = asyncio.create_task(send(one, turn))
            flying.add(task)
            task.add_done_callback(flying.discard)
    await asyncio.gather(*flying)
    stops.close()
    await pace.close()


async def _nothing(_: Tier) -> Past:
    return Past(minute=0, newest=None, today=0, in_flight=0, spending=())


def _claim(tier: Tier) -> Claim:
    return Claim(new_id("att"), 0, "job", 1, tier, MODEL, "{}", 0, datetime.now(UTC))


async def library(broker: str, rpm: float, ends: float, post: Post) -> None:
    """Send as its users do: ask the fleet's limiter until it says yes, then send at once."""
    address = broker.replace("unix://", "async+redis+unix://")
    storage = RedisStorage(address, implementation="redispy")
    limiter = SlidingWindowCounterRateLimiter(storage)
    item = RateLimitItemPerMinute(int(rpm))

    async def one_after_another() -> None:
        while time.monotonic() < ends:
            if await limiter.hit(item, "tier"):
                await post()
            else:
                await asyncio.sleep(_RETRY)

    await asyncio.gather(*(one_after_another() for _ in range(max(1, int(rpm / 600)))))


async def pyrate(broker: str, rpm: float, ends: float, post: Post) -> None:
    """Send as its users do: wait in the fleet's bucket for a permit, then send at once."""
    async with Redis(unix_socket_path=broker.removeprefix("unix://")) as redis:
        rate = Rate(int(rpm), Duration.MINUTE)
        made = RedisBucket.init([rate], redis, "tier")
        assert not isinstance(made, RedisBucket), "asked by an asynchronous client"
        limiter = PyrateLimiter(await made)

        async def one_after_another() -> None:
            while (left := ends - time.monotonic()) > 0:
                if await limiter.try_acquire_async("tier", timeout=left):
                    await post()

        await asyncio.gather(*(one_after_another() for _ in range(max(1, int(rpm / 600)))))


SIDES: Final = {"darkroom": darkroom, "library": library, "pyrate": pyrate}


async def _run(side: str, broker: str, url: str, rpm: float, seconds: float) -> Sent:
    sent = Sent()
    _count_calls(sent)
    address = f"{url}/v1/models/{MODEL}:generateContent"
    body = {"contents": [{"parts": [{"text": "A lamp"}]}]}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post() -> None:
            sent.requests += 1
            async with session.post(address, json=body, headers={"x-goog-api-key": "k"}) as answer:
                await answer.read()

        await SIDES[side](broker, rpm, time.monotonic() + seconds, post)
    return sent


def _count_calls(sent: Sent) -> None:
    """Count at the door of the client that both sides speak through."""
    ask: Callable[..., Awaitable[Any]] = Redis.execute_command

    def counted(client: Redis, *words: object, **options: object) -> Awaitable[Any]:
        sent.calls += 1
        return ask(client, *words, **options)

    Redis.execute_command = counted  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    name, its_broker, its_url, its_rpm, its_seconds = sys.argv[1:]
    found = asyncio.run(_run(name, its_broker, its_url, float(its_rpm), float(its_seconds)))
    sys.stdout.buffer.write(msgspec.json.encode(found))
