"""Columns whose meaning is not left to their names: a mapping or a dialect says it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Final

import msgspec

from darkroom_manifests import nested, spelled
from darkroom_manifests.dialect import Dialect
from darkroom_manifests.field import FIELDS, Field, plain_name
from darkroom_manifests.problem import Code, Fault, Severity, quote
from darkroom_manifests.reading import Reading

OBJECTS: Final = {
    "tags": Field("tags", (nested.tags, nested.tags)),
    "vars": Field("variables", (nested.variables, nested.variables)),
}
_BY_NAME: Final = {field.name: field for field in FIELDS} | {"tags": OBJECTS["tags"]}


class Assignment(msgspec.Struct, frozen=True):
    """What is said: fields with their places, columns that are only kept, fields that are shut.

    A shut field takes nothing by the names of columns: the mapping decides.
    """

    places: tuple[tuple[Field, int], ...]
    kept: frozenset[int]
    shut: frozenset[str]
    faults: tuple[tuple[str, Fault], ...]
    doubts: tuple[tuple[str, Fault], ...]
    mapped: frozenset[int]
    opens: bool
    """Whether columns are parts of objects: what fills a field needs no variable beside it."""

    @property
    def spoken_for(self) -> frozenset[int]:
        """The columns whose names say nothing any more."""
        return self.kept | {index for _, index in self.places}


def assign(
    names: Sequence[str], reading: Reading, dialect: Dialect | None, *, typed: bool
) -> Assignment:
    """Hear the dialect, then the settings, then the caller, who is right."""
    table = _of_dialect(names, dialect)
    said = {name: found for name, found in _usual(names, reading).items() if found}
    asked = {name: _found(names, columns) for name, columns in reading.mapping.items()}
    missing = [] if typed else _missing(names, reading)
    mapped = frozenset(index for found in (said | asked).values() for index in found)
    kept = frozenset(_kept(names, dialect)) - mapped
    places = [
        (_read_by(_BY_NAME[name], names[index], dialect), index)
        for name, found in (table | said | asked).items()
        for index in found
    ]
    shut = frozenset(said) | frozenset(asked)
    doubts = [*_addresses(names, dialect, mapped), *_unasked(names, dialect, places, mapped)]
    opens = dialect is not None and bool(dialect.opened)
    return Assignment(tuple(places), kept, shut, tuple(missing), tuple(doubts), mapped, opens)


def _of_dialect(names: Sequence[str], dialect: Dialect | None) -> dict[str, list[int]]:
    if dialect is None:
        return {}
    return {
        field: list(dict.fromkeys(i for column in columns for i in dialect.places(names, column)))
        for field, columns in dialect.fields.items()
    }


def _usual(names: Sequence[str], reading: Reading) -> dict[str, list[int]]:
    return {name: _found(names, columns) for name, columns in reading.usual.items()}


def _found(names: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Find columns by their exact names, or else by folded ones."""
    places = []
    for column in columns:
        exact = [i for i, name in enumerate(names) if name == column]
        folded = [i for i, name in enumerate(names) if plain_name(name) == plain_name(column)]
        places += (exact or folded)[:1]
    return places


def _missing(names: Sequence[str], reading: Reading) -> list[tuple[str, Fault]]:
    return [
        (column, _no_column(names, column, field))
        for field, columns in reading.mapping.items()
        for column in columns
        if not _found(names, [column])
    ]


def _no_column(names: Sequence[str], column: str, field: str) -> Fault:
    near = get_close_matches(column[:64], names, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else f"Columns are {', '.join(names)[:200]}."
    shown = _BY_NAME[field].aliases[0]
    return Fault(Code.MAPPING, f"{shown} is mapped to {quote(column)}, which is no column.", hint)


def _kept(names: Sequence[str], dialect: Dialect | None) -> list[int]:
    if dialect is None:
        return []
    return [i for name in (*dialect.kept, *dialect.addresses) for i in dialect.places(names, name)]


def _addresses(
    names: Sequence[str], dialect: Dialect | None, mapped: frozenset[int]
) -> list[tuple[str, Fault]]:
    """Say once that pictures elsewhere are not looked at."""
    if dialect is None:
        return []
    places = [i for name in dialect.addresses for i in dialect.places(names, name)]
    if not places or mapped & set(places):
        return []
    name = names[places[0]]
    return [
        (
            name,
            Fault(
                Code.COLUMN_KEPT,
                "Images at https:// are not fetched, so the column is kept as a variable.",
                f'To go by them, put files or gs:// into it and say --map "references={name}".',
                Severity.WARNING,
            ),
        )
    ]


def _unasked(
    names: Sequence[str],
    dialect: Dialect | None,
    places: Sequence[tuple[Field, int]],
    mapped: frozenset[int],
) -> list[tuple[str, Fault]]:
    """Say of each part of a request that it will not be asked for."""
    if dialect is None or dialect.asked is None:
        return []
    part = plain_name(f"{dialect.asked}.")
    known = {i for name in dialect.silent for i in dialect.places(names, name)}
    known |= mapped | {index for _, index in places}
    return [
        (name, _no_wish(name))
        for index, name in enumerate(names)
        if index not in known and plain_name(name).startswith(part)
    ]


def _no_wish(name: str) -> Fault:
    return Fault(
        Code.COLUMN_KEPT,
        f"A row cannot ask for {quote(name)}, so it is kept as a variable.",
        "Look whether the picture needs it.",
        Severity.WARNING,
    )


def _read_by(field: Field, column: str, dialect: Dialect | None) -> Field:
    """Part a cell as its dialect does, and read lists of wishes."""
    if dialect is not None and field.name in spelled.READERS:
        return Field(field.name, spelled.READERS[field.name], field.aliases)
    if field.name != "references" or dialect is None:
        return field
    for name, separator in dialect.separators.items():
        if plain_name(name) == plain_name(column):
            read = partial(nested.references_parted, separator=separator)
            return Field(field.name, (read, read), field.aliases)
    return field
