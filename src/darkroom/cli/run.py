"""`darkroom run`: a manifest rendered to its end."""

from __future__ import annotations

import time
from typing import Any

import click

from darkroom.cli import comparison, document, outcome, planning, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import (
    Mark,
    Wish,
    alternatives_option,
    job_options,
    mark_of,
    plan_or_manifest_options,
    progress_option,
    wish_of,
)
from darkroom.cli.progress import progress
from darkroom.cli.room import opened
from darkroom.cli.sending import say_nothing_to_do, say_under_way, send
from darkroom.cli.watching import watch
from darkroom.client import Darkroom, Job
from darkroom.errors import Exit
from darkroom.plan import Plan


@click.command()
@plan_or_manifest_options
@job_options
@alternatives_option(shown=False)
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Worker processes here.")
@progress_option
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, workers: int, progress: str, **given: Any) -> Exit:
    """Render a manifest to its end, here.

    Plans, asks before money is spent, submits, watches, adds up. Ctrl-C detaches: the job goes
    on. Rows that are made already are not made again, so that the same command may be repeated.

    \b
    Exit codes: 0 all done · 3 some refused or failed · 4 credentials · 5 bad manifest
    6 refused to spend · 130 detached
    """  # noqa: D301  # click wants the character itself
    run = Run(invocation, wish_of(given), mark_of(given), workers, progress)
    run.shows_alternatives = given["alternatives"]
    with opened(invocation, out=given["out"]) as room:
        return run.through(room)


class Run:
    """One call of the command."""

    def __init__(
        self, invocation: Invocation, wish: Wish, mark: Mark, workers: int, progress: str
    ) -> None:
        self._invocation = invocation
        self._wish = wish
        self._mark = mark
        self._workers = workers
        self._progress = progress
        self.shows_alternatives = False

    def through(self, room: Darkroom) -> Exit:
        """Go from the manifest to the exit code."""
        plan = planning.planned(room, self._wish, self._invocation)
        planning.require_sound(plan, self._wish, self._invocation)
        jobs = self._sent(room, plan) if plan.renders else self._under_way(room, plan)
        if not jobs:
            self._say_nothing_to_do(plan)
            return Exit.OK
        codes = [self._finish(room, job) for job in jobs]
        if self._invocation.as_json:
            self._write(jobs, plan)
        return max(codes)

    def _sent(self, room: Darkroom, plan: Plan) -> list[Job]:
        if self._invocation.talks:
            voice.say(planning.summary(plan, self._wish))
            if self.shows_alternatives:
                voice.say_table(comparison.table(room.alternatives(plan)))
        job = send(room, plan, self._wish, self._mark, self._invocation)
        if not job.state.total:  # somebody else submitted it at the same moment
            return self._under_way(room, plan)
        self._announce(job)
        return [job]

    def _under_way(self, room: Darkroom, plan: Plan) -> list[Job]:
        jobs = room.under_way(plan)
        for job in jobs:
            if self._invocation.talks:
                say_under_way(job, self._wish)
            self._announce(job)
        return jobs

    def _announce(self, job: Job) -> None:
        if not self._invocation.as_json:
            voice.write(job.id)

    def _finish(self, room: Darkroom, job: Job) -> Exit:
        began, before = time.monotonic(), job.state.done
        shown = progress(self._progress, self._invocation)
        watch(room, job, shown, self._invocation, workers=self._workers)
        if self._invocation.talks:
            voice.say("")
            made = job.state.done - before
            voice.say(outcome.summary(job, time.monotonic() - began, made))
        return outcome.exit_code(job)

    def _say_nothing_to_do(self, plan: Plan) -> None:
        if self._invocation.as_json:
            voice.write_json({"job": None, "unchanged": plan.unchanged, "problems": []})
        elif self._invocation.talks:
            say_nothing_to_do(plan)

    @staticmethod
    def _write(jobs: list[Job], plan: Plan) -> None:
        newest, *earlier = jobs
        voice.write_json(
            {
                "job": document.of_job(newest.state),
                "earlier_jobs": [document.of_job(job.state) for job in earlier],
                "cost": document.of_costs(newest.cost),
                "unchanged": plan.unchanged,
                "problems": document.of_problems(plan.problems),
            }
        )
