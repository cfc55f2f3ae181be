"""The work on a job: the wait, one line after another, and the results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from darkroom_simulator import batch_entry, batch_result, faults
from darkroom_simulator.answer import compose
from darkroom_simulator.ask import Ask
from darkroom_simulator.batch_clock import Clock
from darkroom_simulator.batch_entry import Entry
from darkroom_simulator.batch_fault import Mishap
from darkroom_simulator.batch_input import InputError, find_lines
from darkroom_simulator.batch_job import Job
from darkroom_simulator.batch_plan import plan
from darkroom_simulator.batch_results import Results
from darkroom_simulator.batch_state import State
from darkroom_simulator.call import Call
from darkroom_simulator.catalog import Platform
from darkroom_simulator.faults import Fault, Faults, Name
from darkroom_simulator.files import Files
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.simulator import Simulator, digest
from darkroom_simulator.storage import Store

# What can only happen to a connection does not happen to a line.
OF_CONNECTIONS = frozenset(
    {
        Name.SLOW,
        Name.DRIP,
        Name.GARBAGE,
        Name.ENDLESS,
        Name.GZIP_BOMB,
        Name.TRUNCATED,
        Name.DROP_BEFORE,
        Name.DROP_AFTER,
        Name.RESET,
    }
)
CODES = {each.split("-")[0]: Name(each) for each in ("502-html", "429", "500", "503", "504")}


class Work:
    """What all jobs are worked with."""

    def __init__(self, simulator: Simulator, store: Store, files: Files, clock: Clock) -> None:
        self.simulator = simulator
        self.store = store
        self.files = files
        self.clock = clock

    async def run(self, job: Job) -> None:
        """Work a job from its creation to its end."""
        results = Results(job, self.simulator.scratch)
        try:
            await self.wait(job)
            if job.state is State.PENDING and await self.prepare(job, results):
                await self.work(job, results)
            self.end(job, results)
        except OSError as error:  # a full disk, a bucket's folder gone
            job.fail(13, str(error))
        finally:
            results.drop()
            job.awaits = float("inf")
            if job.lines:
                job.lines.close()

    async def reach(self, job: Job, moment: float) -> None:
        """Wait for a moment, or for the job to be cancelled."""
        job.awaits = moment
        await asyncio.sleep(0)  # others want to be served even when nothing is waited for
        await self.clock.until(moment, lambda: job.halted)
        job.awaits = float("-inf")

    async def wait(self, job: Job) -> None:
        """Let a job wait its turn; half of the time it is only queued, on Vertex."""
        await self.reach(job, (job.born + job.starts) / 2)
        if job.halted:
            return
        job.become(State.PENDING)
        begins = float("inf") if Mishap.STUCK in job.met else job.starts
        await self.reach(job, min(begins, job.waits_until))
        if begins > job.waits_until and not job.halted:
            job.become(State.EXPIRED)

    async def prepare(self, job: Job, results: Results) -> bool:
        """Look at the input and the place of the output; False if the job ends with that."""
        try:
            results.check(self.store)
            if job.lines is None:
                job.lines = await asyncio.to_thread(find_lines, job.asked, self.store)
        except InputError as error:
            job.fail(error.code, str(error))
            return False
        if job.halted:
            return False
        job.plan = plan(job.total, job.platform, job.met, job.seed)
        job.become(State.RUNNING)
        return True

    async def work(self, job: Job, results: Results) -> None:
        """Work the lines evenly through the time that the job runs."""
        assert job.plan is not None, "it was prepared"
        for done, index in enumerate(job.plan.order[: job.plan.worked], start=1):
            due = job.starts + job.runs * done / job.total
            await self.reach(job, min(due, job.runs_until))
            if job.halted:
                return
            if due > job.runs_until:
                job.become(State.EXPIRED)
                return
            await self.work_line(job, index, results)
        await self.rest(job)

    async def rest(self, job: Job) -> None:
        """Come to the end that the plan says, a pause until it expires or is cancelled."""
        assert job.plan is not None, "it was prepared"
        if job.halted:
            return
        if job.plan.end is State.FAILED:
            job.fail(13, "INTERNAL")
        elif job.plan.end is State.PAUSED:
            job.become(State.PAUSED)
            await self.reach(job, job.runs_until)
            if not job.halted:
                job.become(State.EXPIRED)
        else:
            job.become(job.plan.end)

    def end(self, job: Job, results: Results) -> None:
        """Hand out the results; nobody looks between the end and that."""
        if not job.state.over:
            assert job.halted, "nothing else ends a job"
            job.become(State.CANCELLED)
        try:
            results.publish(self.store, self.files, self.clock.now())
        except InputError as error:
            job.fail(error.code, str(error))

    def entry(self, job: Job, index: int) -> Entry:
        """Read a line."""
        assert job.lines is not None, "it was prepared"
        catalog = self.simulator.catalog
        if job.platform is Platform.AISTUDIO:
            return batch_entry.studio(job.lines[index], job.target, catalog)
        return batch_entry.vertex(job.lines[index], job.target, catalog, self.store)

    async def work_line(self, job: Job, index: int, results: Results) -> None:
        """Work one line: book it, then write its result."""
        assert job.plan is not None, "it was prepared"
        entry = self.entry(job, index)
        result = await self.answer(job, index, entry.wanted)
        if index in job.plan.swapped:
            other = self.entry(job, job.plan.swapped[index])
            entry = batch_result.tagged(entry, other.tags, job.platform)
        results.add(index, entry, result)
        if isinstance(result, Problem):
            job.bad += 1
        else:
            job.good += 1

    async def answer(
        self, job: Job, index: int, wanted: Ask | Problem
    ) -> Problem | Sequence[bytes]:
        """Answer one line's request."""
        assert job.plan is not None, "it was prepared"
        simulator, target = self.simulator, job.target
        call = Call(target.platform, target.location, target.name, {}, b"", job.name)
        if isinstance(wanted, Problem):
            simulator.declined(call, wanted)
            return wanted
        ask = simulator.formatted(wanted)
        sighting = simulator.ledger.sight(digest(ask.prompt))
        met, problem = self.met(ask, sighting, job.plan.errors.get(index))
        if problem:
            simulator.declined(call, problem, ask)
            return problem
        answer = compose(ask, met)
        simulator.book(call, ask, outcome="+".join(met) or "image", status=200, answer=answer)
        if job.plan.meets(Mishap.CORRUPT, index):
            met = {**met, Name.BAD_BASE64: Fault(Name.BAD_BASE64)}
        return answer.pieces(await simulator.pictures(ask, met, sighting, answer))

    def met(self, ask: Ask, sighting: int, code: int | None) -> tuple[Faults, Problem | None]:
        """Gather the faults of a line, and the error that one of them is."""
        try:
            every = self.simulator.met(ask, sighting)
        except ValueError as error:
            return {}, invalid(str(error))
        met = {name: fault for name, fault in every.items() if name not in OF_CONNECTIONS}
        if code is not None:
            name = CODES.get(str(code))
            return met, made(code) if name is None else faults.problem(
                {name: Fault(name)}, ask.target
            )
        return met, faults.problem(met, ask.target)


def made(code: int) -> Problem:
    """Make an error of a code that no fault has."""
    return msgspec.structs.replace(invalid("The line failed."), code=code)
