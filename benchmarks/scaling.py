"""Two worker processes beside one: the same images, in turn."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import darkroom_itself
from benchmarks.figures import Figure, say, simulator
from benchmarks.load import Load

_CORES: Final = 4  # two workers, beside simulator, clock and broker


def figures(images: int, runs: int) -> list[Figure]:
    """Render the same images with one worker process and with two, in turn."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    with simulator("0") as running:
        load = Load(running.url, images, 64)
        for run in range(runs):
            for workers, taken in rates.items():
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    took = darkroom_itself.seconds(load, Path(folder), workers)
                taken.append(images / took)
                say(f"run {run + 1}: {workers} workers {taken[-1]:6.1f} images/s")
    cores = os.cpu_count() or 1
    return [
        Figure(
            name="images/s, two worker processes",
            ours=rates[2],
            rival="one worker process",
            baseline=rates[1],
            at_least=1.8,
            unjudged="" if cores >= _CORES else f"two of them want {_CORES} cores",
        )
    ]
