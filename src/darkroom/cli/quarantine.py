"""`darkroom job quarantine`: images that were paid and are nobody's."""

from __future__ import annotations

from pathlib import Path

import click

from darkroom.cli import document, voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import opened
from darkroom.report import Quarantined
from darkroom_manifests.money import short_dollars


@click.command("quarantine")
@click.argument("name", metavar="JOB", default="last")
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, name: str) -> None:
    """List images of a job that were paid and set aside, why, and where they lie.

    A file that is not on this machine is on that of its worker.
    """
    with opened(invocation) as room:
        found = list(room.job(name).quarantined())
        folder = room.settings.home / "quarantine"
    if invocation.as_json:
        voice.write_json([_document(each, folder) for each in found])
    elif found:
        _write(found, folder)
    elif invocation.talks:
        voice.say("No image was set aside.")


def _document(each: Quarantined, folder: Path) -> document.Document:
    told = {name: getattr(each, name) for name in each.__struct_fields__}
    return document.in_dollars(told | {"file": _file(each, folder)})


def _write(found: list[Quarantined], folder: Path) -> None:
    table = voice.table("ROW", "VARIANT>", "WHY<", "COST>", "FILE")
    for each in found:
        table.add_row(
            voice.safe(each.id),
            str(each.variant),
            voice.safe(each.reason),
            short_dollars(each.charged_nusd),
            voice.safe(_file(each, folder) or "not on this machine"),
        )
    voice.write_table(table)


def _file(each: Quarantined, folder: Path) -> str | None:
    file = folder / each.attempt_id
    return str(file.absolute()) if file.is_file() else None
