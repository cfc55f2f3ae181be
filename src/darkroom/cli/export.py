"""`darkroom export`: a job's pictures, handed on."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.planning import plural
from darkroom.cli.room import opened
from darkroom.export.kind import Kind


@click.command()
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("name", metavar="JOB", default="last")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File or new folder to write; without it a file goes to stdout.",
)
@click.option("--base-url", metavar="URL", help="Public address of the storage place.")
@click.option(
    "--source", type=click.Path(path_type=Path), help="The job's manifest, where it was moved."
)
@click.option("--raw", is_flag=True, help="Leave CSV cells that look like formulas as they are.")
@json_option
@global_options
@pass_invocation
def command(
    invocation: Invocation,
    /,
    kind: str,
    name: str,
    out: Path | None,
    base_url: str | None,
    source: Path | None,
    raw: bool,
) -> None:
    """Write a job's images back into its catalog, or as other tools read them.

    catalog is the manifest as it was, with image URL, position and alt text filled in; csv, jsonl
    and openai-batch are files, imagefolder and webdataset folders with copies of the images. JOB
    is an id, the beginning or end of one, or "last".
    """
    _require_out(Kind(kind), out, invocation)
    with opened(invocation) as room:
        written = room.job(name).export(
            kind, out or sys.stdout.buffer, base_url=base_url, source=source, raw=raw
        )
    if invocation.as_json:
        voice.write_json({"kind": kind, "out": str(out)} | msgspec.to_builtins(written))
    elif invocation.talks:
        voice.say(f"{plural(written.images, 'image')} of {plural(written.rows, 'row')} written.")
        for doubt in written.doubts:
            voice.warn(doubt)
    if written.left_out and not invocation.as_json:
        voice.warn(f"{plural(written.left_out, 'image')} found no place in it.")


def _require_out(kind: Kind, out: Path | None, invocation: Invocation) -> None:
    if out is None and (kind.is_folder or invocation.as_json):
        said = "give a place to write to."
        raise click.BadParameter(said, click.get_current_context(), param_hint="'--out'")
