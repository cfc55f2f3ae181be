"""A soak, by hand: a steady load for as long as you like, and what grows meanwhile.

`python -m benchmarks soak --minutes 60`. Images are small, and removed when their job has ended.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import redis
from benchmarks import darkroom_itself
from benchmarks.load import MODEL, Load, prompt
from benchmarks.process import family, named, open_files, resident_mb

from darkroom import Darkroom, Job
from darkroom_simulator import child

_A_SECOND: Final = 20  # renders
_MINUTE: Final = 60.0
_CONCURRENCY: Final = 64
_LATENCY: Final = "0.5-1.5"


class Reading(msgspec.Struct, frozen=True):
    """What was seen at one moment."""

    minute: float
    done: int
    waiting: int
    worker_mb: float
    redis_keys: int
    open_files: int
    wal_mb: float


_GROWING: Final = ("worker_mb", "redis_keys", "open_files", "wal_mb")


def run(minutes: float) -> None:
    """Soak, and print a line a minute; then what grew in an hour, by least squares."""
    flags = ["--pictures", "cached", "--body-bytes", "1000", "--latency", _LATENCY]
    limit = {"DARKROOM_TIERS__SIMULATOR__REQUESTS_PER_MINUTE": str(_A_SECOND * 60)}
    print("".join(name.rjust(12) for name in Reading.__struct_fields__))
    readings = []
    with child.running(*flags) as simulator, tempfile.TemporaryDirectory(prefix="soak-") as place:
        load = Load(simulator.url, 0, _CONCURRENCY)
        with darkroom_itself.stack(load, Path(place), 1, **limit) as (darkroom, supervisor):
            for reading in _read(darkroom, supervisor, minutes):
                readings.append(reading)
                print("".join(_cell(each) for each in msgspec.structs.astuple(reading)), flush=True)
    for line in slopes(readings):
        print(line)


def _cell(value: float) -> str:
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.1f}").rjust(12)


def _read(darkroom: Darkroom, supervisor: int, minutes: float) -> Iterator[Reading]:
    """Submit a job a minute, and look at the end of each minute."""
    worker = named(family(supervisor), "darkroom_worker")
    home = darkroom.settings.home
    began = time.monotonic()
    jobs: list[Job] = []
    while time.monotonic() - began < minutes * _MINUTE:
        jobs.append(_submit(darkroom, len(jobs)))
        time.sleep(max(0.0, began + len(jobs) * _MINUTE - time.monotonic()))
        states = [job.state for job in jobs]
        yield Reading(
            minute=(time.monotonic() - began) / _MINUTE,
            done=sum(state.done for state in states),
            waiting=sum(state.pending + state.sent for state in states),
            worker_mb=resident_mb(worker),
            redis_keys=_keys(home / "valkey.sock"),
            open_files=open_files(worker),
            wal_mb=(home / "darkroom.db-wal").stat().st_size / 1e6,
        )
        for state in states:
            if state.is_finished:
                shutil.rmtree(state.folder, ignore_errors=True)


def _submit(darkroom: Darkroom, number: int) -> Job:
    first = number * _A_SECOND * 60
    rows = range(first, first + _A_SECOND * 60)
    return darkroom.submit([{"prompt": prompt(row), "model": MODEL} for row in rows], consent=True)


def _keys(socket: Path) -> int:
    with redis.Redis(unix_socket_path=str(socket)) as client:
        return int(client.dbsize())


def slopes(readings: Sequence[Reading]) -> list[str]:
    """Tell what grew in an hour. The first quarter is left out: caches fill then."""
    settled = readings[len(readings) // 4 :]
    if len(settled) < 2:  # a line has two points
        return ["Too short to tell what grows."]
    minutes = [reading.minute for reading in settled]
    value: Callable[[str], list[float]] = lambda name: [getattr(one, name) for one in settled]  # noqa: E731
    return [
        f"{name}: {60 * statistics.linear_regression(minutes, value(name)).slope:+.2f} an hour,"
        f" from {value(name)[0]:,.1f} to {value(name)[-1]:,.1f}"
        for name in _GROWING
    ]
