"""Darkroom as a user runs it: the local stack in processes of its own, a manifest, a wait."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from benchmarks.load import MODEL, WARM, Load, Sample, clean_environment, prompt
from benchmarks.process import cpu_seconds, family, named, peak_mb, resident_mb

from darkroom import Darkroom, Job, db, embedded
from darkroom.configure import load as load_settings

_PATIENCE = 600.0


def run(load: Load, folder: Path) -> Sample:
    """Render with one worker; timed from the first attempt's start to the last one's end.

    CPU is that of the whole stack: worker, clock, broker and their supervisor.
    """
    with stack(load, folder) as (darkroom, supervisor):
        _render(darkroom, range(-WARM, 0), folder / "warm.jsonl")
        pids = family(supervisor)
        worker = named(pids, "darkroom_worker")
        before, memory = cpu_seconds(pids), list[tuple[int, float]]()
        job = _render(darkroom, range(load.images), folder / "timed.jsonl", worker, memory)
        used = cpu_seconds(pids) - before
        if job.state.done != load.images:
            raise RuntimeError(f"Darkroom rendered {job.state.done} of {load.images}.")
        began, ends = _times(darkroom, job)
        return Sample(load.images, ends[-1] - began, used, memory, peak_mb(worker), ends)


def seconds(load: Load, folder: Path, workers: int, **more: str) -> float:
    """Render with some workers, timed by the books; `more` are variables of the environment."""
    with stack(load, folder, workers, **more) as (darkroom, _):
        job = _render(darkroom, range(load.images), folder / "timed.jsonl")
        if job.state.done != load.images:
            raise RuntimeError(f"Darkroom rendered {job.state.done} of {load.images}.")
        began, ends = _times(darkroom, job)
        return ends[-1] - began


@contextmanager
def stack(
    load: Load, folder: Path, workers: int = 1, **more: str
) -> Iterator[tuple[Darkroom, int]]:
    """Start the local stack in a folder, speaking to a running simulator."""
    env = clean_environment(
        DARKROOM_HOME=str(folder / "home"),
        DARKROOM_STORAGE_URL=str(folder / "out"),
        DARKROOM_SIMULATOR__BASE_URL=load.url,
        DARKROOM_TIERS__SIMULATOR__CONCURRENCY=str(load.concurrency),
        **more,
    )
    with Darkroom(load_settings(env=env, folder=folder).settings) as darkroom:
        assert darkroom.database is not None, "made before the processes that need it"
        command = [sys.executable, "-m", "darkroom.stack", "--workers", str(workers)]
        process = subprocess.Popen(command, env=env, cwd=folder)
        try:
            while embedded.find(darkroom.settings.home) is None:
                if process.poll() is not None:
                    raise RuntimeError("the local stack did not start")
                time.sleep(0.05)
            yield darkroom, process.pid
        finally:
            process.terminate()
            process.wait()


def _render(
    darkroom: Darkroom,
    numbers: range,
    manifest: Path,
    worker: int | None = None,
    memory: list[tuple[int, float]] | None = None,
) -> Job:
    """Submit a manifest of so many rows and wait for it."""
    lines = (f'{{"prompt": "{prompt(number)}", "model": "{MODEL}"}}\n' for number in numbers)
    manifest.write_text("".join(lines), encoding="utf-8")
    job = darkroom.submit(manifest, consent=True)

    def look(done: int) -> None:
        if worker is not None and memory is not None:
            memory.append((done, resident_mb(worker)))

    job.wait(_PATIENCE, tell=lambda state: look(state.done))
    return job


def _times(darkroom: Darkroom, job: Job) -> tuple[float, list[float]]:
    """When the first request left and each answer was committed, in seconds, by the books."""
    query = "SELECT sent_at, closed_at FROM attempts WHERE job_id = :job"
    with db.reading(darkroom.database) as connection:
        rows = list(db.rows_of(connection, query, job=job.id))
    sent, closed = (
        sorted(datetime.fromisoformat(row[name]).timestamp() for row in rows)
        for name in ("sent_at", "closed_at")
    )
    return sent[0], closed
