"""What a manifest may come from: a file, mappings, or a DataFrame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from darkroom.draft import Choices
from darkroom.errors import ConfigInvalid
from darkroom.manifest import Manifest
from darkroom.settings import Settings
from darkroom_manifests import mapping
from darkroom_manifests.mapping import Columns
from darkroom_manifests.problem import Fault
from darkroom_manifests.reading import PLAIN, Reading

Source = str | Path | Iterable[Mapping[str, object]] | Any
"""A path, an iterable of mappings, or a DataFrame of pandas or polars."""


def reading_of(settings: Settings, choices: Choices) -> Reading:
    """How a manifest is to be read. Raises ConfigInvalid for a mapping of what is no field."""
    template = choices.template
    return Reading(
        mapping=_columns(choices.mapping),
        usual=_columns(settings.mapping),
        template=template if template is None or isinstance(template, str) else template.name,
        combine=settings.variants.combine,
        most_variants=settings.variants.most_rows,
    )


def _columns(given: Mapping[str, str]) -> Columns:
    found = mapping.settled(given)
    if isinstance(found, Fault):
        raise ConfigInvalid(found.message, hint=found.hint)
    return found


def manifest_of(source: Source, reading: Reading = PLAIN) -> Manifest:
    """Make something that can be read more than once."""
    if isinstance(source, Manifest):
        return source
    if isinstance(source, str | Path):
        return Manifest.of_file(Path(source), reading)
    if hasattr(source, "iter_rows"):  # polars
        polars = [dict(row) for row in source.iter_rows(named=True)]
        return Manifest.of_rows(polars, reading=reading)
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # pandas
        pandas = [_filled(row) for row in source.to_dict("records")]
        return Manifest.of_rows(pandas, reading=reading)
    return Manifest.of_rows([dict(row) for row in source], reading=reading)


def _filled(row: Mapping[str, object]) -> dict[str, object]:
    """Read the cells of a row of pandas that are not empty."""
    return {name: value for name, cell in row.items() if (value := _cell(cell)) is not None}


def _cell(cell: object) -> object:
    """Read one cell: empty ones are NaN, NaT or NA, and make floats of a column's whole numbers."""
    value = cell.item() if hasattr(cell, "dtype") and hasattr(cell, "item") else cell
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value
