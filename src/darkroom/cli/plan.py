"""`darkroom plan`: what a manifest would make and cost."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from darkroom.cli import comparison, document, planning, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import alternatives_option, manifest_options, wish_of
from darkroom.cli.room import opened
from darkroom.errors import Exit
from darkroom.plan import Plan
from darkroom.plan_file import PlanFile
from darkroom.share import Share
from darkroom_manifests.money import short_dollars


@click.command()
@manifest_options
@alternatives_option(shown=True)
@click.option(
    "--plan",
    "kept",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PLAN",
    help="Write the plan to this file, for `darkroom run --apply PLAN`.",
)
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, alternatives: bool, kept: Path | None, **given: Any) -> Exit:
    """Say what a manifest would make and cost, and what else could be done; nothing is sent.

    With --tier auto each image goes to the cheapest tier that can make it by --deliver-by, and
    what is more than one tier can do in time goes to the next. It is the default where several
    tiers are configured.

    Rows that are made already, in any job of this database, count as unchanged. With --plan the
    plan is written to a file, and `darkroom run --apply` does exactly that, or nothing where
    manifest, prices or books changed meanwhile. Exit code 5 when a row cannot be rendered.
    """
    wish = wish_of(given)
    with opened(invocation, out=wish.out) as room:
        plan = planning.planned(room, wish, invocation, keep=False)
        if invocation.as_json or plan.end is not None:
            planning.require_sound(plan, wish, invocation)
        others = room.alternatives(plan) if alternatives else None
        if invocation.as_json:
            seconds = planning.least_seconds(plan, room)
            voice.write_json(document.of_plan(plan, seconds, others))
        else:
            voice.write_table(planning.summary(plan, wish))
            _write_shares(plan)
            if others:
                voice.write("")
                voice.write_table(comparison.table(others))
    planning.require_sound(plan, wish, invocation)
    if kept is not None:
        PlanFile.of(plan, accept_valid=wish.accept_valid).write(kept)
        if invocation.talks:
            voice.say(f"Written to {kept}; darkroom run --apply {shlex.quote(str(kept))} does it.")
    return Exit.OK


def _write_shares(plan: Plan) -> None:
    if len(plan.shares) < 2:  # noqa: PLR2004  # one share is the whole plan
        return
    voice.write("")
    voice.write_table(_shares(plan))


def _done(share: Share) -> str:
    seconds = share.finish_seconds
    return "rests" if math.isinf(seconds) else planning.duration(seconds)


def _shares(plan: Plan) -> Table:
    table = voice.table("TIER", "MODEL", "IMAGES>", "LOW>", "LIKELY>", "HIGH>", "DONE IN>")
    for share in plan.shares:
        costs = (share.low_nusd, share.likely_nusd, share.high_nusd)
        priced = [short_dollars(cost) for cost in costs]
        shown = ["?"] * len(costs) if share.unpriced else priced
        table.add_row(
            share.tier, voice.safe(share.model), f"{share.renders:,}", *shown, _done(share)
        )
    return table
