"""`darkroom audit`: the books checked against every invariant."""

from __future__ import annotations

import click
import msgspec

from darkroom.audit import Unseen, Violation, audit, unseen
from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.planning import plural
from darkroom.cli.room import opened
from darkroom.errors import Exit
from darkroom.invariants import INVARIANTS
from darkroom.restored import Comparison, compare


@click.command()
@click.option("--deep", is_flag=True, help="Also compare every stored image.")
@click.option(
    "--before-send",
    is_flag=True,
    help="After a restore: compare with storage, and hold what seems paid for already.",
)
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, deep: bool, before_send: bool) -> Exit:
    """Check the books against every invariant; exit code 1 when one does not hold.

    Reads only, and may run beside workers; but with --before-send no worker may run, and renders
    whose image is in storage already are held.
    """
    with opened(invocation) as room:
        settings = room.settings
        compared = compare(room.database, settings) if before_send else None
        found = [] if compared is None else compared.found
        found += audit(room.database, settings.home, deep=deep, gcs=settings.gcs)
        left_out = unseen(room.database) if deep else None
        if compared is not None and compared.is_made:
            room.judge_books(are_whole=not found)
    _report(found, invocation)
    if left_out is not None and not invocation.quiet:
        _say_what_was_left_out(left_out)
    if compared is not None and invocation.talks:
        _say_what_follows(compared, is_stopped=bool(found))
    return Exit.UNEXPECTED if found else Exit.OK


def _say_what_was_left_out(unseen: Unseen) -> None:
    parts = (plural(unseen.jobs, "job"), plural(unseen.renders, "render"))
    said = " and ".join(part for part in parts if not part.startswith("0 "))
    if said:
        voice.say(
            f"Files that nobody knows were not looked for beside the images of {said}:"
            " their paths do not begin with {job}/, so others may lie there, too."
        )


def _say_what_follows(compared: Comparison, *, is_stopped: bool) -> None:
    if compared.held:
        held = plural(compared.held, "render")
        voice.say(f"\n{held} held: an image is in storage already. They stay so")
        voice.say("until somebody wants them paid again: darkroom job retry JOB --state held.")
    if compared.is_made and is_stopped:
        voice.say("\nNothing is sent by these books until darkroom resume --all.")


def _report(found: list[Violation], invocation: Invocation) -> None:
    if invocation.as_json:
        voice.write_json(found)
    elif found:
        table = voice.table("INVARIANT", "WHERE IT DOES NOT HOLD")
        for each in found:
            table.add_row(each.name, voice.safe(msgspec.json.encode(each.detail).decode()))
        voice.write_table(table)
    elif invocation.talks:
        voice.say(f"The books are in order: {len(INVARIANTS)} invariants hold.")
