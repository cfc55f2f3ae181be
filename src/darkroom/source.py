"""What a manifest may come from: a file, mappings, or a DataFrame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from darkroom.manifest import Manifest

Source = str | Path | Iterable[Mapping[str, object]] | Any
"""A path, an iterable of mappings, or a DataFrame of pandas or polars."""


def manifest_of(source: Source) -> Manifest:
    """Make something that can be read more than once."""
    if isinstance(source, str | Path):
        return Manifest.of_file(Path(source))
    if hasattr(source, "iter_rows"):  # polars
        return Manifest.of_rows([dict(row) for row in source.iter_rows(named=True)])
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # pandas
        return Manifest.of_rows([_without_nan(row) for row in source.to_dict("records")])
    return Manifest.of_rows([dict(row) for row in source])


def _without_nan(row: Mapping[str, object]) -> dict[str, object]:
    """Pandas writes an empty cell as NaN."""
    return {k: v for k, v in row.items() if not (isinstance(v, float) and math.isnan(v))}
