"""Watches a job to its end, renders it here in embedded mode, and leaves no process behind."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from darkroom import db, embedded
from darkroom.cli import voice, wording
from darkroom.cli.invocation import Invocation
from darkroom.cli.pace import Pace
from darkroom.cli.progress import Moment, Progress
from darkroom.client import Darkroom, Job
from darkroom.errors import DarkroomError, Exit
from darkroom.idle import is_idle
from darkroom.report import JobState, living_workers

_LOOK_SECONDS: Final = 1.0


class Detached(DarkroomError):
    """The person went away; the job did not."""

    code = "detached"
    exit_code = Exit.INTERRUPTED


class Watcher:
    """Turns a job's states into moments to show."""

    def __init__(
        self, room: Darkroom, job: Job, progress: Progress, interrupted: threading.Event
    ) -> None:
        self._interrupted = interrupted
        self._room = room
        self._job = job
        self._progress = progress
        self._pace = Pace()
        self._waits: list[str] = []
        self._looked = float("-inf")

    def tell(self, state: JobState) -> None:
        """Show how the job stands; raises KeyboardInterrupt after a Ctrl-C."""
        if self._interrupted.is_set():
            raise KeyboardInterrupt
        now = time.monotonic()
        self._pace.note(now, state.finished)
        if now - self._looked >= _LOOK_SECONDS:
            self._looked, self._waits = now, self._waiting_for(state)
        left = self._pace.seconds_for(state.total - state.finished)
        self._progress.tell(Moment(state, now, self._pace.rate, left, self._waits))

    def _waiting_for(self, state: JobState) -> list[str]:
        waits: list[str] = []
        if state.submitted and (found := self._job.batching()) is not None:
            waits.append(wording.batching(found))
        if not state.pending:
            return waits
        waits += [wording.rest(rest) for rest in self._job.waits()]
        if not self._room.settings.is_embedded:
            with db.reading(self._room.database) as connection:
                if not living_workers(connection):
                    waits.append("no worker lives: `darkroom worker start` starts one")
        return waits


def watch(
    room: Darkroom,
    job: Job,
    progress: Progress,
    invocation: Invocation,
    *,
    workers: int = 1,
    timeout: float | None = None,
) -> JobState:
    """Wait until nothing of a job moves by itself. Raises Detached on Ctrl-C, StillPending."""
    try:
        with interrupts() as interrupted, local_stack(room, invocation), progress.shown():
            watcher = Watcher(room, job, progress, interrupted)
            watcher.tell(job.state)
            if not job.state.is_finished:
                room.render_here(workers=workers)
            return job.wait(timeout, tell=watcher.tell)
    except KeyboardInterrupt:
        raise detached(job) from None


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Remember the first Ctrl-C, for `Watcher.tell` to raise; a second one is raised at once.

    Raised anywhere, it could cut short the start of the stack that the job is left to, or be
    dropped by Python inside a finalizer.
    """
    interrupted = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            signal.default_int_handler(number, frame)
        interrupted.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def detached(job: Job) -> Detached:
    """Say that the job goes on, and how to find or stop it."""
    return Detached(
        f"Detached. {job.id} keeps running ({wording.still_to_spend(job.state)}).",
        hint=f"darkroom job watch {job.id} · darkroom job cancel {job.id}",
    )


@contextmanager
def local_stack(room: Darkroom, invocation: Invocation) -> Iterator[None]:
    """At a normal end, take down the local stack if it was started meanwhile and has no work."""
    settings = room.settings
    was_there = settings.is_embedded and embedded.find(settings.home) is not None
    yield
    if not settings.is_embedded or was_there:
        return
    with db.reading(room.database) as connection:
        has_work = not is_idle(connection)
    if not has_work:
        embedded.stop(settings.home)
    elif invocation.talks:
        voice.say("The local stack goes on with other jobs, then ends by itself.", "dim")
