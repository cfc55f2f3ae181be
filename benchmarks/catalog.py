"""A catalog of which all is there, submitted again with one row in a hundred changed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
from benchmarks.figures import Figure, say
from benchmarks.load import ROOT, clean_environment, prompt
from benchmarks.process import peak_mb
from sqlalchemy import func, update

from darkroom import Darkroom, db
from darkroom.models import Job, Render, RenderState
from darkroom.settings import Settings

_NAME: Final = "bench"
_CHANGED: Final = 100  # one row of so many
_MOST_SECONDS: Final = 60.0
_PATIENCE: Final = 900.0


class Night(msgspec.Struct, frozen=True):
    """What the second night took."""

    rows: int
    seconds: float
    peak_mb: float
    renders: int
    stored_seconds: float


def figures(rows: tuple[int, int]) -> list[Figure]:
    """Plan a small catalog and a large one, each for the second time."""
    # Reading fills the database's cache later than writing does.
    small, large = _night(2 * rows[0]), _night(rows[1])
    return [
        Figure(
            name=f"seconds, plan of {large.rows:,} rows, 1 in {_CHANGED} changed",
            ours=[large.seconds],
            rival="wanted",
            baseline=[_MOST_SECONDS],
            at_most=1.0,
        ),
        Figure(
            name=f"peak MB, plan of {large.rows:,} rows, 1 in {_CHANGED} changed",
            ours=[large.peak_mb],
            rival=f"{small.rows:,} rows",
            baseline=[small.peak_mb],
            at_most=1.2,
        ),
    ]


def _night(rows: int) -> Night:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _child(Path(folder), "first", rows)
        found = msgspec.json.decode(_child(Path(folder), "second", rows), type=Night)
    assert found.renders == rows // _CHANGED, found
    say(
        f"{rows:,} rows, {found.renders:,} changed: plan {found.seconds:.1f} s, "
        f"{found.peak_mb:.0f} MB, stored in {found.stored_seconds:.1f} s"
    )
    return found


def _child(folder: Path, night: str, rows: int) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.catalog", str(folder), night, str(rows)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(),
        timeout=_PATIENCE,
        check=True,
    )
    return done.stdout


def _write(path: Path, rows: int, *, changed: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("id,prompt\n")
        for number in range(rows):
            word = "red " if changed and number % changed == 0 else ""
            file.write(f'sku-{number:07},"{word}{prompt(number)}"\n')


def _first(room: Darkroom, path: Path, rows: int) -> None:
    """Submit all, and let it be there as if workers had come."""
    _write(path, rows, changed=0)
    job = room.submit(path, catalog=_NAME)
    with db.writing(room.database) as connection:
        now = db.now(connection)
        connection.execute(update(Render).values(state=RenderState.DONE, finished_at=now))
        counts = {"pending": 0, "done": func.coalesce(Job.pending, 0), "finished_at": now}
        connection.execute(update(Job).where(Job.id == job.id).values(**counts))


def _second(room: Darkroom, path: Path, rows: int) -> Night:
    _write(path, rows, changed=_CHANGED)
    assert room.database is not None, "opened before the clock starts"
    began = time.perf_counter()
    plan = room.plan(path, catalog=_NAME)
    planned, peak = time.perf_counter(), peak_mb()
    state = room.submit(plan).state
    stored = time.perf_counter() - planned
    assert (state.total, state.unchanged) == (plan.renders, plan.unchanged), state
    return Night(plan.rows, planned - began, peak, plan.renders, stored)


def main() -> None:
    """Run one night in the folder that is named."""
    folder, night, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    given = {"home": folder / "home", "storage_url": str(folder / "out")}
    with Darkroom(Settings.model_validate(given | {"defaults": {"tier": "simulator"}})) as room:
        if night == "first":
            _first(room, folder / "catalog.csv", rows)
            return
        found = _second(room, folder / "catalog.csv", rows)
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
