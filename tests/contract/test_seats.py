"""How many answers are in memory at once: real HTTP, the real SDK, large bodies."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator

import pytest
from pydantic import SecretStr

from darkroom.request import Request
from darkroom.settings import AIStudio
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends.base import Backend
from darkroom_worker.backends.gemini import open_aistudio
from darkroom_worker.backends.seats import Seats

MODEL = "gemini-nano-banana-2.1"
REQUESTS = 6
ANSWER_BYTES = 1_500_000


@pytest.fixture(scope="module")
def simulator() -> Iterator[Ready]:
    with running("--pictures", "cached", "--body-bytes", str(ANSWER_BYTES)) as ready:
        yield ready


class Reader:
    """Sends requests that keep their seats until they may leave."""

    def __init__(self, seats: Seats, backend: Backend, patience: float) -> None:
        self._seats = seats
        self._backend = backend
        self._patience = patience
        self.may_leave = asyncio.Event()
        self.came = asyncio.Condition()
        self.seated = self.most_seated = self.bodies = 0

    async def read(self) -> None:
        with self._seats.seat(self._patience):
            reply = await self._backend.send(Request(prompt="a lamp"), MODEL, 30)
            self.bodies += reply.body is not None
            self.seated += 1
            self.most_seated = max(self.most_seated, self.seated)
            async with self.came:
                self.came.notify_all()
            await self.may_leave.wait()
        self.seated -= 1

    async def read_without_a_seat(self) -> None:
        """An answer that was asked for last is here: what came before could have been read."""
        await self._backend.send(Request(prompt="a lamp"), MODEL, 30)

    async def wait_for(self, how_many: int) -> None:
        async with self.came, asyncio.timeout(20):
            await self.came.wait_for(lambda: self.seated >= how_many)


def run(
    simulator: Ready, seats: int, patience: float, look: Callable[[Reader], Awaitable[None]]
) -> Reader:
    async def everything() -> Reader:
        settings = AIStudio(api_key=SecretStr("key"), base_url=simulator.url)
        backend = open_aistudio(settings)
        reader = Reader(Seats(seats), backend, patience)
        async with asyncio.TaskGroup() as group:
            for _ in range(REQUESTS):
                group.create_task(reader.read())
            await look(reader)
            reader.may_leave.set()
        await backend.close()
        await asyncio.sleep(0)  # let transports close before the loop does
        return reader

    return asyncio.run(everything())


def test_no_more_answers_are_read_at_once_than_there_are_seats(simulator: Ready) -> None:
    async def let_two_in_turn(reader: Reader) -> None:
        await reader.wait_for(2)
        for _ in range(REQUESTS):
            await reader.read_without_a_seat()

    reader = run(simulator, 2, 60, let_two_in_turn)

    assert reader.bodies == REQUESTS
    assert reader.most_seated == 2


def test_an_answer_that_waits_too_long_for_a_seat_is_read_without_one(simulator: Ready) -> None:
    async def let_nobody_leave(reader: Reader) -> None:
        await reader.wait_for(REQUESTS)

    reader = run(simulator, 1, 0.2, let_nobody_leave)

    assert reader.bodies == REQUESTS


def test_connections_that_stay_open_keep_no_answer(simulator: Ready) -> None:
    async def held_after_answers() -> int:
        backend = open_aistudio(AIStudio(api_key=SecretStr("key"), base_url=simulator.url))
        asked = (backend.send(Request(prompt="a lamp"), MODEL, 30) for _ in range(REQUESTS))
        bodies = [reply.body or b"" for reply in await asyncio.gather(*asked)]
        assert all(len(body) > ANSWER_BYTES for body in bodies)
        del bodies
        await asyncio.sleep(0)  # lets go of what has been gathered
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        await backend.close()
        return held

    tracemalloc.start()
    try:
        assert asyncio.run(held_after_answers()) < ANSWER_BYTES
    finally:
        tracemalloc.stop()
