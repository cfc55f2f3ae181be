"""What people and programs read: talk on stderr, data on stdout, both safe for any terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from darkroom_manifests.problem import escape

_UNBOUNDED: Final = 10_000
"""Columns of a stdout that is no terminal: nothing is cut for a program."""


def stderr() -> Console:
    """Make a console for talk; as wide as it needs where nobody looks."""
    return Console(stderr=True, highlight=False, width=_width(sys.stderr))


def stdout() -> Console:
    """Make a console for tables; as wide as they need where nobody looks."""
    return Console(highlight=False, width=_width(sys.stdout))


def _width(stream: TextIO) -> int | None:
    return None if stream.isatty() else _UNBOUNDED


def safe(text: object, style: str = "") -> Text:
    """Make text of others' making printable: no markup is obeyed, no control character sent."""
    return Text("\n".join(escape(line) for line in str(text).splitlines()), style)


def say(text: str | Text, style: str = "") -> None:
    """Tell a person something."""
    shown = safe(text, style) if isinstance(text, str) else text
    stderr().print(shown, soft_wrap=True)


def complain(message: str, hint: str | None) -> None:
    """Say what went wrong, and the remedy."""
    say(Text.assemble(("error: ", "bold red"), safe(message)))
    if hint:
        say(Text.assemble(("       ", ""), safe(hint)))


def warn(message: str) -> None:
    """Say what a person may want to know."""
    say(Text.assemble(("warning: ", "yellow"), safe(message)))


def write(text: str) -> None:
    """Write a line of data, as UTF-8 whatever the locale."""
    click.echo(text.encode(errors="backslashreplace"))


def write_json(document: Any) -> None:  # noqa: ANN401  # any JSON
    """Write one document."""
    click.echo(_json(document))


@contextmanager
def utf8() -> Iterator[TextIO]:
    """Open stdout for much data, as UTF-8 whatever the locale."""
    text = io.TextIOWrapper(sys.stdout.buffer, "utf-8", errors="backslashreplace", newline="")
    try:
        yield text
    finally:
        text.detach()


def stderr_json(document: Any) -> None:  # noqa: ANN401  # any JSON
    """Tell a program what went wrong."""
    click.echo(_json(document), err=True)


def say_table(table: Table) -> None:
    """Show a person a table."""
    stderr().print(table)


def _json(document: Any) -> bytes:  # noqa: ANN401  # any JSON
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def write_table(table: Table | Text) -> None:
    """Write a table, or facts, as data."""
    stdout().print(table, soft_wrap=isinstance(table, Text))


def table(*columns: str) -> Table:
    """Make a quiet table. A name's last sign sets its column: ">" right, "<" left, both whole."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        match column[-1]:
            case ">":
                made.add_column(column[:-1], justify="right", no_wrap=True)
            case "<":
                made.add_column(column[:-1], no_wrap=True)
            case _:
                made.add_column(column, overflow="fold")
    return made


def facts(pairs: Iterable[tuple[str, str | Text]]) -> Text:
    """Write names and what they are, a line each; long lines are the terminal's to wrap."""
    known = list(pairs)
    width = max((len(name) for name, _ in known), default=0)
    lines = [
        Text.assemble(
            (f"{name:{width}}  ", "dim"), safe(value) if isinstance(value, str) else value
        )
        for name, value in known
    ]
    return Text("\n").join(lines)
