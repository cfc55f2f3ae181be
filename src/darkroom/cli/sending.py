"""Submits a plan for a command, after the consent that it needs."""

from __future__ import annotations

import sys

import click

from darkroom.cli import outcome, voice
from darkroom.cli.invocation import Invocation
from darkroom.cli.parameters import Mark, Wish
from darkroom.cli.planning import counting, plural
from darkroom.client import Darkroom, Job
from darkroom.consent import require
from darkroom.errors import ConsentNeeded
from darkroom.plan import Plan
from darkroom_manifests.money import parse_dollars, short_dollars


def send(room: Darkroom, plan: Plan, wish: Wish, mark: Mark, invocation: Invocation) -> Job:
    """Store the renders. Raises ConsentNeeded when nobody is there to say yes, or says no."""
    due = wish.choices.deliver_by
    if invocation.talks and due is not None and due <= plan.planned_at:
        voice.warn("--deliver-by is past: the job is late already.")
    consent = wish.yes or _is_agreed(room, plan, wish)
    return _submitted(room, plan, wish, mark, invocation, consent=consent)


def _is_agreed(room: Darkroom, plan: Plan, wish: Wish) -> bool:
    """Ask, if it must be asked and somebody is there, before anything is shown to be stored."""
    cap = None if wish.max_cost is None else parse_dollars(wish.max_cost)
    try:
        require(plan, room.settings, cap, accept_valid=wish.accept_valid, consent=False)
    except ConsentNeeded:
        if plan.unpriced or not _is_somebody_there():
            raise
        _ask(plan)
        return True
    return False


def _submitted(
    room: Darkroom, plan: Plan, wish: Wish, mark: Mark, invocation: Invocation, *, consent: bool
) -> Job:
    with counting("Storing renders", invocation) as tell:
        return room.submit(
            plan,
            max_cost=wish.max_cost,
            accept_valid=wish.accept_valid,
            consent=consent,
            name=mark.name,
            priority=mark.priority,
            tell=tell,
        )


def _is_somebody_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(plan: Plan) -> None:
    likely = short_dollars(plan.likely_nusd)
    if not click.confirm(f"Send {plural(plan.renders, 'image')} for about {likely}?", err=True):
        raise ConsentNeeded("Nothing was sent.")


def say_under_way(job: Job, wish: Wish) -> None:
    """Say which job has a manifest's pictures to make, and what it is not told by this command."""
    state = job.state
    if state.state in {"held", "paused"}:
        voice.say(" ".join([f"Nothing new: {job.id} holds them.", *outcome.remedies(job)]))
    else:
        voice.say(f"Nothing new: {job.id} has it under way.")
    if wish.max_cost is not None and parse_dollars(wish.max_cost) != state.cap_nusd:
        change = f"darkroom job resume {job.id} --max-cost {wish.max_cost}"
        voice.warn(f"--max-cost was not applied to {job.id}; {change} does it.")


def say_nothing_to_do(plan: Plan) -> None:
    """Say that all of a manifest is made already."""
    said = f"{plan.unchanged:,} unchanged: nothing to render. --again renders them anew."
    if refused := plan.refused_before:
        said += f" {refused:,} of them {'was' if refused == 1 else 'were'} refused before."
    voice.say(said)
