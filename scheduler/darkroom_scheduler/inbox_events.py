"""Hears of new files in a folder, where the system tells; it only makes the next look earlier."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from watchfiles import watch

from darkroom.db import is_on_network

_log = structlog.get_logger(__name__)

_TOGETHER_MS: Final = 200
_STOP_MS: Final = 1_000


class Events:
    """Calls back when something changes in a folder; on a network mount, which is silent, never."""

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self._folder = folder
        self._changed = changed
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def listen(self) -> None:
        """Begin to listen, or begin again after the folder had been away."""
        if self._thread is not None and self._thread.is_alive():
            return
        if not self._folder.is_dir() or is_on_network(self._folder):
            return
        self._thread = threading.Thread(target=self._run, name="inbox-events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopped.set()

    def _run(self) -> None:
        try:
            for _ in watch(
                self._folder,
                watch_filter=None,
                debounce=_TOGETHER_MS,
                rust_timeout=_STOP_MS,
                stop_event=self._stopped,
                recursive=False,
                raise_interrupt=False,
            ):
                self._changed()
        except (OSError, RuntimeError) as error:  # too many watches, or the folder went away
            _log.info("no events of a folder; it is looked at instead", why=str(error))
