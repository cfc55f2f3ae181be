"""`darkroom report`: what became of each render of a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final

import click
import msgspec
from rich.cells import cell_len

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, pass_invocation
from darkroom.cli.room import opened
from darkroom.client import Darkroom, Job
from darkroom.models import RenderState
from darkroom.report import FIELDS, Result, own_fields, record, write_csv
from darkroom_manifests.money import short_dollars
from darkroom_manifests.problem import escape

_PAGE: Final = 500
_HEADER: Final = ("ID", "NO", "STATUS", "SIZE", "COST", "TRIES", "IMAGE OR REASON")


@click.command()
@click.argument("name", metavar="JOB", default="last")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "jsonl"]),
    default="table",
    show_default=True,
    help="How it is written on stdout.",
)
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in RenderState]),
    multiple=True,
    help="Only renders in this state; may be given more than once.",
)
@click.option(
    "--turns", is_flag=True, help="Also earlier turns of rows whose images are not delivered."
)
@click.option("--raw", is_flag=True, help="Leave CSV cells that look like formulas as they are.")
@global_options
@pass_invocation
def command(
    invocation: Invocation, /, name: str, kind: str, states: tuple[str, ...], turns: bool, raw: bool
) -> None:
    """Write what became of each render of a job.

    CSV and JSONL hold all fields and the manifest's own columns, whatever the size of the job.
    JOB is an id, the beginning or end of one, or "last".
    """
    with opened(invocation) as room:
        job = room.job(name)
        results = job.results([RenderState(state) for state in states], turns=turns)
        match kind:
            case "csv":
                _write_csv(room, job, results, raw=raw)
            case "jsonl":
                _write_jsonl(results)
            case _:
                _write_table(results)


def _write_csv(room: Darkroom, job: Job, results: Iterable[Result], *, raw: bool) -> None:
    fields = [*FIELDS, *own_fields(room.database, job.id)]
    with voice.utf8() as stdout:
        write_csv((record(result) for result in results), fields, stdout, raw=raw)


def _write_jsonl(results: Iterable[Result]) -> None:
    with voice.utf8() as stdout:
        for result in results:
            stdout.write(msgspec.json.encode(record(result)).decode() + "\n")


def _write_table(results: Iterator[Result]) -> None:
    """Write line after line; the first page settles how wide the columns are."""
    first = [_cells(result) for result in islice(results, _PAGE)]
    columns = list(zip(_HEADER, *first, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    with voice.utf8() as stdout:
        for cells in chain([_HEADER], first, map(_cells, results)):
            padded = (
                cell + " " * (width - cell_len(cell))
                for cell, width in zip(cells, widths, strict=True)
            )
            stdout.write("  ".join(padded).rstrip() + "\n")


def _cells(result: Result) -> tuple[str, ...]:
    image = (result.uri or "").removeprefix(f"{result.job_id}/")
    return (
        escape(result.id),
        str(result.variant),
        result.state.value,
        f"{result.width}x{result.height}" if result.width else "",
        short_dollars(result.charged_nusd),
        str(result.attempts),
        escape(image or result.reason or ""),
    )
