"""`darkroom review`: say which images of a job are good."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from darkroom.cli import document, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.planning import plural
from darkroom.cli.room import opened
from darkroom.client import Job
from darkroom.models import Decision
from darkroom.report import Result
from darkroom.reviews import WAITING
from darkroom_manifests.money import short_dollars

_name = click.argument("name", metavar="JOB")
_rows = click.argument("rows", metavar="[ROW_ID]...", nargs=-1)
_variant = click.option(
    "--variant", type=click.IntRange(1), help="Only this one of a row's images."
)
_note = click.option("--note", help="Why; it is in the report.")
_by = click.option("--by", metavar="NAME", help="Who decides.  [default: your user name]")
_sheet = click.option(
    "--from",
    "sheet",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with columns id, decision, and if need be variant and note.",
)


@click.group()
def command() -> None:
    """Approve and reject images of a job. The last word on an image counts.

    JOB is a job's id, the beginning or end of it, or "last". ROW_ID means all images of the row.
    """


@command.command("ls")
@click.argument("name", metavar="JOB", default="last")
@click.option(
    "--waiting", "standing", flag_value=WAITING, help="Only those that nobody decided on."
)
@click.option("--approved", "standing", flag_value=Decision.APPROVED.value, help="Only those.")
@click.option("--rejected", "standing", flag_value=Decision.REJECTED.value, help="Only those.")
@json_option
@global_options
@pass_invocation
def list_images(invocation: Invocation, /, name: str, standing: str | None) -> None:
    """List the images of a job with what was decided on each; with -q the ids of their rows."""
    with opened(invocation) as room:
        found = room.job(name).reviews.results(standing)
        if invocation.as_json:
            voice.write_json([_document(each) for each in found])
        elif invocation.quiet:
            for row_id, _ in groupby(found, key=lambda each: each.id):
                voice.write(row_id)
        elif not _write(found):
            voice.say("There is no such image." if standing else "There is no image yet.")


def _document(each: Result) -> document.Document:
    names = ("id", "variant", "review", "reviewed_by", "review_note", "sha256", "model")
    told = {name: getattr(each, name) for name in names}
    cost = {"charged_nusd": each.charged_nusd, "made_by": each.made_by}
    return document.in_dollars(told | {"output_uri": _place(each)} | cost)


def _write(found: Iterable[Result]) -> int:
    """Write a line for each; how many there were."""
    table = voice.table("ROW", "VARIANT>", "REVIEW<", "BY", "NOTE", "COST>", "IMAGE")
    for each in found:
        table.add_row(
            voice.safe(each.id),
            str(each.variant),
            each.review or WAITING,
            voice.safe(each.reviewed_by or ""),
            voice.safe(each.review_note or ""),
            short_dollars(each.charged_nusd),
            voice.safe(_place(each)),
        )
    if table.row_count:
        voice.write_table(table)
    return table.row_count


def _place(each: Result) -> str:
    return f"{each.storage_url.rstrip('/')}/{each.uri}"


@command.command()
@_name
@_rows
@click.option("--all", "every", is_flag=True, help="All that wait; what was rejected stays so.")
@_sheet
@_variant
@_note
@_by
@json_option
@global_options
@pass_invocation
def approve(
    invocation: Invocation, /, name: str, rows: tuple[str, ...], every: bool, **given: Any
) -> None:
    """Say that images are good.

    A FILE may reject some: its own column counts, and `approved` where it has none.
    """
    _require_one(rows, given, every=every)
    with opened(invocation) as room:
        job = room.job(name)
        if every:
            changed = job.reviews.approve_all(by=given["by"])
        else:
            changed = _decided(job, Decision.APPROVED, rows, **given)
        _say(invocation, job, Decision.APPROVED, changed)


@command.command()
@_name
@_rows
@_sheet
@_variant
@_note
@_by
@json_option
@global_options
@pass_invocation
def reject(invocation: Invocation, /, name: str, rows: tuple[str, ...], **given: Any) -> None:
    """Throw images out: whoever asks for them again has them made anew, and pays.

    A FILE may approve some: its own column counts, and `rejected` where it has none.
    """
    _require_one(rows, given)
    with opened(invocation) as room:
        job = room.job(name)
        changed = _decided(job, Decision.REJECTED, rows, **given)
        _say(invocation, job, Decision.REJECTED, changed)


@command.command()
@_name
@click.argument("rows", metavar="ROW_ID...", nargs=-1, required=True)
@_variant
@_by
@json_option
@global_options
@pass_invocation
def undo(invocation: Invocation, /, name: str, rows: tuple[str, ...], **given: Any) -> None:
    """Take back what was decided: the images wait again."""
    with opened(invocation) as room:
        job = room.job(name)
        changed = job.reviews.undo(rows, variant=given["variant"], by=given["by"])
        _say(invocation, job, None, changed)


def _require_one(
    rows: tuple[str, ...], given: dict[str, Any], *, every: bool | None = None
) -> None:
    """See that images are named in one way. `every` None: the command has no --all."""
    ways = "ROW_ID or --from FILE" if every is None else "ROW_ID, --all or --from FILE"
    if [bool(rows), bool(every), given["sheet"] is not None].count(True) != 1:
        raise click.UsageError(f"Say which images: {ways}, one of them.")
    if not rows and (given["note"] or given["variant"]):
        raise click.UsageError("--note and --variant go with ROW_ID.")


def _decided(
    job: Job,
    decision: Decision,
    rows: tuple[str, ...],
    *,
    sheet: Path | None,
    variant: int | None,
    note: str | None,
    by: str | None,
) -> int:
    if sheet is not None:
        return job.reviews.take(sheet, decision=decision, by=by)
    decide = job.reviews.approve if decision is Decision.APPROVED else job.reviews.reject
    return decide(rows, variant=variant, note=note, by=by)


def _say(invocation: Invocation, job: Job, decision: Decision | None, changed: int) -> None:
    tally = job.reviews.tally()
    if invocation.as_json:
        counts = {name: getattr(tally, name) for name in tally.__struct_fields__}
        voice.write_json({"job": job.id, "decision": decision, "changed": changed, **counts})
    elif invocation.talks:
        stand = f"{tally.waiting:,} wait, {tally.approved:,} approved, {tally.rejected:,} rejected"
        voice.say(f"{job.id}: {plural(changed, 'image')} changed. Now {stand}.")
