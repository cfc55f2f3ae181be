"""What is kept in Redis beside the bells: the limiter's keys, and an attempt to remember."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from darkroom.errors import DarkroomError
from darkroom_manifests.tier import Tier

_NEWEST: Final = "darkroom:newest"
_PATIENCE: Final = 1.0
_MICRO: Final = 1_000_000


class Learned(msgspec.Struct, frozen=True):
    """The rate of one model that its answers taught: requests a minute."""

    rate: float
    is_slow_start: bool
    cut_at: datetime | None


class Gauges(msgspec.Struct, frozen=True):
    """One tier as Redis sees it. `in_flight` is by worker, where the fleet's is limited."""

    in_flight: Mapping[str, int]
    learned: Mapping[str, Learned]


def key(tier: Tier, *parts: str) -> str:
    """Name a key; the braces keep those of one tier together in a cluster."""
    return ":".join(("darkroom", f"{{{tier}}}", *parts))


def wake(broker_url: str, tier: Tier) -> bool:
    """End a tier's rest where slots are booked; False when Redis does not answer."""
    redis = _open(broker_url)
    try:
        redis.delete(key(tier, "rest"))
    except (RedisError, OSError):
        return False
    else:
        return True
    finally:
        redis.close()


def look(broker_url: str, tiers: list[Tier]) -> dict[Tier, Gauges] | None:
    """Read the gauges of some tiers; None when Redis does not answer."""
    redis = _open(broker_url)
    try:
        now = redis.time()[0] * _MICRO
        return {tier: _gauges(redis, tier, now) for tier in tiers}
    except (RedisError, OSError):
        return None
    finally:
        redis.close()


def newest(broker_url: str) -> str | None:
    """The attempt that the broker was told to remember. Raises DarkroomError."""
    with _answering(broker_url) as redis:
        said: str | None = redis.get(_NEWEST)
    return said


def remember(broker_url: str, attempt_id: str) -> None:
    """Tell the broker of an attempt that is in the books. Raises DarkroomError."""
    with _answering(broker_url) as redis:
        redis.set(_NEWEST, attempt_id)


def forget(broker_url: str) -> None:
    """Let the broker remember no attempt. Raises DarkroomError."""
    with _answering(broker_url) as redis:
        redis.delete(_NEWEST)


@contextmanager
def _answering(broker_url: str) -> Iterator[Any]:  # typed for both kinds
    redis = _open(broker_url)
    try:
        yield redis
    except (RedisError, OSError) as error:
        raise DarkroomError(
            f"The broker does not answer: {str(error).partition(chr(10))[0]}",
            hint="`darkroom doctor --fleet` looks into it.",
        ) from error
    finally:
        redis.close()


def _open(broker_url: str) -> Redis:
    return Redis.from_url(
        broker_url,
        decode_responses=True,
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )


def _gauges(redis: Any, tier: Tier, now: int) -> Gauges:  # noqa: ANN401  # typed for both kinds
    flying = {
        worker: int(count)
        for worker, said in redis.hgetall(key(tier, "flying")).items()
        for count, _, until in [said.partition(":")]
        if int(until) > now
    }
    models = sorted(redis.smembers(key(tier, "models")))
    known = {model: redis.hgetall(key(tier, "learned", model)) for model in models}
    return Gauges(flying, {model: _learned(each) for model, each in known.items() if each})


def _learned(said: Mapping[str, str]) -> Learned:
    cut = int(said["cut"])
    return Learned(
        rate=float(said["rate"]),
        is_slow_start=said["slow"] == "1",
        cut_at=datetime.fromtimestamp(cut / _MICRO, UTC) if cut else None,
    )
