"""The command in this process: what a shell in a folder would see of it, without its start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

import msgspec
from click.testing import CliRunner

from darkroom.cli import main


class Ran(msgspec.Struct, frozen=True):
    """How a call ended, and what it wrote; named as `subprocess` names it."""

    returncode: int
    stdout: str
    stderr: str


def called(folder: Path, env: Mapping[str, str], *args: str) -> Ran:
    """Call the command in a folder, with exactly this environment.

    What it starts are processes of their own. Raises what would be a traceback on a terminal.
    """
    alone = dict.fromkeys(os.environ) | dict(env)
    with chdir(folder):
        result = CliRunner().invoke(main, args, env=alone, prog_name="darkroom")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)
