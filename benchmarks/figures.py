"""The figures: what is measured, against what, and what was promised."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import msgspec
from benchmarks import books as account_books
from benchmarks import darkroom_itself, ingest, one_task, postgres, scripts
from benchmarks.load import Load, Sample

from darkroom_simulator import child

_ANSWER_BYTES = "1500000"
_BUSY_PROCESSES = 2 * (os.cpu_count() or 1)  # of a prefork pool that never waits
_WAITING_PROCESSES = 32  # of one that mostly does: more would only fill memory
_BOOK_BATCH = 500
_TRIAL = 128  # images
_OF_CELERY = 2.0

Side = Callable[[Load, Path], Sample]


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    runs: int
    images: int
    """For each side and run."""
    waiting: int
    """At a time, when answers take two seconds."""
    flight: tuple[int, int, int]
    """At a time in one process, the seconds that each takes, and how many rounds of them."""
    long_run: int
    book_rounds: int
    """Batches that are claimed and settled."""
    rows: tuple[int, int]
    """Of a small manifest, which fills the database's cache, and of a large one."""
    seconds: float
    """Of sending at a limit: more than a window of a minute."""
    limited: int
    """Renders of a job at a limit."""
    batch_lines: tuple[int, int]
    """Of a batch's results: to be timed, and to see that memory stays flat."""
    dropped: int
    """Manifests, at once into a watched folder."""
    enqueued: int
    """Rows, one at a time."""


FULL = Scale(
    runs=5,
    images=1_000,
    waiting=500,
    flight=(2_000, 10, 6),
    long_run=10_000,
    book_rounds=40,
    rows=(100_000, 1_000_000),
    seconds=66,
    limited=300,
    batch_lines=(300, 2_000),
    dropped=1_000,
    enqueued=300,
)
QUICK = Scale(
    runs=1,
    images=200,
    waiting=100,
    flight=(500, 5, 4),
    long_run=800,
    book_rounds=10,
    rows=(50_000, 100_000),
    seconds=66,
    limited=100,
    batch_lines=(100, 300),
    dropped=200,
    enqueued=100,
)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. The ratio is the median of the ratios run by run."""

    name: str
    ours: list[float]
    rival: str
    baseline: list[float]
    at_least: float | None = None
    at_most: float | None = None
    unjudged: str = ""
    """Why a target is not looked at on this machine, where it is not."""

    @property
    def ratio(self) -> float:
        """Ours over the baseline; a rival with nothing at all is as good as ours with nothing."""
        pairs = zip(self.ours, self.baseline, strict=True)
        return statistics.median(o / b if b else float(o == b) for o, b in pairs)

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where there is none, or it is not looked at."""
        if self.unjudged:
            return None
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ratio <= self.at_most


def rendering(scale: Scale, latency: str, concurrency: int) -> list[Figure]:
    """Render the same images on every side in turn, so that all meet the same machine."""
    with simulator(latency) as running:
        load = Load(running.url, scale.images, concurrency)
        celery, pool = best_pool(load, _BUSY_PROCESSES if latency == "0" else _WAITING_PROCESSES)
        sides: dict[str, Side] = {
            "darkroom": darkroom_itself.run,
            "bare": partial(scripts.run, "bare"),
            "sdk": partial(scripts.run, "sdk"),
            "celery": celery,
        }
        taken = interleaved(sides, load, scale.runs)
    rates = {side: [sample.rate for sample in samples] for side, samples in taken.items()}
    cpu = {side: [sample.cpu_ms for sample in samples] for side, samples in taken.items()}
    at = f"{latency} s latency, {concurrency} at a time"
    return [
        Figure(
            name=f"CPU ms/image, {at}",
            ours=cpu["darkroom"],
            rival="bare aiohttp script",
            baseline=cpu["bare"],
            at_most=1.6,
        ),
        Figure(
            name=f"images/s, {at}",
            ours=rates["darkroom"],
            rival="SDK script",
            baseline=rates["sdk"],
            at_least=1.0,
        ),
        Figure(
            name=f"images/s, {at}",
            ours=rates["darkroom"],
            rival=f"Celery, a task an image, {pool}",
            baseline=rates["celery"],
            at_least=_OF_CELERY,
            unjudged=_no_room(rates["bare"], rates["celery"]),
        ),
    ]


def _no_room(bare: list[float], celery: list[float]) -> str:
    """Say that not even the least that renders an image is that much faster here."""
    ratio = statistics.median(b / c for b, c in zip(bare, celery, strict=True))
    if ratio >= _OF_CELERY:
        return ""
    return f"even the bare script reaches only {ratio:.2f} of Celery's images/s on this machine"


def simulator(latency: str, *more: str) -> AbstractContextManager[child.Ready]:
    """Run a simulator that costs little and answers with large pictures."""
    flags = ["--pictures", "cached", "--body-bytes", _ANSWER_BYTES, "--latency", latency]
    return child.running(*flags, *more)


def best_pool(load: Load, processes: int) -> tuple[Side, str]:
    """Try Celery's pools on a small part of the load, and take the fastest."""
    rates: dict[tuple[str, int], float] = {}
    for pool, width in (("threads", load.concurrency), ("prefork", processes)):
        trial = Load(load.url, min(load.images, _TRIAL), width)
        rates[pool, width] = measured(partial(one_task.run, pool), trial).rate
        say(f"trial: Celery {pool} x{width}: {rates[pool, width]:.1f} images/s")
    pool, width = max(rates, key=lambda name: rates[name])

    def side(given: Load, folder: Path) -> Sample:
        return one_task.run(pool, msgspec.structs.replace(given, concurrency=width), folder)

    return side, f"{pool} x{width}"


def interleaved(sides: dict[str, Side], load: Load, runs: int) -> dict[str, list[Sample]]:
    """Run A B C, A B C, ... and not A A, B B, C C."""
    taken = defaultdict(list)
    for run in range(runs):
        for name, side in sides.items():
            sample = measured(side, load)
            taken[name].append(sample)
            say(f"run {run + 1}: {name:9} {sample.rate:6.1f} images/s {sample.cpu_ms:6.2f} CPU ms")
    return taken


def measured(side: Side, load: Load) -> Sample:
    """Run one side in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return side(load, Path(folder))


def memory(images: int, concurrency: int) -> list[Figure]:
    """Look at the worker's memory after a fifth of a long run and at its end."""
    with simulator("0") as running:
        sample = measured(darkroom_itself.run, Load(running.url, images, concurrency))
    early, late = images // 5, images - images // 10
    return [
        Figure(
            name=f"worker's MB around image {images:,}",
            ours=[_held(sample, late, images)],
            rival=f"around image {early:,}",
            baseline=[_held(sample, early, early + images // 10)],
            at_most=1.1,
        )
    ]


def _held(sample: Sample, first: int, last: int) -> float:
    return statistics.median(mb for done, mb in sample.memory if first <= done <= last)


def manifest(rows: tuple[int, int]) -> list[Figure]:
    """Check and submit a small manifest and a large one."""
    small, large = map(_ingested, rows)
    less = f"{small.rows:,} rows"
    return [
        Figure(
            name=f"peak MB, check {large.rows:,} rows",
            ours=[large.check_mb],
            rival=less,
            baseline=[small.check_mb],
            at_most=1.2,
        ),
        Figure(
            name=f"peak MB, submit {large.rows:,} rows",
            ours=[large.submit_mb],
            rival=less,
            baseline=[small.submit_mb],
            at_most=1.2,
        ),
        _rate("check", large.check_rate, large),
        _rate("submit", large.submit_rate, large),
    ]


def _rate(step: str, rate: float, large: ingest.Ingest) -> Figure:
    name = f"rows/s, {step} {large.rows:,} rows"
    return Figure(name=name, ours=[rate], rival="raw executemany", baseline=[large.raw_rate])


def _ingested(rows: int) -> ingest.Ingest:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = ingest.run(rows, Path(folder))
    say(f"{rows:,} rows: {found.check_rate:,.0f}/s checked, {found.submit_rate:,.0f}/s submitted")
    return found


def books(scale: Scale) -> list[Figure]:
    """What claim and settle cost on both databases, and a large manifest into PostgreSQL."""
    with postgres.running() as server, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        urls = {
            "PostgreSQL": server.new_database(),
            "SQLite": f"sqlite:///{Path(folder) / 'books.db'}",
        }
        found = [
            figure for name, url in urls.items() for figure in _cost(name, url, scale.book_rounds)
        ]
        small, large = (_copied(rows, server) for rows in scale.rows)
    return [
        *found,
        Figure(
            name=f"rows/s, submit {large.rows:,} rows to PostgreSQL",
            ours=[large.submit_rate],
            rival="raw COPY",
            baseline=[large.raw_rate],
            at_least=0.5,
        ),
        Figure(
            name=f"peak MB, submit {large.rows:,} rows to PostgreSQL",
            ours=[large.submit_mb],
            rival=f"{small.rows:,} rows",
            baseline=[small.submit_mb],
            at_most=1.2,
        ),
    ]


def _cost(name: str, url: str, how_many: int) -> list[Figure]:
    found = account_books.measure(url, _BOOK_BATCH, how_many)
    one = account_books.measure(url, 1, how_many)
    for kind, batch, taken in (
        ("claim", _BOOK_BATCH, found.claim),
        ("settle", _BOOK_BATCH, found.settle),
        ("claim", 1, one.claim),
        ("settle", 1, one.settle),
        ("tick", 1, found.tick),
    ):
        say(f"{name}: {kind} of {batch}: {statistics.median(taken):.2f} ms")
    return [
        Figure(
            name=f"database ms/render, batches of {_BOOK_BATCH}, {name}",
            ours=[found.a_render],
            rival="wanted",
            baseline=[0.3],
            at_most=1.0,
        )
    ]


def _copied(rows: int, server: postgres.Server) -> ingest.Ingest:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        urls = server.new_database(), server.new_database()
        found = ingest.run(rows, Path(folder), *urls)
    say(
        f"{rows:,} rows to PostgreSQL: {found.check_rate:,.0f}/s checked, "
        f"{found.submit_rate:,.0f}/s submitted, {found.raw_rate:,.0f}/s by raw COPY"
    )
    return found


Parts = Mapping[str, Callable[[], list[Figure]]]


def every(scale: Scale, only: Sequence[str], more: Parts) -> list[Figure]:
    """Measure everything, or the parts that are named; `more` are those of other files."""
    parts: Parts = {
        "busy": partial(rendering, scale, "0", 64),
        "waiting": partial(rendering, scale, "2", scale.waiting),
        "memory": partial(memory, scale.long_run, 64),
        "manifest": partial(manifest, scale.rows),
        "books": partial(books, scale),
        **more,
    }
    return [figure for name in only or parts for figure in _part(name, parts[name])]


def _part(name: str, measure: Callable[[], list[Figure]]) -> list[Figure]:
    say(f"-- {name}")
    return measure()


def say(text: str) -> None:
    """Tell a waiting person how it goes."""
    print(text, file=sys.stderr, flush=True)
