"""The requests of a process that are on their way, and how they come home when it leaves."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Flights:
    """Counts what is under way on the event loop, and calls it home."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()
        self._unanswered: set[asyncio.Task[Any]] = set()
        self._news = asyncio.Event()  # all are home, or there is less time than was thought
        self._waiting: set[asyncio.Task[Any]] = set()
        self._is_hurried = False
        self._until = math.inf

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Be waited for: this task holds claims, or an answer that the books do not have yet."""
        task = _current()
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)
            if not self._under_way:
                self._news.set()

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """Be given up when time is over: this task waits for a provider. It raises GivenUp."""
        with self._given_up_from(self._unanswered):
            yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Be given up in a hurry: this task waits for its turn to send. It raises GivenUp."""
        if self._is_hurried:
            raise GivenUp
        with self._given_up_from(self._waiting):
            yield

    @contextmanager
    def _given_up_from(self, tasks: set[asyncio.Task[Any]]) -> Iterator[None]:
        task = _current()
        tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            task.uncancel()
            raise GivenUp from None
        finally:
            tasks.discard(task)

    def hurry(self, until: float) -> None:
        """Send nothing more, and wait for answers no longer than until a time of the loop."""
        self._is_hurried = True
        for task in self._waiting:
            task.cancel()
        self._until = min(self._until, until)
        self._news.set()

    async def come_home(self, until: float, landing: float) -> int:
        """Wait for all that is under way, until a time of the loop; how many were given up.

        An answer that has come by then gets some more seconds for its `landing` on the disk.
        """
        self._until = min(self._until, until)
        await self._wait()
        late = set(self._unanswered)
        for task in late:
            task.cancel()
        self._until = asyncio.get_running_loop().time() + landing
        await self._wait()
        return len(late)

    async def _wait(self) -> None:
        now = asyncio.get_running_loop().time
        while self._under_way and now() < self._until:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._until):
                    await self._news.wait()

    @property
    def is_hurried(self) -> bool:
        """Whether there is no time to wait for what a network holds up."""
        return self._is_hurried

    @property
    def are_waiting(self) -> bool:
        """Whether anything waits for its turn."""
        return bool(self._waiting)

    @property
    def are_home(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way


class GivenUp(Exception):
    """The process leaves: this task is not waited for any longer."""


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "only tasks are on their way"
    return task
