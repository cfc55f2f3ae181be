"""Manifests dropped into a watched folder, all at once, before a scheduler process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from benchmarks.load import ROOT, clean_environment
from sqlalchemy import func, select

from darkroom import Darkroom, db
from darkroom.broker import Broker
from darkroom.configure import hand_down
from darkroom.inbox import Terms, enroll
from darkroom.models import Drop, Job
from darkroom.settings import Settings

_ROWS: Final = 10
_MINUTE: Final = 60.0
_OF: Final = 1_000  # in a minute
_PATIENCE: Final = 600.0
_LOOK_SECONDS: Final = 0.1


def figures(runs: int, manifests: int) -> list[Figure]:
    """Measure how long it takes until each manifest is a job; settling counts, too."""
    seconds = [_measured(manifests) for _ in range(runs)]
    return [
        Figure(
            name=f"seconds until {manifests:,} dropped manifests of {_ROWS} rows are jobs",
            ours=seconds,
            rival=f"{_OF:,} a minute",
            baseline=[_MINUTE * manifests / _OF] * runs,
            at_most=1.0,
        )
    ]


def _measured(manifests: int) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder)
        broker = Broker(place / "home")
        try:
            told = {"home": place / "home", "storage_url": str(place / "out")}
            settings = Settings.model_validate(told | {"broker_url": broker.start()})
            return _taken_in(settings, place / "inbox", manifests)
        finally:
            broker.stop()


def _taken_in(settings: Settings, inbox: Path, manifests: int) -> float:
    inbox.mkdir()
    db.upgrade(db.open_engine(settings.sql_url))
    with Darkroom(settings) as room:
        with db.writing(room.database) as connection:
            enroll(connection, str(inbox), Terms(tier="simulator"))
        with _scheduler(settings):
            began = time.perf_counter()
            for number in range(manifests):
                _drop(inbox, number)
            ends = began + _PATIENCE
            while _jobs(room) < manifests:
                if time.perf_counter() > ends:
                    raise TimeoutError(f"{_jobs(room)} of {manifests} manifests were accepted")
                time.sleep(_LOOK_SECONDS)
            return time.perf_counter() - began


def _drop(inbox: Path, number: int) -> None:
    rows = "".join(f"r{row},lamp no. {number} {row}\n" for row in range(_ROWS))
    (inbox / f"{number:06}.csv").write_text(f"id,prompt\n{rows}", encoding="utf-8")


def _jobs(room: Darkroom) -> int:
    query = select(func.count()).select_from(Drop).join(Job, Job.id == Drop.job_id)
    with db.reading(room.database) as connection:
        return connection.scalar(query) or 0


@contextmanager
def _scheduler(settings: Settings) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom_scheduler", "--parent-pid", str(os.getpid())],
        cwd=ROOT,
        env=clean_environment() | hand_down(settings),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(_MINUTE)
