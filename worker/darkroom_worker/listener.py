"""Celery's side of a worker: it hears the bell, in a thread that nobody has to wait for.

Celery ends when it likes: it drains by its own rules, and while the broker is away it is busy
reconnecting. It holds nothing that is worth waiting for, so it gets no signals and no say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from celery import Celery
from celery.worker import WorkController, state

from darkroom.queue import queue_of
from darkroom_manifests.tier import Tier

_log = structlog.get_logger(__name__)

_AGAIN_SECONDS: Final = 1.0
_THREADS: Final = 12  # one develop for each tier, and one to turn away what comes meanwhile


class Listener:
    """Hears the bells of some tiers until `stop`, and none before `may_begin` says so.

    `ended` is called when it hears no more.
    """

    def __init__(
        self,
        queue: Celery,
        tiers: Sequence[Tier],
        may_begin: Callable[[], bool],
        ended: Callable[[], None],
    ) -> None:
        queue.finalize()
        self._may_begin = may_begin
        self._stopped = threading.Event()
        self._ended = ended
        self._worker = WorkController(
            app=queue,
            pool="threads",
            concurrency=_THREADS,
            queues=[queue_of(tier) for tier in tiers],
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            ready_callback=lambda _: _log.info("the worker hears the bell"),
            loglevel=logging.WARNING,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to hear."""
        self._thread.start()

    def _listen(self) -> None:
        try:
            while not self._may_begin():
                if self._stopped.wait(_AGAIN_SECONDS):
                    return
            self._worker.start()
        finally:
            self._ended()

    def stop(self) -> None:
        """Hear nothing more: bells are for others now."""
        self._stopped.set()
        state.should_stop = 0  # type: ignore[assignment]  # as Celery's own signal handler does
