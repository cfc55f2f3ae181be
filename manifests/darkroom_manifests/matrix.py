"""Rows that stand for many: lists in the columns `variants.NAME`, combined."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Final

import msgspec

from darkroom_manifests.problem import Code, Fault, quote
from darkroom_manifests.reading import Combine

PREFIX: Final = "variants"
_SIGNS: Final = re.compile(r"[^\w.]+")
_MARK_CHARS: Final = 24


class Lists(msgspec.Struct, frozen=True):
    """Where the lists of a layout stand, and how they are combined."""

    places: tuple[int, ...]
    names: tuple[str, ...]
    by: int | None
    """Where the row itself says how."""


class Part(msgspec.Struct, frozen=True):
    """One row of those that a row stands for. `mark` is what its id ends with."""

    values: list[object]
    mark: str


def parts(lists: Lists, values: Sequence[object], usual: Combine, most: int) -> list[Part] | Fault:
    """Combine a row's lists; an empty one is as if it were not there."""
    found = {place: _items(values[place]) for place in lists.places}
    fault = next((items for items in found.values() if isinstance(items, Fault)), None)
    if fault:
        return fault
    given = {at: items for at, items in found.items() if isinstance(items, list) and items}
    how = _how(lists, values, usual)
    if isinstance(how, Fault):
        return how
    lengths = [len(items) for items in given.values()]
    if how is Combine.ZIP and len(set(lengths)) > 1:
        return _uneven(lists, given)
    rows = prod(lengths) if how is Combine.PRODUCT else max(lengths, default=1)
    if rows > most:
        return _too_many(rows, most)
    rest = [None if found.get(at) == [] else value for at, value in enumerate(values)]
    combined = (
        product(*given.values()) if how is Combine.PRODUCT else zip(*given.values(), strict=True)
    )
    return list(_marked(rest, tuple(given), list(combined) or [()]))


def _marked(
    values: Sequence[object], places: tuple[int, ...], combined: list[tuple[object, ...]]
) -> Iterator[Part]:
    taken: dict[str, int] = {}
    for chosen in combined:
        own = list(values)
        for place, item in zip(places, chosen, strict=True):
            own[place] = item
        mark = "-".join(filter(None, map(_mark, chosen)))
        taken[mark] = taken.get(mark, 0) + 1
        again = f"-{taken[mark]}" if taken[mark] > 1 or (places and not mark) else ""
        yield Part(own, f"{mark}{again}".strip("-"))


def _mark(item: object) -> str:
    """Make what an id can end with of a value."""
    text = item if isinstance(item, str) else json.dumps(item)
    return _SIGNS.sub("-", text.lower())[:_MARK_CHARS].strip("-.")


def _items(given: object) -> list[object] | Fault:
    if isinstance(given, str):
        return [part.strip() for part in given.split("|") if part.strip()]
    if given is None:
        return []
    if isinstance(given, list | tuple):
        return list(given)
    return [given]


def _how(lists: Lists, values: Sequence[object], usual: Combine) -> Combine | Fault:
    said = None if lists.by is None else values[lists.by]
    if said is None or said == "":
        return usual
    try:
        return Combine(str(said).strip().lower())
    except ValueError:
        known = " or ".join(Combine)
        return Fault(Code.CHOICE_UNKNOWN, f"{quote(said)} is no way to combine.", f"Say {known}.")


def _uneven(lists: Lists, given: Mapping[int, list[object]]) -> Fault:
    names = dict(zip(lists.places, lists.names, strict=True))
    shown = ", ".join(f"{names[place]} has {len(items)}" for place, items in given.items())
    return Fault(
        Code.VARIANTS,
        f"Lists that are taken in step differ in length: {shown}.",
        "Make them equally long, or combine them by product.",
    )


def _too_many(rows: int, most: int) -> Fault:
    return Fault(
        Code.VARIANTS,
        f"The row stands for {rows:,} rows, above {most:,}.",
        "Shorten its lists, or raise variants.most_rows in darkroom.toml.",
    )


def columns_of(record: dict[str, object]) -> dict[str, object] | Fault:
    """Make columns of the one object, or the list of objects, that JSON has for them."""
    given = record.get(PREFIX)
    if isinstance(given, dict):
        rest = {name: value for name, value in record.items() if name != PREFIX}
        return rest | {f"{PREFIX}.{name}": value for name, value in given.items()}
    if not isinstance(given, list):
        return record
    names = list(given[0]) if given and isinstance(given[0], dict) else []
    if not names or any(not isinstance(e, dict) or e.keys() != set(names) for e in given):
        return Fault(
            Code.VARIANTS,
            "The variants are no list of objects with the same names.",
            'Write {"colour": ["red", "blue"]} or [{"colour": "red"}, {"colour": "blue"}].',
        )
    rest = {name: value for name, value in record.items() if name != PREFIX}
    lists = {f"{PREFIX}.{name}": [each[name] for each in given] for name in names}
    return rest | lists | {"variants_by": Combine.ZIP.value}
