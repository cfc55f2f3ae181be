"""The options that ask the same of every picture of a job: wishes, labels, turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from darkroom.errors import ConfigInvalid
from darkroom.labelling import read_labels
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


class LabelType(click.ParamType[tuple[str, str]]):
    """A label and its value."""

    name = "label"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Read KEY=VALUE."""
        if isinstance(value, tuple):
            return value
        name, _, said = str(value).partition("=")
        try:
            return name, read_labels({name: said})[name]
        except ConfigInvalid as error:
            self.fail(f"{value} is no KEY=VALUE: {error.message} {error.hint or ''}", param, ctx)


ASKING: Final = (
    click.option(
        "--ask",
        type=WishType(),
        multiple=True,
        metavar="NAME=VALUE",
        help="What is asked for rows that do not say it, such as safety=block_none; the names are "
        "those of [gemini] in the settings.",
    ),
    click.option(
        "--label",
        type=LabelType(),
        multiple=True,
        metavar="KEY=VALUE",
        help="A label of each request for Vertex's billing export.",
    ),
    click.option(
        "--deliver-turns",
        is_flag=True,
        help="Deliver the images of earlier turns, too, of rows that do not say it.",
    ),
)


def told_by(option: str, given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Join what an option says several times; one thing said twice is a contradiction."""
    told: dict[str, Any] = {}
    for name, said in given:
        if name in told:
            raise click.BadParameter(f"{name} is said twice.", param_hint=f"'{option}'")
        told[name] = said
    return told
