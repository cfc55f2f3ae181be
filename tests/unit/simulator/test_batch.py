"""Parts of the simulator's batches that need no wire: lines of a file, plans, pages, time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from darkroom_simulator.batch_clock import Clock
from darkroom_simulator.batch_fault import BatchRule, Mishap
from darkroom_simulator.batch_lines import Lines
from darkroom_simulator.batch_plan import plan
from darkroom_simulator.batch_state import State
from darkroom_simulator.catalog import Platform
from darkroom_simulator.download import NoSuchRangeError, chosen
from darkroom_simulator.paging import paged
from darkroom_simulator.problem import Problem


def rules(fault: str, share: float = 0.5) -> dict[Mishap, BatchRule]:
    return {Mishap(fault): BatchRule(Mishap(fault), share=share)}


@pytest.mark.parametrize("end", [b"\n", b"", b"\n\n  \n"])
def test_lines_are_found_whatever_is_blank_between_them(tmp_path: Path, end: bytes) -> None:
    path, long = tmp_path / "lines", b"x" * 2_500_000
    path.write_bytes(b"a\n\n" + long + b"\r\nb" + end)
    lines = Lines([path, path])
    path.unlink()
    lines.find(10)

    assert [lines[index].strip() for index in range(len(lines))] == [b"a", long, b"b"] * 2
    assert [lines.number(index) for index in range(3)] == [1, 3, 4]
    lines.close()


def test_more_lines_than_are_wanted_are_not_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"a\n" * 100)
    lines = Lines([path])
    lines.find(10)

    assert len(lines) == 11
    lines.close()


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    first, same, other = (plan(50, Platform.VERTEX, {}, seed) for seed in ("1 a", "1 a", "2 a"))

    assert first == same
    assert list(first.order) != list(other.order)


@pytest.mark.parametrize("lines", [0, 1, 2])
@pytest.mark.parametrize("fault", [each for each in Mishap if each is not Mishap.LINE_ERRORS])
def test_a_plan_can_be_made_of_hardly_any_lines(lines: int, fault: str) -> None:
    made = plan(lines, Platform.VERTEX, rules(fault, 0.01), "seed")

    assert sorted(made.order) == list(range(lines))
    assert 0 <= made.worked <= lines
    assert len(made.swapped) == (2 if lines == 2 and fault == "swapped-labels" else 0)


def test_two_lines_never_keep_their_order_on_vertex_and_always_on_ai_studio() -> None:
    for seed in map(str, range(20)):
        assert list(plan(2, Platform.VERTEX, {}, seed).order) == [1, 0]
        assert list(plan(2, Platform.AISTUDIO, {}, seed).order) == [0, 1]


def test_pairs_of_swapped_lines_know_each_other() -> None:
    swapped = plan(9, Platform.AISTUDIO, rules("swapped-labels", 1.0), "seed").swapped

    assert len(swapped) == 8
    assert all(swapped[other] == one != other for one, other in swapped.items())


def test_a_share_says_what_is_worked_and_of_partial_what_is_not() -> None:
    expired = plan(10, Platform.VERTEX, rules("expire", 0.3), "seed")
    partial = plan(10, Platform.VERTEX, rules("partial", 0.3), "seed")

    assert (expired.worked, expired.end) == (3, State.EXPIRED)
    assert (partial.worked, partial.end) == (7, State.PARTIALLY_SUCCEEDED)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=4-", (4, 10)),
        ("bytes=4-99", (4, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
    ],
)
def test_a_range_is_read(header: str | None, span: tuple[int, int] | None) -> None:
    assert chosen(header, 10) == span


def test_a_range_behind_the_end_is_none() -> None:
    with pytest.raises(NoSuchRangeError):
        chosen("bytes=10-", 10)


@dataclass(frozen=True)
class Thing:
    number: int


def test_pages_hold_everything_once_though_something_comes_and_goes() -> None:
    things = [Thing(number) for number in range(1, 8)]
    first = paged(things, {"pageSize": "3"})
    assert not isinstance(first, Problem)
    things = [each for each in [*things, Thing(8)] if each.number != 5]
    second = paged(things, {"pageSize": "9", "pageToken": first[1]})

    assert [each.number for each in first[0]] == [7, 6, 5]
    assert second == ([Thing(number) for number in (4, 3, 2, 1)], "")
    assert paged([], {}) == ([], "")
    assert isinstance(paged(things, {"pageSize": "-1"}), Problem)


def test_batch_time_is_put_forward_for_those_who_wait() -> None:
    async def wait() -> float:
        clock = Clock(speed=0.001)
        waiting = asyncio.create_task(clock.until(1_000, lambda: False))
        await asyncio.sleep(0)
        clock.advance(1_000)
        await waiting
        return clock.now()

    assert 1_000 <= asyncio.run(wait()) < 1_001


def test_who_waits_can_be_made_to_give_up() -> None:
    async def wait() -> float:
        clock, given_up = Clock(speed=0.001), asyncio.Event()
        waiting = asyncio.create_task(clock.until(1_000, given_up.is_set))
        await asyncio.sleep(0)
        given_up.set()
        clock.nudge()
        await waiting
        return clock.now()

    assert asyncio.run(wait()) < 1
