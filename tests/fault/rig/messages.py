"""Celery messages as somebody may write them who can reach the broker: doubled, old, invented."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any, Final

from tests.fault.rig.valkey import Valkey

from darkroom.queue import open_queue, queue_of, ring
from darkroom_manifests.tier import Tier

_AT_ONCE: Final = 5_000

Message = dict[str, Any]
Change = Callable[[Message], None]


def genuine(valkey: Valkey, tier: Tier = Tier.SIMULATOR) -> Message:
    """Ring once and take the message away: what a true one looks like."""
    with open_queue(valkey.url) as app:
        ring(app, [tier])
    with valkey.client() as client:
        return dict(json.loads(client.rpop(_queue(tier))))


def pour(
    valkey: Valkey,
    model: Message,
    how_many: int,
    dice: random.Random,
    tier: Tier = Tier.SIMULATOR,
) -> None:
    """Put so many messages into a tier's queue: half of them copies, half invented."""
    kinds = [_written(model, change) for change in _INVENTED]
    copy = json.dumps(model).encode()
    with valkey.client() as client:
        for start in range(0, how_many, _AT_ONCE):
            few = [
                dice.choice(kinds) if dice.random() < 0.5 else copy
                for _ in range(min(_AT_ONCE, how_many - start))
            ]
            client.lpush(_queue(tier), *few)


def waiting(valkey: Valkey, tier: Tier = Tier.SIMULATOR) -> int:
    """How many messages nobody has taken yet."""
    with valkey.client() as client:
        return int(client.llen(_queue(tier)))


def _queue(tier: Tier) -> str:
    return f"darkroom:{queue_of(tier)}"


def _written(model: Message, change: Change) -> bytes:
    message = json.loads(json.dumps(model))
    change(message)
    return json.dumps(message).encode()


def _asks(*args: object) -> Change:
    """Give the task other arguments."""

    def change(message: Message) -> None:
        body = json.dumps([list(args), {}, {}]).encode()
        message["body"] = base64.b64encode(body).decode()

    return change


def _heads(**headers: object) -> Change:
    def change(message: Message) -> None:
        message["headers"].update(headers)

    return change


def _is_pickled(message: Message) -> None:
    message["content-type"] = "application/x-python-serialize"


def _is_rubbish(message: Message) -> None:
    message["body"] = "!"


def _has_eta(message: Message) -> None:
    message["headers"]["eta"] = "2099-01-01T00:00:00+00:00"


_INVENTED: Final[tuple[Change, ...]] = (
    _asks("no-such-tier"),
    _asks("vertex-batch"),
    _asks(10**30),
    _asks({"tier": "simulator"}, "simulator"),
    _asks("simulator' OR 1=1 --"),
    _asks(),
    _heads(task="darkroom.pay_everything"),
    _heads(retries=10**6),
    _is_pickled,
    _is_rubbish,
    _has_eta,
)
