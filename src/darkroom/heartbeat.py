"""How one knows that a clock ticks: each writes its name into the broker after every good tick.

A clock holds nothing that could be lost, so it needs no lease in the database; and a clock that
cannot reach the broker is of no use, whatever it says elsewhere.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

_KEY: Final = "darkroom:clocks"
_SILENT_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 3.0


class Heartbeat:
    """One clock's. The times are the broker's, so that other clocks' hours do not matter."""

    def __init__(self, broker_url: str) -> None:
        self._redis = open_redis(broker_url)
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def beat(self) -> None:
        """Say that this clock ticks, and forget those that do not. Raises RedisError."""
        now = redis_time(self._redis)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zadd(_KEY, {self._name: now})
            pipeline.zremrangebyscore(_KEY, "-inf", now - _SILENT_SECONDS)
            pipeline.execute()

    def stop(self) -> None:
        """Say that this clock ends; a broker that is away will notice by itself."""
        with suppress(RedisError):
            self._redis.zrem(_KEY, self._name)
        self._redis.close()


def ticking(redis: Redis) -> int:
    """How many clocks ticked lately. Raises RedisError."""
    return int(redis.zcount(_KEY, redis_time(redis) - _SILENT_SECONDS, "+inf"))


def seconds_since_tick(redis: Redis, host: str) -> float | None:
    """How long ago a clock of this host ticked last; None for none lately. Raises RedisError."""
    beats: list[tuple[bytes, float]] = redis.zrange(_KEY, 0, -1, withscores=True)  # type: ignore[assignment]  # typed for all its options
    mine = [score for name, score in beats if name.decode().rpartition(":")[0] == host]
    return max(0.0, redis_time(redis) - max(mine)) if mine else None


def redis_time(redis: Redis) -> float:
    """Ask the broker for its time, in seconds since 1970. Raises RedisError."""
    seconds, micros = redis.time()
    return float(seconds) + float(micros) / 1e6


def open_redis(broker_url: str) -> Redis:
    """Make a client that gives up after three seconds instead of waiting and trying again."""
    return Redis.from_url(
        broker_url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
    )
