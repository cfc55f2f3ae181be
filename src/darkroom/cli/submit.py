"""`darkroom submit`: a manifest's renders stored, for workers to take."""

from __future__ import annotations

from typing import Any

import click

from darkroom import embedded
from darkroom.cli import comparison, document, planning, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import (
    Mark,
    Wish,
    alternatives_option,
    job_options,
    mark_of,
    plan_or_manifest_options,
    wish_of,
)
from darkroom.cli.room import opened
from darkroom.cli.sending import say_nothing_to_do, say_under_way, send
from darkroom.client import Darkroom, Job
from darkroom.errors import Exit
from darkroom.plan import Plan


@click.command()
@plan_or_manifest_options
@job_options
@alternatives_option(shown=False)
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, alternatives: bool, **given: Any) -> Exit:
    """Store a manifest's renders and leave them to the workers.

    Writes the job's id on stdout; where all of it is under way already, the ids of those jobs.
    From then on nothing of it can be lost.
    """
    wish, mark = wish_of(given), mark_of(given)
    with opened(invocation, out=wish.out) as room:
        plan = planning.planned(room, wish, invocation)
        planning.require_sound(plan, wish, invocation)
        if invocation.talks:
            voice.say(planning.summary(plan, wish))
            if alternatives:
                voice.say_table(comparison.table(room.alternatives(plan)))
        new, jobs = _jobs(room, plan, wish, mark, invocation)
        if invocation.as_json:
            states = [document.of_job(job.state) for job in jobs]
            known = {"new": new, "earlier_jobs": states[1:], "unchanged": plan.unchanged}
            voice.write_json({"job": next(iter(states), None), **known})
            return Exit.OK
        for job in jobs:
            voice.write(job.id)
        if invocation.talks:
            _say_what_now(room, plan, jobs)
    return Exit.OK


def _jobs(
    room: Darkroom, plan: Plan, wish: Wish, mark: Mark, invocation: Invocation
) -> tuple[bool, list[Job]]:
    """Store a job, or find those that have all of it to make already; whether it is new."""
    job = send(room, plan, wish, mark, invocation) if plan.renders else None
    if job is not None and job.state.total:  # else somebody submitted it at the same moment
        return True, [job]
    jobs = room.under_way(plan)
    if invocation.talks:
        for earlier in jobs:
            say_under_way(earlier, wish)
    return False, jobs


def _say_what_now(room: Darkroom, plan: Plan, jobs: list[Job]) -> None:
    if not jobs:
        say_nothing_to_do(plan)
        return
    if jobs[0].state.state != "running":
        return
    watch = f"darkroom job watch {jobs[0].id}"
    if room.settings.is_embedded and embedded.find(room.settings.home) is None:
        voice.say(f"Nothing renders here yet: `darkroom up` does, and so does `{watch}`.")
    else:
        voice.say(watch, "dim")
