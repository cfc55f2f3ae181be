"""`darkroom pause --all`: the kill switch."""

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
    """Send nothing more, of any job, within two seconds, on every machine.

    What is in flight comes home, is paid for and kept. `darkroom job pause JOB` stops one job.
    """
    with opened(invocation) as room:
        is_new = room.pause_all()
    if invocation.as_json:
        voice.write_json({"paused": True, "changed": is_new})
    elif invocation.talks:
        said = "Nothing more is sent." if is_new else "Everything was paused already."
        voice.say(f"{said} darkroom resume --all goes on.")
