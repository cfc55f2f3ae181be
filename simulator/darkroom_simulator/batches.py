"""All jobs of both platforms: made, found, listed, cancelled, deleted."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from darkroom_simulator.batch_clock import Clock
from darkroom_simulator.batch_fault import DOWNLOADS, BatchRule, BatchScript, Mishap, Subject
from darkroom_simulator.batch_job import Job, stamp
from darkroom_simulator.batch_lines import Lines
from darkroom_simulator.batch_state import State
from darkroom_simulator.batch_work import Work
from darkroom_simulator.catalog import Platform
from darkroom_simulator.files import Files, random_word
from darkroom_simulator.problem import Problem, not_now
from darkroom_simulator.simulator import Simulator
from darkroom_simulator.storage import Store
from darkroom_simulator.target import Target

MOST_OPEN = 100  # on AI Studio; Google, Gemini API, rate limits
MOMENT = 0.002


class Batches:
    """The jobs, the clock they go by, and the rules by which they go wrong."""

    def __init__(self, simulator: Simulator, store: Store, files: Files) -> None:
        flags = simulator.flags
        self.simulator, self.store, self.files = simulator, store, files
        self.clock = Clock(flags.batch_speed)
        self.script = BatchScript(flags.scenario.batch, flags.scenario.seed)
        self._work = Work(simulator, store, files, self.clock)
        self._chance = random.Random(flags.seed)  # noqa: S311 - durations, not secrets
        self._numbers = itertools.count(1)
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._creates: Counter[str] = Counter()

    def full(self) -> Problem | None:
        """Say 429 where AI Studio takes no more jobs."""
        open_jobs = [job for job in self._jobs.values() if not job.state.over]
        if sum(job.platform is Platform.AISTUDIO for job in open_jobs) < MOST_OPEN:
            return None
        message = f"You have {MOST_OPEN} batch jobs that are not over. Please try again later."
        return Problem(429, message, "over-quota")

    def create(
        self,
        target: Target,
        parent: str,
        display: str,
        asked: Mapping[str, Any],
        met: Mapping[Mishap, BatchRule],
        lines: Lines | None = None,
        *,
        inline: bool = False,
    ) -> Job:
        """Take a job on; `parent` is what its name begins with."""
        self._creates[display] += 1
        now, flags = self.clock.now(), self.simulator.flags
        job = Job(
            number=next(self._numbers),
            name=f"{parent}/{key(target.platform)}",
            display=display,
            target=target,
            asked=asked,
            met=met,
            seed=f"{self.script.seed} {display} {self._creates[display]}",
            born=now,
            starts=now + self._chance.uniform(*flags.batch_queue),
            runs=self._chance.uniform(*flags.batch_run),
            lines=lines,
            inline=inline,
        )
        self._jobs[job.name] = job
        task = asyncio.create_task(self._work.run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def find(self, name: str) -> Job | None:
        """Return a job that may be told of."""
        job = self._jobs.get(name)
        return job if job and job.known(self.clock.now()) else None

    def every(self, platform: Platform, parent: str) -> list[Job]:
        """List the jobs that may be told of, the newest last."""
        now = self.clock.now()
        return [
            job
            for name, job in self._jobs.items()
            if job.platform is platform and name.startswith(f"{parent}/") and job.known(now)
        ]

    def cancel(self, job: Job) -> Problem | None:
        """Stop the work on a job; what is worked already is handed out."""
        if job.state.over:
            return not_now(f"{job.name} cannot be cancelled: it is {job.state.lower()}.")
        job.halted = True
        job.become(State.CANCELLING)
        self.clock.nudge()
        return None

    def maker(self, place: str) -> Job | None:
        """Return the job whose results a file or an object is, `gs://` before an object's."""
        return next((job for job in self._jobs.values() if place in job.outputs), None)

    def harm(self, place: str) -> Mishap | None:
        """Return what a download of results meets."""
        job = self.maker(place) if self.script.rules else None
        return self.script.asked(job.subject, *DOWNLOADS) if job else None

    def upload_fails(self) -> bool:
        """Tell whether a request of an upload is to fail."""
        return self.script.asked(Subject(Platform.AISTUDIO), Mishap.UPLOAD_503) is not None

    async def advance(self, seconds: float) -> float:
        """Put batch time forward, and return it when everything is worked that is due by it."""
        self.clock.advance(seconds)
        now = self.clock.now()
        while any(job.awaits <= now for job in self._jobs.values()):  # noqa: ASYNC110 - for tests
            await asyncio.sleep(MOMENT)
        return now

    def play(self, rules: Sequence[BatchRule]) -> None:
        """Put other rules in the place of those in force; jobs keep what they have met."""
        self.script = BatchScript(rules, self.script.seed)

    def report(self) -> dict[str, Any]:
        """Tell everything of all jobs, those that nobody is told of included."""
        jobs = [told(job, self.clock.now()) for job in self._jobs.values()]
        return {"now": self.clock.now(), "creates": self._creates, "jobs": jobs}

    async def reset(self) -> None:
        """Forget all jobs and files; the clock goes on."""
        await self.close()
        for job in self._jobs.values():
            for data in job.results:
                data.drop()
        self._jobs.clear()
        self._creates.clear()
        self.files.reset()
        self.script.reset()

    async def close(self) -> None:
        """Stop all work."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def key(platform: Platform) -> str:
    """Make up the last part of a job's name: digits on Vertex, else letters too."""
    if platform is Platform.VERTEX:
        return str(10**18 + secrets.randbelow(9 * 10**18))
    return random_word(36)


def told(job: Job, now: float) -> dict[str, Any]:
    """Tell of a job."""
    return {
        "name": job.name,
        "displayName": job.display,
        "platform": job.platform,
        "model": job.target.name,
        "state": job.state,
        "error": job.error,
        "lines": job.total,
        "worked": job.worked,
        "succeeded": job.good,
        "failed": job.bad,
        "outputs": job.outputs,
        "mishaps": sorted(job.met),
        "known": job.known(now),
        "created": stamp(job.created),
    }
