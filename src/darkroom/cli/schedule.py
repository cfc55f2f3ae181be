"""`darkroom schedule`: what is rendered again and again."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from pathlib import Path

import click

from darkroom.cli import agenda, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import opened
from darkroom.schedules import file
from darkroom.schedules.desk import Desk

_name = click.argument("name", metavar="NAME")
_count = click.option("--count", type=click.IntRange(1, 1_000), default=5, show_default=True)
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def command() -> None:
    """Render a catalog every night: schedules from files, and each of their runs."""


@command.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@json_option
@global_options
@pass_invocation
def apply(invocation: Invocation, /, paths: tuple[Path, ...]) -> None:
    """Check schedule files, and write all of them down, or none.

    PATH is a file or a folder; without one, all of schedules/.
    """
    with opened(invocation) as room:
        folder = Path.cwd()
        read = [file.read(path, room.settings, folder) for path in file.files(list(paths))]
        words = Desk(room).apply(read)
    if invocation.as_json:
        told = zip(read, words, strict=True)
        voice.write_json([agenda.of_applied(each, word) for each, word in told])
    elif invocation.talks:
        for each, word in zip(read, words, strict=True):
            voice.say(agenda.applied(each, word))
            for doubt in each.doubts:
                voice.warn(f"{each.path}: {doubt}")


@command.command("ls")
@json_option
@global_options
@pass_invocation
def list_schedules(invocation: Invocation, /) -> None:
    """List schedules: when each fires next, what its last run came to and cost."""
    with opened(invocation) as room:
        found = Desk(room).all()
    if invocation.as_json:
        voice.write_json([agenda.of_entry(entry, last) for entry, last in found])
    elif found:
        voice.write_table(agenda.table(found))
    else:
        voice.say("There are no schedules: darkroom schedule apply FILE.")


@command.command()
@_name
@click.option("--runs", type=click.IntRange(1, 10_000), default=14, show_default=True)
@json_option
@global_options
@pass_invocation
def show(invocation: Invocation, /, name: str, runs: int) -> None:
    """Show a schedule and its last runs, with what each cost or why there was none."""
    with opened(invocation) as room:
        desk = Desk(room)
        entry, seen, published = desk.one(name), desk.runs(name, runs), desk.published(name)
    if invocation.as_json:
        last = seen[0] if seen else None
        voice.write_json(
            agenda.of_entry(entry, last)
            | {"published": published, "runs": [agenda.of_run(each) for each in seen]}
        )
        return
    voice.write_table(voice.facts(agenda.facts(entry, published)))
    if seen:
        voice.write_table(agenda.runs(seen))


@command.command("next")
@_name
@_count
@click.option("--after", type=_DAY, help="Count from that day on.  [default: now]")
@json_option
@global_options
@pass_invocation
def next_fires(invocation: Invocation, /, name: str, count: int, after: datetime | None) -> None:
    """List the next times that it fires, there and in UTC; nights with another clock are marked."""
    with opened(invocation) as room:
        calendar = Desk(room).one(name).terms.calendar()
    begins = datetime.now(UTC) if after is None else after.replace(tzinfo=calendar.zone)
    fires = list(islice(calendar.after(begins), count))
    if invocation.as_json:
        voice.write_json([agenda.of_fire(fire) for fire in fires])
    else:
        voice.write_table(agenda.fires(fires))


@command.command()
@_name
@json_option
@global_options
@pass_invocation
def run(invocation: Invocation, /, name: str) -> None:
    """Let it run now, also if it is paused or a run is under way. A scheduler does it."""
    with opened(invocation) as room:
        made = Desk(room).run(name)
    if invocation.as_json:
        voice.write_json({"run": made.id, "schedule": name})
    elif invocation.talks:
        voice.say(f"A scheduler will do it: darkroom schedule show {name}")


@command.command()
@_name
@json_option
@global_options
@pass_invocation
def pause(invocation: Invocation, /, name: str) -> None:
    """Begin no run of it by the clock; what is a job goes on."""
    with opened(invocation) as room:
        Desk(room).pause(name)
    _say(invocation, name, "paused", "is paused. What comes up meanwhile does not run.")


@command.command()
@_name
@json_option
@global_options
@pass_invocation
def resume(invocation: Invocation, /, name: str) -> None:
    """Fire again, from the next time on."""
    with opened(invocation) as room:
        Desk(room).resume(name)
    _say(invocation, name, "resumed", "fires again.")


@command.command("rm")
@_name
@json_option
@global_options
@pass_invocation
def remove(invocation: Invocation, /, name: str) -> None:
    """Fire no more; what is a job goes on."""
    with opened(invocation) as room:
        Desk(room).remove(name)
    _say(invocation, name, "removed", "fires no more. What is a job goes on.")


@command.command()
@_name
@click.option("--from", "begins", type=_DAY, required=True, help="The first day.")
@click.option("--to", "ends", type=_DAY, help="The last day.  [default: until now]")
@json_option
@global_options
@pass_invocation
def backfill(invocation: Invocation, /, name: str, begins: datetime, ends: datetime | None) -> None:
    """Let it run for the nights of some days that have no job, one after the other."""
    with opened(invocation) as room:
        zone = Desk(room).one(name).terms.calendar().zone
        last = datetime.now(UTC) if ends is None else _end_of(ends).replace(tzinfo=zone)
        filled = Desk(room).backfill(name, begins.replace(tzinfo=zone), last)
    if invocation.as_json:
        voice.write_json([agenda.of_fire(fire) for fire in filled])
    elif invocation.talks:
        voice.say(f"{len(filled)} runs are to come: darkroom schedule show {name}")


def _end_of(day: datetime) -> datetime:
    return datetime.combine(day + timedelta(days=1), time()) - timedelta(seconds=1)


def _say(invocation: Invocation, name: str, did: str, said: str) -> None:
    if invocation.as_json:
        voice.write_json({"schedule": name, did: True})
    elif invocation.talks:
        voice.say(f"{name} {said}")
