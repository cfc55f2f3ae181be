"""`darkroom simulator`: the stand-in for Google, with its own flags."""

from __future__ import annotations

import click

from darkroom.cli.invocation import Invocation, pass_invocation
from darkroom.cli.launch import become


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    }
)
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
@pass_invocation
def command(invocation: Invocation, /, flags: tuple[str, ...]) -> None:
    """Stand in for Google on loopback, for free; --help lists its own flags."""
    become("darkroom_simulator", flags, invocation)
