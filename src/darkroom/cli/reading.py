"""The options that say how a manifest is read: which columns, and which template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import click

from darkroom.errors import ConfigInvalid
from darkroom.template_folder import TemplateText
from darkroom_manifests import mapping
from darkroom_manifests.field import TEMPLATE_NAME
from darkroom_manifests.problem import Fault


class MappingType(click.ParamType[dict[str, str]]):
    """Fields and the columns that give them."""

    name = "mapping"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, str]:
        """Read FIELD=COLUMN, several parted by commas."""
        if isinstance(value, dict):
            return value
        found = mapping.parse(str(value))
        known = found if isinstance(found, Fault) else mapping.settled(found)
        if isinstance(known, Fault):
            self.fail(f"{known.message} {known.hint or ''}".strip(), param, ctx)
        return cast("dict[str, str]", found)


MAPPING: Final = MappingType()
READING: Final = (
    click.option(
        "--map",
        "mapping",
        type=MAPPING,
        multiple=True,
        metavar="FIELD=COLUMN,…",
        help="Columns that give fields whatever their names; FIELD= takes a field from its column.",
    ),
    click.option(
        "--template",
        metavar="FILE|NAME",
        help="Template of rows that name none; a row's own prompt is its {{ prompt }}.",
    ),
)


def joined(mappings: Sequence[dict[str, str]]) -> dict[str, str]:
    """Join what several --map say; a field mapped twice is a contradiction."""
    told: dict[str, str] = {}
    for name, column in (pair for each in mappings for pair in each.items()):
        known = mapping.settled({name: column, **told})
        if name in told or isinstance(known, Fault):
            raise click.BadParameter(f"{name} is mapped twice.", param_hint="'--map'")
        told[name] = column
    return told


def template_of(named: str | None) -> str | TemplateText | None:
    """Read a file at once; a name is looked up when the settings are known."""
    if named is None or (re.fullmatch(TEMPLATE_NAME, named) and not Path(named).is_file()):
        return named
    try:
        return TemplateText.of_file(named)
    except ConfigInvalid as error:
        said = f"{error.message} {error.hint or ''}".strip()
        raise click.BadParameter(said, param_hint="'--template'") from error
