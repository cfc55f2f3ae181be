"""How a worker ends: politely, in a hurry, or at once. Signals are heard here and nowhere else.

TERM, INT or HUP: take nothing more, bring home what is in flight. A second one: give back what has
not been sent, and wait only a moment for the rest. QUIT: leave at once; the spool keeps what it
has, and its free lock tells everybody.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum, auto
from typing import Final

import structlog

from darkroom_worker.engine import Drained

_log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
_QUIT_CODE: Final = 128 + signal.SIGQUIT


class _News(Enum):
    TOLD = auto()  # somebody wants this process to end
    DEAF = auto()  # Celery ended by itself: the process hears no bell any more
    HOME = auto()


class Leaving:
    """What tells a process to end. Make it in the main thread."""

    def __init__(self) -> None:
        # The one queue that may be filled from a signal handler, whatever that interrupted.
        self._news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(ending, lambda *_: self._news.put(_News.TOLD))
        signal.signal(signal.SIGQUIT, lambda *_: os._exit(_QUIT_CODE))

    def deaf(self) -> None:
        """Say that Celery has ended."""
        self._news.put(_News.DEAF)

    def wait(self) -> bool:
        """Wait until it is time to end; False when nobody asked for it."""
        return self._next() is _News.TOLD

    def _next(self) -> _News:
        """Wait for news, awake now and then.

        A signal that comes to another thread, or just before the wait begins, does not end it:
        Python hears of it when this thread runs again.
        """
        while True:
            with suppress(queue.Empty):
                return self._news.get(timeout=_LOOK_SECONDS)

    def see_off(
        self, drained: Future[Drained], grace_seconds: float, hurry: Callable[[], None]
    ) -> Drained:
        """Wait until the process has drained, and `hurry` it when it is told to end once more.

        Whatever hangs, the process is gone when the grace period is over.
        """
        last = threading.Timer(grace_seconds, _at_last)
        last.daemon = True
        last.start()
        drained.add_done_callback(lambda _: self._news.put(_News.HOME))
        while (news := self._next()) is not _News.HOME:
            if news is _News.TOLD:
                _log.warning("told to end once more: what was not sent is given back")
                hurry()
        return drained.result()


def _at_last() -> None:
    _log.error("the grace period is over: what is left open is for others to settle")
    os._exit(1)
