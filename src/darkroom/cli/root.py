"""The command group at the top: finds commands by name, and turns errors into exit codes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from darkroom.cli.invocation import Invocation


class Root(click.Group):
    """A group whose commands are imported when they are called. `sections` names them all."""

    def __init__(
        self, *args: Any, sections: Mapping[str, Mapping[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every command, in the order of the help page."""
        return [name for commands in self.sections.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import `darkroom.cli.NAME` and take its `command`."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"darkroom.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """List the commands without importing them."""
        for section, commands in self.sections.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))

    def main(  # type: ignore[override]  # click's overloads end the process or not by a flag
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Run a command line and end the process with its exit code."""
        given = list(sys.argv[1:] if args is None else args)
        invocation = Invocation(as_json="--json" in given)
        try:
            code = super().main(
                given, prog_name, obj=invocation, **{**extra, "standalone_mode": False}
            )
        except Exception as error:  # noqa: BLE001  # the last frame: whatever it is, it is reported
            # Imported when it is needed, as commands are: what draws on terminals takes its time.
            code = import_module("darkroom.cli.failure").report(error, invocation)
        sys.exit(int(code or 0))
