"""Threads beside an event loop, in which the synchronous implementation works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 8  # as many as the database has connections kept open
_PIECE: Final = 500  # items that are read ahead at a time


class Beside:
    """A few threads. Nothing waits in one of them for longer than a question to the books takes."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="darkroom")

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(work, *args, **kwargs))

    async def each(self, items: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """Iterate in threads, some items at a time; the next are read when these are taken."""
        iterator = await self.call(items)
        while piece := await self.call(lambda: list(islice(iterator, _PIECE))):
            for item in piece:
                yield item

    def close(self) -> None:
        """Let go of the threads; what they are at goes on to its end."""
        self._pool.shutdown(wait=False)
