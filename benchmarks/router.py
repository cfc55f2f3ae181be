"""A large manifest, planned in a fresh process with `auto` choosing a tier for each row."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.figures import Figure, say
from benchmarks.load import ROOT, clean_environment, prompt
from benchmarks.process import peak_mb

from darkroom import Choices, Darkroom
from darkroom.settings import Settings
from darkroom_manifests.tier import AUTO

_RATIOS = ("1:1", "4:3", "16:9", "9:16", "4:5")
_SIZES = ("1K", "1K", "1K", "2K", "4K")
_MODELS = ("gemini-nano-banana-2.1", "gemini-3-pro-image", "gemini-3.1-flash-image")
_MOST_SECONDS = 60.0
_WORDS = "A lamp of brushed steel on a walnut table, seen from the left, in soft morning light. "


class Routing(msgspec.Struct, frozen=True):
    """What planning took, and how many tiers and models the rows were spread over."""

    rows: int
    seconds: float
    cpu_seconds: float
    compared_seconds: float
    """For the alternatives, afterwards."""
    peak_mb: float
    shares: int


def figures(rows: tuple[int, int]) -> list[Figure]:
    """Plan a small manifest and a large one."""
    small, large = map(_routed, rows)
    return [
        Figure(
            name=f"CPU seconds, plan and route {large.rows:,} rows",
            ours=[large.cpu_seconds],
            rival="wanted",
            baseline=[_MOST_SECONDS],
            at_most=1.0,
        ),
        Figure(
            name=f"peak MB, plan and route {large.rows:,} rows",
            ours=[large.peak_mb],
            rival=f"{small.rows:,} rows",
            baseline=[small.peak_mb],
            at_most=1.2,
        ),
    ]


def _routed(rows: int) -> Routing:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = run(rows, Path(folder))
    say(
        f"{rows:,} rows: {found.seconds:.1f} s ({found.cpu_seconds:.1f} s of CPU), "
        f"{found.peak_mb:.0f} MB, alternatives {found.compared_seconds:.2f} s"
    )
    return found


def run(rows: int, folder: Path) -> Routing:
    """Measure a manifest of so many rows in a process of its own."""
    write(folder / "mixed.csv", rows)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.router", str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(),
        timeout=600,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Routing)


def write(path: Path, rows: int) -> None:
    """Write a manifest of many kinds: models, sizes, ratios, and prompts of any length."""
    chance = random.Random(1)  # noqa: S311  # the same manifest each time
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "prompt", "model", "image_size", "aspect_ratio"])
        for number in range(rows):
            words = prompt(number) + _WORDS * chance.randrange(12)
            kind = (chance.choice(_MODELS), chance.choice(_SIZES), chance.choice(_RATIOS))
            out.writerow([f"sku-{number:07}", words[: chance.randrange(60, 900)], *kind])


def measure(folder: Path) -> Routing:
    """Plan between two providers with a deadline that neither keeps alone."""
    given: dict[str, Any] = {
        "home": folder / "home",
        "storage_url": str(folder / "out"),
        "aistudio": {"api_key": "k", "account_tier": "3"},
        "vertex": {"project": "p"},
        "tiers": {"vertex": {"adaptive_start": 600}},
    }
    deadline = datetime.now(UTC) + timedelta(hours=20)
    with Darkroom(Settings.model_validate(given)) as room:
        assert room.database is not None, "made before the clock starts"
        began, cpu = time.perf_counter(), time.process_time()
        choices = Choices(tier=AUTO, deliver_by=deadline)
        plan = room.plan(folder / "mixed.csv", choices=choices, keep=False)  # as `darkroom plan`
        planned, cpu = time.perf_counter(), time.process_time() - cpu
        assert room.alternatives(plan)
        compared = time.perf_counter()
    assert not plan.problems, plan.problems[0]
    took = planned - began, cpu, compared - planned
    return Routing(plan.rows, *took, peak_mb(), len(plan.shares))


def main() -> None:
    """Measure, and print what was found as JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(measure(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
