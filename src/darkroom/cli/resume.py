"""`darkroom resume --all`: takes the kill switch back."""

from __future__ import annotations

import click

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import opened


@click.command()
@click.option("--all", "everything", is_flag=True, required=True, help="Every job on every tier.")
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, everything: bool) -> None:  # noqa: ARG001  # said to be sure
    """Send again after `darkroom pause --all`, or by books that came from a backup.

    Jobs that were paused one by one stay paused; `darkroom job resume JOB` lets one go on.
    """
    with opened(invocation) as room:
        was_paused = room.resume_all()
    if invocation.as_json:
        voice.write_json({"paused": False, "changed": was_paused})
    elif invocation.talks:
        voice.say("Everything goes on." if was_paused else "Nothing was paused.")
