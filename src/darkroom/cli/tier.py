"""`darkroom tier`: what each tier may do, does and waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import msgspec
from rich.text import Text

from darkroom.cli import voice, wording
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import TIER
from darkroom.cli.room import opened
from darkroom.jobs.rests import EVERY_TIER
from darkroom.models import Rest
from darkroom.report import TierState
from darkroom_manifests.money import short_dollars
from darkroom_manifests.tier import Tier


@click.group()
def command() -> None:
    """Show what each tier may do and does, pause one, and wake those that rest."""


@command.command("ls")
@json_option
@global_options
@pass_invocation
def list_tiers(invocation: Invocation, /) -> None:
    """List every tier: credential, limits, use, learned rates, and why it rests."""
    with opened(invocation) as room:
        states, rests = room.tiers(), room.rests()
    if invocation.as_json:
        voice.write_json([_document(state) for state in states])
        return
    table = voice.table(
        "TIER<", "READY<", "LIMITS<", "MINUTE>", "DAY>", "IN FLIGHT>", "SPENT>", "STATE<"
    )
    for state in states:
        ready = "yes" if state.has_credential else "no credential"
        use = (state.minute, state.today, state.in_flight)
        shown = (str(count) if state.has_credential or count else "" for count in use)
        limits = voice.safe(wording.limits(state.limits))
        table.add_row(state.tier, ready, limits, *shown, _spent(state), voice.safe(_said(state)))
    voice.write_table(table)
    for rest in rests:
        if rest.tier == EVERY_TIER:
            voice.warn(f"{wording.rest(rest)} {rest.hint or ''}".strip())


def _spent(state: TierState) -> str:
    """Say what of the window's money is spent or set aside, where that is limited."""
    most = state.limits.spend_per_window
    return "" if most is None else f"{short_dollars(state.spent_nusd)} of ${most:f}"


def _said(state: TierState) -> str:
    """Say what was learned and why it rests, a line each; the kill switch is told once, below."""
    rates = [wording.learned(model, rate) for model, rate in (state.learned or {}).items()]
    rests = [
        f"{wording.rest(rest)} {rest.hint}" if rest.hint else wording.rest(rest)
        for rest in state.rests
        if rest.tier != EVERY_TIER
    ]
    return "\n".join([*rests, *rates])


def _document(state: TierState) -> dict[str, Any]:
    own = {name: getattr(state, name) for name in ("minute", "today", "in_flight", "spent_nusd")}
    return {
        "tier": state.tier,
        "ready": state.has_credential,
        "limits": state.limits.model_dump(mode="json", exclude_none=True),
        **own,
        "learned": msgspec.to_builtins(state.learned),
        "rests": [_rest(rest) for rest in state.rests],
    }


def _rest(rest: Rest) -> dict[str, Any]:
    names = ("tier", "model", "since", "until", "reason", "hint")
    known: dict[str, Any] = msgspec.to_builtins({name: getattr(rest, name) for name in names})
    return known


@command.command()
@click.argument("tier", type=TIER)
@json_option
@global_options
@pass_invocation
def resume(invocation: Invocation, /, tier: Tier) -> None:
    """Let a tier send again after what stopped it was mended."""
    with opened(invocation) as room:
        ended = room.wake(tier)
    if invocation.as_json:
        voice.write_json({"tier": tier, "ended": ended})
    elif invocation.talks:
        voice.say(f"{tier} sends again." if ended else f"{tier} did not rest.")


@command.command()
@click.argument("tier", type=TIER)
@json_option
@global_options
@pass_invocation
def pause(invocation: Invocation, /, tier: Tier) -> None:
    """Send nothing more on a tier; what is in flight comes home, batches are still collected."""
    with opened(invocation) as room:
        room.pause(tier)
    if invocation.as_json:
        voice.write_json({"tier": tier, "paused": True})
    elif invocation.talks:
        voice.say(f"{tier} rests until `darkroom tier resume {tier}`.")


@command.command()
@click.argument("tier", type=TIER)
@json_option
@global_options
@pass_invocation
def show(invocation: Invocation, /, tier: Tier) -> None:
    """Show one tier: limits, use, what waits for it, its price beside standard, why it rests."""
    with opened(invocation) as room:
        state = next(each for each in room.tiers() if each.tier is tier)
        waiting, factor = room.waiting(tier), room.price_factor(tier)
    if invocation.as_json:
        voice.write_json(_document(state) | {"waiting": waiting, "price_factor": factor})
        return
    voice.write_table(voice.facts(_facts(state, waiting, factor)))


def _facts(
    state: TierState, waiting: int, factor: float | None
) -> Iterator[tuple[str, str | Text]]:
    yield "tier", state.tier
    yield "ready", "yes" if state.has_credential else "no credential"
    yield "limits", voice.safe(wording.limits(state.limits))
    yield "use", f"{state.minute:,} in this minute, {state.today:,} today"
    yield "in flight", f"{state.in_flight:,}"
    yield "waiting", f"{waiting:,} renders"
    yield "price", "no price list" if factor is None else f"{factor:g} of standard"
    if said := _said(state):
        yield "rests", voice.safe(said)
