"""Which columns give which fields, because somebody says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from darkroom_manifests.field import BY_ALIAS, field_of
from darkroom_manifests.problem import Code, Fault, quote
from darkroom_manifests.value import near

Columns = dict[str, tuple[str, ...]]
"""A field's name -> the columns that give it; none: no column does."""

_NEXT: Final = re.compile(r",(?=\s*[\w .-]+=)")  # a column's name may hold a comma


def parse(text: str) -> dict[str, str] | Fault:
    """Read `prompt=Title,id=Handle`."""
    found: dict[str, str] = {}
    for part in _NEXT.split(text):
        name, mark, column = part.partition("=")
        if not mark or not name.strip():
            return _bad(f"{quote(part)} is no FIELD=COLUMN.")
        if name.strip() in found:
            return _bad(f"{quote(name.strip())} is mapped twice.")
        found[name.strip()] = column.strip()
    return found


def settled(given: Mapping[str, str]) -> Columns | Fault:
    """Know the fields by their own names; columns are parted by `|`."""
    found: Columns = {}
    for name, columns in given.items():
        field = field_of(name)
        if field is None:
            said = near(name, tuple(BY_ALIAS)) or "Fields are those of docs/reference/manifest.md."
            return Fault(Code.MAPPING, f"There is no field {quote(name)} to map.", said)
        if field.name in found:
            return _bad(f"{quote(name)} is mapped twice, as {field.aliases[0]}.")
        parts = [part.strip() for part in columns.split("|")]
        found[field.name] = tuple(part for part in parts if part)
    return found


def _bad(message: str) -> Fault:
    return Fault(Code.MAPPING, message, "Write prompt=Title,id=Handle.")
