"""One row handed to Darkroom at a time, as a web server does it: PostgreSQL and Valkey here."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import postgres
from benchmarks.figures import Figure, say
from benchmarks.load import prompt

from darkroom import AsyncDarkroom, Darkroom
from darkroom.broker import Broker
from darkroom.settings import Settings

_WARM: Final = 20
_MOST_MS: Final = 20.0


def figures(rows: int) -> list[Figure]:
    """Measure how long `submit` takes until the row is safe, with both doors."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, postgres.running() as server:
        broker = Broker(Path(folder) / "home")
        told = {"home": folder, "broker_url": broker.start(), "database_url": server.new_database()}
        try:
            settings = Settings.model_validate(told)
            taken = {"Darkroom": _blocking(settings, rows), "AsyncDarkroom": _async(settings, rows)}
        finally:
            broker.stop()
    return [
        Figure(
            name=f"ms to enqueue one row, median of {rows:,}, {door}",
            ours=[statistics.median(spans)],
            rival="wanted",
            baseline=[_MOST_MS],
            at_most=1.0,
        )
        for door, spans in taken.items()
    ]


def _blocking(settings: Settings, rows: int) -> list[float]:
    spans = []
    with Darkroom(settings) as room:
        for number in range(rows + _WARM):
            began = time.perf_counter()
            room.submit([_row(number)])
            spans.append(1e3 * (time.perf_counter() - began))
    return _told("Darkroom", spans[_WARM:])


def _async(settings: Settings, rows: int) -> list[float]:
    async def run() -> list[float]:
        spans = []
        async with AsyncDarkroom(settings) as room:
            for number in range(rows + _WARM):
                began = time.perf_counter()
                await room.submit([_row(-1 - number)])
                spans.append(1e3 * (time.perf_counter() - began))
        return spans

    return _told("AsyncDarkroom", asyncio.run(run())[_WARM:])


def _row(number: int) -> dict[str, object]:
    return {"id": f"r{number}", "prompt": prompt(number), "tier": "simulator"}


def _told(door: str, spans: list[float]) -> list[float]:
    ninetieth = statistics.quantiles(spans, n=10)[-1]
    say(f"{door}: {statistics.median(spans):.1f} ms, 9 of 10 within {ninetieth:.1f} ms")
    return spans
