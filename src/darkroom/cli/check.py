"""`darkroom check`: what is wrong with a manifest."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from darkroom.cli import document, sight, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import Wish, manifest_options, wish_of
from darkroom.cli.planning import is_sound, judged, plural, require_sound
from darkroom.cli.room import opened
from darkroom.errors import Exit
from darkroom.plan import Plan
from darkroom.selection import Select, Selection


@click.command()
@manifest_options
@click.option(
    "--show-prompts", type=click.IntRange(1, 1_000), metavar="N", help="Write the first N prompts."
)
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, show_prompts: int | None, **given: Any) -> Exit:
    """Say what is wrong with a manifest, and how it is read; nothing is written or sent.

    Every bad row is named with its line and column. Exit code 5 when there is one.
    """
    wish = _unasked(wish_of(given))
    with opened(invocation, out=wish.out) as room:
        plan = judged(room, wish, invocation)
        shown = sight.prompts(room, plan, show_prompts) if show_prompts else None
        if invocation.as_json:
            return _write(plan, wish, shown)
        _say(plan, invocation)
        sight.write_prompts(shown or ())
    require_sound(plan, wish, invocation)
    if invocation.talks:
        what = f"{plural(plan.rows, 'row')} for {plural(plan.renders, 'image')}"
        voice.say(f"{wish.file}: {what} can be rendered.")
    return Exit.OK


def _unasked(wish: Wish) -> Wish:
    """Leave the books alone, so that a manifest can be checked where there are none."""
    selection = Selection(select=Select.ALL, limit=wish.selection.limit, share=False)
    return msgspec.structs.replace(wish, selection=selection)


def _write(plan: Plan, wish: Wish, shown: list[document.Document] | None) -> Exit:
    """Write one document; what is wrong is its answer and no error."""
    keys = ("manifest", "rows", "expanded", "renders", "invalid", "problems", "warnings")
    full = document.of_plan(plan, None)
    seen = sight.of_sight(plan.manifest.sight())
    prompts = {} if shown is None else {"prompts": shown}
    voice.write_json({key: full[key] for key in keys} | seen | prompts)
    return Exit.OK if is_sound(plan, wish) else Exit.MANIFEST


def _say(plan: Plan, invocation: Invocation) -> None:
    seen = plan.manifest.sight()
    if seen is not None and invocation.talks:
        voice.say(sight.facts(seen))
