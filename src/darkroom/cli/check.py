"""`darkroom check`: what is wrong with a manifest."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from darkroom.cli import document, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import manifest_options, wish_of
from darkroom.cli.planning import is_sound, judged, plural, require_sound
from darkroom.cli.room import opened
from darkroom.errors import Exit


@click.command()
@manifest_options
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, **given: Any) -> Exit:
    """Say what is wrong with a manifest; nothing is written or sent.

    Every bad row is named with its line and column. Exit code 5 when there is one.
    """
    wish = msgspec.structs.replace(wish_of(given), again=True)
    with opened(invocation, out=wish.out) as room:
        plan = judged(room, wish, invocation)
    if invocation.as_json:
        keys = ("manifest", "rows", "renders", "invalid", "problems", "warnings")
        full = document.of_plan(plan, None)
        voice.write_json({key: full[key] for key in keys})  # what is wrong is its answer: no error
        return Exit.OK if is_sound(plan, wish) else Exit.MANIFEST
    require_sound(plan, wish, invocation)
    if invocation.talks:
        what = f"{plural(plan.rows, 'row')} for {plural(plan.renders, 'image')}"
        voice.say(f"{wish.file}: {what} can be rendered.")
    return Exit.OK
