"""`darkroom batch`: what lies at providers, and what is to be done about it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from rich.text import Text

from darkroom.cli import voice, wording
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.launch import environment
from darkroom.cli.parameters import TIER
from darkroom.cli.room import opened
from darkroom.errors import DarkroomError
from darkroom.report import ProviderBatch
from darkroom_manifests.tier import Tier

_name = click.argument("name", metavar="BATCH")


@click.group()
def command() -> None:
    """List, show, cancel and adopt batches at providers."""


@command.command("ls")
@click.option("--job", metavar="JOB", help="Only those of one job.")
@click.option("--all", "ended_too", is_flag=True, help="Also those that are ended.")
@click.option("--remote", is_flag=True, help="What the provider says it has, strangers too.")
@click.option("--tier", type=TIER, help="With --remote: ask this tier's provider only.")
@json_option
@global_options
@pass_invocation
def list_batches(
    invocation: Invocation,
    /,
    job: str | None,
    ended_too: bool,
    remote: bool,
    tier: Tier | None,
) -> None:
    """List batches: how they stand, by the books or by the provider's word."""
    with opened(invocation) as room:
        ours = room.batches.all(job, ended_too=ended_too or remote)
        tiers = [tier] if tier else [t for t in Tier if t.is_batch and room.settings.is_ready(t)]
    if remote:
        _list_remote(ours, tiers, invocation)
        return
    if invocation.as_json:
        voice.write_json(ours)
        return
    table = voice.table(
        "BATCH<", "JOB<", "TIER<", "STATE<", "AT PROVIDER<", "LINES>", "OPEN>", "WAITED>"
    )
    for each in ours:
        table.add_row(*_cells(each))
    voice.write_table(table)


def _cells(each: ProviderBatch) -> tuple[str | Text, ...]:
    return (
        each.id,
        each.job_id,
        each.tier,
        each.state,
        voice.safe(wording.provider_state(each.provider_state)),
        f"{each.lines:,}",
        f"{each.open:,}",
        wording.duration(each.waited_seconds),
    )


def _list_remote(ours: list[ProviderBatch], tiers: list[Tier], invocation: Invocation) -> None:
    known = {each.id: each for each in ours}
    found = [line | {"tier": tier} for tier in tiers for line in _remote(tier, invocation)]
    for line in found:
        line["ours"] = line["display_name"] in known
    if invocation.as_json:
        voice.write_json(found)
        return
    table = voice.table("NAME<", "DISPLAY NAME<", "TIER<", "STATE<", "OURS<")
    for line in found:
        cells = (line["name"], line["display_name"], line["tier"], line["said"])
        table.add_row(*map(voice.safe, cells), "yes" if line["ours"] else "a stranger")
    voice.write_table(table)


def _remote(tier: Tier, invocation: Invocation) -> Iterator[dict[str, Any]]:
    """Let the worker's side ask: only it speaks to providers."""
    command = [sys.executable, "-m", "darkroom_worker.strangers", "--tier", tier.value]
    ran = subprocess.run(  # noqa: S603  # our own module
        command, env=environment(invocation), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or ["no reason was given"]
        raise DarkroomError(f"{tier} could not be asked: {said[-1]}", hint="darkroom doctor")
    for line in ran.stdout.splitlines():
        yield msgspec.json.decode(line)


@command.command()
@_name
@json_option
@global_options
@pass_invocation
def show(invocation: Invocation, /, name: str) -> None:
    """Show how one batch stands."""
    with opened(invocation) as room:
        found = room.batches.one(name)
    if invocation.as_json:
        voice.write_json(found)
    else:
        voice.write_table(voice.facts(_facts(found)))


def _facts(each: ProviderBatch) -> Iterator[tuple[str, str | Text]]:
    yield "batch", each.id
    yield "job", each.job_id
    yield "what", f"{each.lines:,} renders with {each.model} on {each.tier}"
    yield "state", f"{each.state}, {wording.duration(each.waited_seconds)}"
    if each.provider_name:
        yield "provider", voice.safe(f"{each.provider_name}")
        yield "", voice.safe(wording.provider_state(each.provider_state))
    if each.succeeded is not None:
        yield "counts", f"{each.succeeded:,} succeeded, {each.failed or 0:,} failed there"
    yield "lines", f"{each.open:,} open, {each.delivered:,} read, {each.quarantined:,} set aside"
    if each.cancel_reason:
        yield "cancelled", voice.safe(each.cancel_reason)
    if each.message:
        yield "message", voice.safe(each.message)
    if each.next_at:
        yield "next look", wording.stamp(each.next_at)


@command.command()
@_name
@json_option
@global_options
@pass_invocation
def cancel(invocation: Invocation, /, name: str) -> None:
    """Let a batch end early: what is finished is kept and paid for, the rest waits again."""
    with opened(invocation) as room:
        was_open = room.batches.cancel(name)
    if invocation.as_json:
        voice.write_json({"cancelled": was_open})
    elif invocation.talks:
        said = "A worker tells the provider, and keeps what is finished."
        voice.say(said if was_open else "It was over, or cancelled, already.")


@command.command()
@_name
@click.argument("provider_name", metavar="PROVIDER-NAME")
@json_option
@global_options
@pass_invocation
def adopt(invocation: Invocation, /, name: str, provider_name: str) -> None:
    """Say which batch at the provider is one whose creation is in doubt.

    `darkroom batch ls --remote` lists what is there.
    """
    with opened(invocation) as room:
        room.batches.adopt(name, provider_name)
    if invocation.as_json:
        voice.write_json({"adopted": provider_name})
    elif invocation.talks:
        voice.say("Its results will be collected.")
