"""`darkroom config`: every setting, and where it came from."""

from __future__ import annotations

import click
import msgspec

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import configured


@click.group()
def command() -> None:
    """Show every setting and where it came from."""


@command.command()
@click.option("--origin", is_flag=True, help="Also say which flag, variable or file set it.")
@json_option
@global_options
@pass_invocation
def show(invocation: Invocation, /, origin: bool) -> None:
    """List every setting; secrets are stars.

    Stronger first: flags, DARKROOM_* variables, Google's variables, darkroom.toml, defaults.
    """
    settings = configured(invocation).origins()
    if invocation.as_json:
        voice.write_json(
            {each.name: msgspec.to_builtins(each) for each in settings}
            if origin
            else {each.name: each.value for each in settings}
        )
        return
    table = voice.table("SETTING<", "VALUE", *(["FROM"] if origin else []))
    for each in settings:
        cells = (each.name, each.value or "", *([each.origin] if origin else []))
        table.add_row(*(voice.safe(cell) for cell in cells))
    voice.write_table(table)
