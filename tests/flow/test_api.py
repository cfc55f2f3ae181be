"""Python as people write it, for loops and threads: real processes, real HTTP to the simulator."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from darkroom import AsyncDarkroom, Darkroom, Job, Result
from darkroom.errors import StillPending
from darkroom.models import RenderState

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]

ROWS: list[dict[str, object]] = [
    {"id": f"r{number}", "prompt": f"a lamp no. {number}"} for number in range(12)
]
NO = {"id": "no", "prompt": "a lamp [[sim:refuse]]"}

STREAMING = """
import sys
from darkroom import Darkroom
with Darkroom() as room:
    for result in room.job(sys.argv[1]).stream():
        print(result.id, result.state.value, flush=True)
"""


def elsewhere(room: Darkroom, job: Job) -> subprocess.Popen[str]:
    """Another process that streams the same job."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
    told = {"DARKROOM_HOME": str(room.settings.home), "DARKROOM_STORAGE_URL": "out"}
    return subprocess.Popen(
        [sys.executable, "-c", STREAMING, job.id],
        env=kept | told | {"DARKROOM_SIMULATOR__LATENCY": "0"},
        cwd=room.settings.home.parent,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_results_come_as_they_finish_each_once(open_room: Open) -> None:
    room = open_room()
    job = room.submit([*ROWS, NO])

    found = list(job.stream(timeout=90))

    assert sorted(one.id for one in found) == sorted(["no", *(str(row["id"]) for row in ROWS)])
    assert {one.id for one in found if not one.ok} == {"no"}
    assert job.state.is_finished


def test_another_process_sees_the_same_while_it_renders_and_afterwards(open_room: Open) -> None:
    room = open_room(simulator={"latency": "0.5", "pictures": "cached"})
    job = room.submit(ROWS)
    wanted = sorted(f"{row['id']} done" for row in ROWS)

    other = elsewhere(room, job)
    ours = [f"{one.id} {one.state.value}" for one in job.stream(timeout=90)]
    theirs, _ = other.communicate(timeout=90)
    later, _ = elsewhere(room, job).communicate(timeout=90)

    assert sorted(ours) == sorted(theirs.splitlines()) == sorted(later.splitlines()) == wanted


def test_a_stream_says_when_its_time_is_over(open_room: Open) -> None:
    room = open_room(simulator={"latency": "30", "pictures": "cached"})
    job = room.submit(ROWS[:1])

    with pytest.raises(StillPending):
        list(job.stream(timeout=0.1))
    assert job.cancel() in {0, 1}


def test_an_event_loop_submits_streams_and_waits(open_room: Open, bill_of: Bill) -> None:
    room = open_room()

    async def run() -> tuple[list[Result], list[Result], bool]:
        async with AsyncDarkroom(room.settings) as door:
            job = await door.submit([*ROWS, NO], max_cost="5.00", idempotency_key="night")
            again = await door.submit(ROWS, idempotency_key="night")
            assert again.id == job.id
            finished = [result async for result in job.stream(timeout=90)]
            state = await job.wait(timeout=90)
            return finished, [result async for result in job.results()], state.is_finished

    finished, results, is_finished = asyncio.run(run())

    assert is_finished
    assert sorted(one.id for one in finished) == sorted(one.id for one in results)
    assert len(results) == len(ROWS) + 1
    assert len(bill_of(room)) == len(ROWS) + 1


def test_a_loop_does_other_things_while_a_job_is_waited_for(open_room: Open) -> None:
    room = open_room(simulator={"latency": "1", "pictures": "cached"})

    async def run() -> tuple[int, int]:
        async with AsyncDarkroom(room.settings) as door:
            jobs = [await door.submit([row]) for row in ROWS]
            waiting = asyncio.gather(*(job.wait(timeout=90) for job in jobs))
            looks = 0
            while not waiting.done():
                looks += len(await door.jobs()) == len(jobs)
                await asyncio.sleep(0.05)
            return looks, sum(state.done for state in await waiting)

    looks, done = asyncio.run(run())

    assert done == len(ROWS)
    assert looks > 0


def test_what_was_cancelled_can_be_tried_again(open_room: Open) -> None:
    room = open_room()

    async def run() -> tuple[int, int, list[str]]:
        async with AsyncDarkroom(room.settings) as door:
            job = await door.submit(ROWS[:3], hold=True)
            cancelled = await job.cancel()
            retried = await job.retry([RenderState.CANCELLED])
            done = [one.id async for one in job.stream([RenderState.DONE], timeout=90)]
            return cancelled, retried, done

    cancelled, retried, done = asyncio.run(run())

    assert (cancelled, retried, len(done)) == (3, 3, 3)


class Frame:
    """What Darkroom uses of a DataFrame of pandas: nothing of it is imported."""

    columns = ("id", "prompt", "model", "seed")

    def to_dict(self, how: str) -> list[dict[str, object]]:
        assert how == "records"
        model, empty = "gemini-3.1-flash-image", float("nan")
        return [
            {"id": "one", "prompt": "a lamp", "model": model, "seed": empty},
            {"id": "two", "prompt": "a mug", "model": model, "seed": 7.0},
        ]


def test_a_frame_and_an_iterator_are_rendered_like_rows(open_room: Open) -> None:
    room = open_room()

    def rows() -> Iterator[dict[str, object]]:
        yield from ROWS[:2]

    jobs = [room.submit(Frame()), room.submit(rows())]

    assert [job.wait(90).done for job in jobs] == [2, 2]


def test_the_folder_is_the_same_for_both_doors(open_room: Open, tmp_path: Path) -> None:
    room = open_room()

    async def run() -> list[str]:
        async with AsyncDarkroom(room.settings) as door:
            job = await door.submit(ROWS[:1])
            await job.wait(timeout=90)
            await job.export("csv", tmp_path / "out.csv")
            return [state.id for state in await door.jobs()]

    ids = asyncio.run(run())

    assert [state.id for state in room.jobs()] == ids
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("\n") == 2
