"""The option that asks the same of every picture of a job: what `[gemini]` may say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from darkroom.errors import ConfigInvalid
from darkroom.wish_list import read_wishes


class WishType(click.ParamType[tuple[str, Any]]):
    """A wish and its value."""

    name = "wish"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Read NAME=VALUE, as a manifest's cell has the value."""
        if isinstance(value, tuple):
            return value
        name, mark, said = str(value).partition("=")
        name = name.strip().lower().replace("-", "_")
        if not mark:
            self.fail(f"{value} is no NAME=VALUE, such as safety=block_none.", param, ctx)
        try:
            return name, read_wishes({name: said})[name]
        except ConfigInvalid as error:
            self.fail(f"{error.message} {error.hint or ''}".strip(), param, ctx)


ASKING: Final = (
    click.option(
        "--ask",
        type=WishType(),
        multiple=True,
        metavar="NAME=VALUE",
        help="What is asked for rows that do not say it, such as safety=block_none; the names are "
        "those of [gemini] in the settings.",
    ),
)


def asked_by(given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Join what several --ask say; one thing asked twice is a contradiction."""
    told: dict[str, Any] = {}
    for name, said in given:
        if name in told:
            raise click.BadParameter(f"{name} is asked twice.", param_hint="'--ask'")
        told[name] = said
    return told
