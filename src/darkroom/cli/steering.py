"""What `darkroom job` lets a person do with a job, from approve to retry."""

from __future__ import annotations

from typing import Final

import click

from darkroom.cli import document, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import DOLLARS
from darkroom.cli.planning import plural
from darkroom.cli.room import opened
from darkroom.client import Job
from darkroom.errors import NotFound
from darkroom.jobs.control import RETRIABLE
from darkroom.models import RenderState

_named = click.argument("name", metavar="JOB")


@click.command()
@_named
@json_option
@global_options
@pass_invocation
def cancel(invocation: Invocation, /, name: str) -> None:
    """Cancel what was not sent; what is in flight is paid for and kept."""
    with opened(invocation) as room:
        job = room.job(name)
        _say_changed(invocation, job, job.cancel(), "cancelled")


@click.command()
@_named
@json_option
@global_options
@pass_invocation
def approve(invocation: Invocation, /, name: str) -> None:
    """Agree to the cost of a job that is held for approval: it is sent.

    Exit code 7 when it waits for none.
    """
    with opened(invocation) as room:
        job = room.job(name)
        _say_changed(invocation, job, _asked_for(job, job.approve()), "pending")


@click.command()
@_named
@json_option
@global_options
@pass_invocation
def reject(invocation: Invocation, /, name: str) -> None:
    """Cancel a job that is held for approval: nothing of it is sent.

    Exit code 7 when it waits for none.
    """
    with opened(invocation) as room:
        job = room.job(name)
        _say_changed(invocation, job, _asked_for(job, job.reject()), "cancelled")


def _asked_for(job: Job, renders: int) -> int:
    """Raise NotFound for a job that waits for no approval."""
    if not renders:
        said = f"{job.id} waits for no approval; it is {job.state.state}."
        raise NotFound(said, hint=f"`darkroom job show {job.id}` says what it waits for.")
    return renders


@click.command()
@_named
@click.option(
    "--state",
    "states",
    type=click.Choice(sorted(state.value for state in RETRIABLE)),
    multiple=True,
    default=(RenderState.FAILED.value,),
    show_default=True,
    help="Which renders; may be given more than once.",
)
@json_option
@global_options
@pass_invocation
def retry(invocation: Invocation, /, name: str, states: tuple[str, ...]) -> None:
    """Try again what ended without a picture.

    For renders that are held after lost answers this allows a second payment.
    """
    with opened(invocation) as room:
        job = room.job(name)
        _say_changed(invocation, job, job.retry([RenderState(s) for s in states]), "pending again")


@click.command()
@_named
@json_option
@global_options
@pass_invocation
def pause(invocation: Invocation, /, name: str) -> None:
    """Send nothing more of a job; what is in flight comes home."""
    with opened(invocation) as room:
        job = room.job(name)
        job.pause()
        _say_changed(invocation, job, job.state.pending, "waiting")


@click.command()
@_named
@click.option("--max-cost", type=DOLLARS, help="Another cap for the whole job.")
@json_option
@global_options
@pass_invocation
def resume(invocation: Invocation, /, name: str, max_cost: str | None) -> None:
    """Go on with a job that was paused, or whose cap was met."""
    with opened(invocation) as room:
        job = room.job(name)
        job.resume(max_cost)
        _say_changed(invocation, job, job.state.pending, "pending")


def _say_changed(invocation: Invocation, job: Job, renders: int, what: str) -> None:
    if invocation.as_json:
        voice.write_json(document.of_job(job.state) | {"changed": renders})
    elif invocation.talks:
        voice.say(f"{job.id}: {plural(renders, 'render')} {what}.")


COMMANDS: Final = (approve, reject, cancel, retry, pause, resume)
