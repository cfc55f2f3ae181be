"""Answers as they came: a provider's SDK would make text of them, a second copy of megabytes.

The SDK reads an answer by aiohttp's `text`, and every thread of the process waits for that copy.
Like a seat, what is wanted is told by a context variable, since the SDK stands between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Final

from darkroom_worker.backends.seats import PatientResponse


class Raw:
    """Holds the body of an answer for a moment."""

    def __init__(self) -> None:
        self._body: bytes | None = None

    def put(self, body: bytes) -> None:
        """Keep a body."""
        self._body = body

    def take(self) -> bytes | None:
        """Hand the body over, once; None if the SDK read the answer in its own way.

        A connection that was opened meanwhile holds this for as long as it lasts, by the context
        that it was opened in: what stayed here would stay in memory.
        """
        body, self._body = self._body, None
        return body


@contextmanager
def raw() -> Iterator[Raw]:
    """Let the 200 answer that this task awaits meanwhile be kept; its text is empty then."""
    kept = Raw()
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


_KEPT: Final[ContextVar[Raw | None]] = ContextVar("raw", default=None)


class RawResponse(PatientResponse):
    """A response whose body may be had as it came."""

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Read the whole body; it is kept as bytes where those are wanted, else it is returned."""
        kept = _KEPT.get()
        if kept is None or self.status != HTTPStatus.OK:
            return await super().text(encoding, errors)
        kept.put(await self.read())
        return ""
