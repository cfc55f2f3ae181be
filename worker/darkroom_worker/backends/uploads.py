"""Images that are uploaded once for many requests, which point to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import structlog

from darkroom.errors import StorageFault
from darkroom.request import Reference
from darkroom_worker.backends.batch import Doubt, NotDone

_log = structlog.get_logger(__name__)

_PAUSE: Final = 60.0  # seconds without an upload after one that failed

Put = Callable[[str, bytes, str], str]
"""Puts bytes of a mime type under a name, and says where they are. It may wait for a network."""


class Pointed(Protocol):
    """Where the provider finds images that requests point to. Called on the event loop."""

    async def uri_of(self, reference: Reference, data: bytes) -> str | None:
        """Upload what is not there yet; None where that fails, or failed lately."""
        ...

    def is_gone(self, error: Exception) -> bool:
        """Whether an error says that an image is not there any more; it is uploaded anew then."""
        ...

    def close(self) -> None:
        """Upload nothing more."""
        ...


class Uploads:
    """The uploads of one client, each begun once, one after the other in a thread of their own."""

    def __init__(self, put: Put, now: Callable[[], float] = time.monotonic) -> None:
        self._put = put
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._begun: dict[str, asyncio.Future[str]] = {}
        self._resting_until = 0.0

    async def uri_of(self, name: str, mime: str, data: bytes) -> str | None:
        """Where a name lies, or will in a moment; None where that fails, or failed lately."""
        if self._now() < self._resting_until:
            return None
        upload = self._begun.get(name)
        if upload is None:
            loop = asyncio.get_running_loop()
            upload = loop.run_in_executor(self._thread, self._put, name, data, mime)
            self._begun[name] = upload
        try:
            return await asyncio.shield(upload)  # others wait for it, too
        except (NotDone, Doubt, StorageFault, KeyError, OSError, ValueError) as error:
            # Nothing was asked yet.
            _log.warning("an image was not uploaded", name=name, error=error)
            self._begun.pop(name, None)
            self._resting_until = self._now() + _PAUSE
            return None

    def forget(self, name: str) -> bool:
        """Upload it anew when it is asked for; False if it was not uploaded here."""
        return self._begun.pop(name, None) is not None

    def close(self) -> None:
        """Begin no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
