"""What every command is told, before or after its name: home, --debug, --quiet, --json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Invocation:
    """One command line. The options below fill it in as they are read."""

    home: Path | None = None
    debug: bool = False
    quiet: bool = False
    as_json: bool = False
    log_level: str | None = None

    @property
    def talks(self) -> bool:
        """Whether a person is told things; with --json stderr holds an error or nothing."""
        return not (self.quiet or self.as_json)


def _fills(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def fill(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401
        if value:
            setattr(ctx.ensure_object(Invocation), name, value)

    return fill


_HOME: Final = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="PATH",
    help="Where database, logs and spool are.  [default: .darkroom]",
    expose_value=False,
    callback=_fills("home"),
)
_QUIET: Final = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No progress, no talk.",
    expose_value=False,
    callback=_fills("quiet"),
)
_DEBUG: Final = click.option(
    "--debug",
    is_flag=True,
    help="Show the traceback of a defect.",
    expose_value=False,
    callback=_fills("debug"),
)


def global_options(command: F) -> F:
    """Take --home, --quiet and --debug."""
    return _HOME(_QUIET(_DEBUG(command)))


json_option: Final = click.option(
    "--json",
    is_flag=True,
    help="One JSON document on stdout.",
    expose_value=False,
    callback=_fills("as_json"),
)

log_level_option: Final = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="From where on something is logged.  [default: info]",
    expose_value=False,
    callback=_fills("log_level"),
)

pass_invocation: Final = click.make_pass_decorator(Invocation, ensure=True)
