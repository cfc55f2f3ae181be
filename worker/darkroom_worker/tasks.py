"""Celery's view: each task is one call into the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import structlog
from celery import Celery
from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default, logger
from kombu.exceptions import ContentDisallowed, DecodeError

from darkroom.queue import DEVELOP
from darkroom_manifests.tier import Tier

_log = structlog.get_logger(__name__)

_HANDLED = (InvalidTaskError, ContentDisallowed, DecodeError)  # Celery drops these messages itself


class Hands(Protocol):
    """Whoever does the work of tiers."""

    def develop(self, tier: Tier) -> None:
        """Take due work of a tier for a while."""
        ...


def register(queue: Celery, hands: Hands) -> None:
    """Teach the application its tasks."""

    def develop(tier: object = None) -> None:
        # Whoever can write to the broker can write anything; a message carries no rights.
        if not isinstance(tier, str) or tier not in set(Tier):
            _log.warning("a message names no tier", said=repr(tier)[:80])
            return
        hands.develop(Tier(tier))

    queue.task(name=DEVELOP, Strategy=f"{__name__}:unshaken")(develop)


def unshaken(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., None]:  # noqa: ANN401  # Celery's own
    """Take messages as Celery does, but outlive each: a body of another shape ended the worker."""
    take = default(task, app, consumer, **options)

    def take_or_drop(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:  # noqa: ANN401
        try:
            take(message, body, ack, reject, callbacks)
        except _HANDLED:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, SQL knows what is due
            _log.warning("a message cannot be read", error=repr(error)[:200])
            reject(logger, consumer.connection_errors)

    return take_or_drop
