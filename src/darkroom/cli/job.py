"""`darkroom job`: look at jobs and steer them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import click
import msgspec
from rich.text import Text

from darkroom.cli import document, outcome, quarantine, steering, voice, wording
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import progress_option
from darkroom.cli.progress import Silence, progress
from darkroom.cli.room import opened
from darkroom.cli.watching import watch
from darkroom.client import Job
from darkroom.errors import Exit
from darkroom.report import JobState

_ALIKE_SHOWN: Final = 5

_name = click.argument("name", metavar="JOB", default="last")


@click.group()
def command() -> None:
    """List, watch and steer jobs.

    JOB is a job's id, the beginning or end of it, or "last".
    """


for each in (*steering.COMMANDS, quarantine.command):
    command.add_command(each)


@command.command("ls")
@json_option
@global_options
@pass_invocation
def list_jobs(invocation: Invocation, /) -> None:
    """List jobs, the newest first; with -q their ids alone."""
    with opened(invocation) as room:
        states = room.jobs()
    if invocation.as_json:
        voice.write_json([document.of_job(state) for state in states])
    elif invocation.quiet:
        for state in states:
            voice.write(state.id)
    elif states:
        _write_jobs(states)
    else:
        voice.say("There are no jobs yet: darkroom run FILE makes one.")


def _write_jobs(states: list[JobState]) -> None:
    table = voice.table("JOB<", "NAME", "STATE<", "DONE>", "BAD>", "COST>", "CREATED<")
    for state in states:
        bad = state.refused + state.failed
        table.add_row(
            state.id,
            voice.safe(state.name),
            state.state,
            f"{state.done:,}/{state.total:,}",
            f"{bad:,}" if bad else "",
            wording.money(state),
            wording.clock(state.created_at),
        )
    voice.write_table(table)
    for state in states:
        if state.needs_approval:
            voice.say(f"{state.id}: {outcome.approval(state)}")


@command.command()
@_name
@json_option
@global_options
@pass_invocation
def show(invocation: Invocation, /, name: str) -> None:
    """Show how a job stands, what it cost and what it waits for."""
    with opened(invocation) as room:
        job = room.job(name)
        if invocation.as_json:
            voice.write_json(_document(job))
        else:
            voice.write_table(voice.facts(_facts(job)))
            voice.write_table(outcome.summary(job))


def _document(job: Job) -> document.Document:
    waits = [wording.rest(rest) for rest in job.waits()]
    reasons = [
        {"state": each.state, "reason": each.reason, "renders": each.renders}
        for each in job.reasons()
    ]
    waste = [document.in_dollars(msgspec.to_builtins(each)) for each in job.waste()]
    more = {"cost": document.of_costs(job.cost), "quarantined": waste, "alike": job.alike()}
    return document.of_job(job.state) | {"reasons": reasons, "waits": waits, **more}


def _facts(job: Job) -> Iterator[tuple[str, str | Text]]:
    state = job.state
    yield "created", wording.stamp(state.created_at)
    if state.finished_at:
        yield "finished", wording.stamp(state.finished_at)
    if state.deliver_by:
        yield "deliver by", wording.stamp(state.deliver_by)
    yield "manifest", state.source or "rows from Python"
    if state.catalog:
        yield "catalog", state.catalog
    shared = f", {state.shared:,} shared" if state.shared else ""
    counts = f"{state.rows:,}, {state.unchanged:,} unchanged{shared}, {state.invalid:,} rejected"
    yield "rows", counts
    if groups := job.alike():
        yield "alike", voice.safe(_alike(groups))


def _alike(groups: list[list[str]]) -> str:
    """Name rows whose images look alike, as many as one can take in."""
    shown = "; ".join(
        ", ".join(dict.fromkeys(group[:_ALIKE_SHOWN])) for group in groups[:_ALIKE_SHOWN]
    )
    images = sum(map(len, groups))
    return f"{images:,} images look like another one: {shown}" + (
        " …" if images > _ALIKE_SHOWN else ""
    )


@command.command("watch")
@_name
@progress_option
@json_option
@global_options
@pass_invocation
def watch_job(invocation: Invocation, /, name: str, progress: str) -> Exit:
    """Show a job going on until it ends; Ctrl-C leaves it to go on.

    In embedded mode this also renders it. Exit codes are those of `darkroom run`.
    """
    return _watched(invocation, name, progress)


def _watched(invocation: Invocation, name: str, kind: str) -> Exit:
    with opened(invocation) as room:
        job = room.job(name)
        began, before = time.monotonic(), job.state.done
        watch(room, job, progress(kind, invocation), invocation)
        if invocation.as_json:
            voice.write_json(_document(job))
        elif invocation.talks:
            seconds, made = time.monotonic() - began, job.state.done - before
            voice.say(outcome.summary(job, seconds, made))
        return outcome.exit_code(job)


@command.command()
@click.argument("names", metavar="JOB...", nargs=-1, required=True)
@click.option("--timeout", type=click.FloatRange(0), help="Seconds; exit code 8 after them.")
@json_option
@global_options
@pass_invocation
def wait(invocation: Invocation, /, names: tuple[str, ...], timeout: float | None) -> Exit:
    """Wait for jobs without a word.

    Exit codes are those of `darkroom run`, and 8 when time runs out.
    """
    ends = None if timeout is None else time.monotonic() + timeout
    with opened(invocation) as room:
        jobs = [room.job(name) for name in names]
        for job in jobs:
            left = None if ends is None else max(0.0, ends - time.monotonic())
            watch(room, job, Silence(), invocation, timeout=left)
        if invocation.as_json:
            voice.write_json([_document(job) for job in jobs])
        return max(outcome.exit_code(job) for job in jobs)


@command.command()
@_name
@json_option
@global_options
@pass_invocation
def rejected(invocation: Invocation, /, name: str) -> None:
    """List the rows that were left out of a job, and why."""
    with opened(invocation) as room:
        found = list(room.job(name).rejections())
    if invocation.as_json:
        voice.write_json(document.of_problems(found))
        return
    table = voice.table("LINE>", "COLUMN", "WHAT IS WRONG", "REMEDY")
    for each in found:
        cells = (each.column or "", each.message, each.hint or "")
        table.add_row(str(each.line), *(voice.safe(cell) for cell in cells))
    if found:
        voice.write_table(table)
    elif invocation.talks:
        voice.say("No row was left out.")
