"""`darkroom worker`: worker processes of a fleet."""

from __future__ import annotations

import socket

import click

from darkroom import db
from darkroom.cli import voice, wording
from darkroom.cli.invocation import (
    Invocation,
    global_options,
    json_option,
    log_level_option,
    pass_invocation,
)
from darkroom.cli.launch import become, require_broker
from darkroom.cli.room import configured, opened
from darkroom.errors import Exit
from darkroom.report import WorkerState, living_workers
from darkroom_manifests.tier import Tier


@click.group()
def command() -> None:
    """Start a worker process of a fleet, list them, or ask whether one lives."""


@command.command()
@click.option("--tiers", default="", metavar="A,B", help="[default: all]")
@log_level_option
@global_options
@pass_invocation
def start(invocation: Invocation, /, tiers: str) -> None:
    """Render until TERM or Ctrl-C; then bring home what is in flight.

    Needs DARKROOM_BROKER_URL; without one, `darkroom up` runs everything here.
    """
    chosen = [_tier(name) for name in tiers.split(",") if name.strip()]
    require_broker(configured(invocation).settings)
    become("darkroom_worker", ["--tiers", ",".join(chosen)], invocation)


@command.command()
@json_option
@global_options
@pass_invocation
def check(invocation: Invocation, /) -> Exit:
    """Say whether a worker lives on this host; exit code 1 when none does.

    For health checks: a worker lives while it renews its lease in the database in time.
    """
    host = socket.gethostname()
    with opened(invocation) as room, db.reading(room.database) as connection:
        alive = living_workers(connection, host)
    if invocation.as_json:
        voice.write_json({"host": host, "alive": alive})
    elif invocation.talks:
        voice.say(f"{alive} alive on {host}." if alive else f"No worker lives on {host}.")
    return Exit.OK if alive else Exit.UNEXPECTED


def _tier(name: str) -> Tier:
    try:
        return Tier.parse(name)
    except ValueError as error:
        raise click.BadParameter(f"{error}; tiers are {', '.join(Tier)}.") from error


@command.command("ls")
@click.option("--all", "ended_too", is_flag=True, help="Also those that ended long ago.")
@json_option
@global_options
@pass_invocation
def list_workers(invocation: Invocation, /, ended_too: bool) -> None:
    """List worker processes: whether they live, where, and what they hold."""
    with opened(invocation) as room:
        found = room.workers(ended_too=ended_too)
    if invocation.as_json:
        voice.write_json(found)
        return
    table = voice.table("WORKER<", "HOST<", "PID>", "SINCE<", "STATE<", "HOLDS", "TIERS")
    for each in found:
        since = wording.clock(each.started_at)
        cells = (each.id, voice.safe(each.host), str(each.pid), since, each.life)
        table.add_row(*cells, _held(each), ", ".join(each.tiers))
    voice.write_table(table)


def _held(worker: WorkerState) -> str:
    """Say what a worker holds, and for how long at most."""
    return ", ".join(
        f"{held.attempts:,} on {tier} for {held.oldest_seconds:,.0f} s"
        for tier, held in worker.holds.items()
    )
