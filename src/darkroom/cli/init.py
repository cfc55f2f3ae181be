"""`darkroom init`: the two files that a project begins with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

import click

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.configure import FILE

EXAMPLE: Final = "example.csv"


@click.command()
@click.argument("folder", metavar="DIR", default=".", type=click.Path(path_type=Path))
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, folder: Path) -> None:
    """Make darkroom.toml and a first manifest; files that are there are left alone."""
    made = {name: _make(folder / name, name) for name in (FILE, EXAMPLE)}
    if invocation.as_json:
        voice.write_json({str(folder / name): is_new for name, is_new in made.items()})
    elif invocation.talks:
        for name, is_new in made.items():
            voice.say(f"{'made' if is_new else 'kept'}  {folder / name}")
        step = "" if folder == Path() else f"cd {folder} && "
        voice.say(f"\nNext: {step}darkroom run {EXAMPLE}    costs nothing without a credential")


def _make(path: Path, resource: str) -> bool:
    """Write a file of ours; False when there is one already."""
    text = resources.files("darkroom.cli").joinpath("starter", resource).read_bytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        if path.is_file():
            return False
        raise click.FileError(str(path), "there is something else of that name") from None
    except OSError as error:
        raise click.FileError(str(path), error.strerror or str(error)) from error
    return True
