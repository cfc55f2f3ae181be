"""Bounds how many answers a process reads at once: megabytes each, thousands in flight.

An answer gets a seat before its body is read, and keeps it until it is on the disk. The others
wait in their sockets, where they cost a buffer and no copy. The seat is found by a context
variable, because between the engine and the body stands a provider's SDK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

from darkroom_worker.backends.bounded import BoundedResponse

_PART_OF_PATIENCE: Final = 2  # whoever waits too long for a seat must still have time to read


class Seats:
    """Has so many seats. Make it on the event loop."""

    def __init__(self, seats: int) -> None:
        self._free = asyncio.Semaphore(seats)

    @contextmanager
    def seat(self, patience: float) -> Iterator[None]:
        """Let what this task reads meanwhile wait for a seat; the seat is free at the end.

        `patience` is the time in seconds that the whole request may take.
        """
        seat = _Seat(self._free, patience / _PART_OF_PATIENCE)
        token = _SEAT.set(seat)
        try:
            yield
        finally:
            _SEAT.reset(token)
            seat.leave()


class _Seat:
    def __init__(self, free: asyncio.Semaphore, longest: float) -> None:
        self._free = free
        self._longest = longest
        self._is_taken = False

    async def take(self) -> None:
        """Wait for a seat, but not for ever: too much memory is better than a lost answer."""
        if self._is_taken:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._longest):
                await self._free.acquire()
                self._is_taken = True

    def leave(self) -> None:
        if self._is_taken:
            self._free.release()
            self._is_taken = False


_SEAT: Final[ContextVar[_Seat | None]] = ContextVar("seat", default=None)


class PatientResponse(BoundedResponse):
    """A response whose body is read when there is a seat for it."""

    async def read(self) -> bytes:
        """Read the whole body."""
        seat = _SEAT.get()
        if seat is not None:
            await seat.take()
        return await super().read()
