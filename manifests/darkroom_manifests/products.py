"""Rows that stand together and share a handle: one product, with more pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from darkroom_manifests.ids import Seen
from darkroom_manifests.problem import Code, Fault, quote

_MOST_CHARS: Final = 70_000  # beyond any limit of a cell, so that the reader will refuse it
_LIST: Final = "|"

Line = tuple[int, Any]  # its number, and cells or a record, or what is wrong


class Group(msgspec.Struct, frozen=True):
    """Where things stand: by index in a table, by name in records."""

    key: Any
    gathered: tuple[Any, ...]
    own: tuple[Any, ...]
    """What asks for a picture: a further row must not ask for another."""
    width: int | None = None


def products(rows: Iterator[Line], group: Group) -> Iterator[Line]:
    """Make one row of neighbours with one handle: the first, with all their pictures.

    A handle that comes back later is a fault: to wait for it would keep the whole file in memory.
    """
    seen = Seen()
    held: Line | None = None
    name = ""
    for line, cells in rows:
        own = _key(cells, group)
        if held is not None and own and own == name:
            fault = _odd(held, cells, group)
            if fault:
                yield line, fault
            else:
                _gather(held[1], cells, group)
            continue
        if held is not None:
            yield held
        held, name = None, own
        first = seen.first(own, line) if own else None
        if first:
            yield line, _comes_back(own, first)
        else:
            held = line, cells
    if held is not None:
        yield held


def _key(cells: Any, group: Group) -> str:  # noqa: ANN401  # a list, a record or a fault
    if isinstance(cells, Fault) or (group.width is not None and len(cells) != group.width):
        return ""
    value = cells.get(group.key) if isinstance(cells, dict) else cells[group.key]
    return str(value).strip() if value is not None else ""


def _cell(cells: Any, place: Any) -> str:  # noqa: ANN401  # same
    value = cells.get(place) if isinstance(cells, dict) else cells[place]
    return value.strip() if isinstance(value, str) else ""


def _odd(held: Line, cells: Any, group: Group) -> Fault | None:  # noqa: ANN401  # same
    for place in group.own:
        own = _cell(cells, place)
        if own and own != _cell(held[1], place):
            return Fault(
                Code.GROUP,
                f"The row goes on with the product of line {held[0]:,}, but asks for another "
                "picture.",
                "Give it a handle of its own, or list both in a column variants.prompt.",
            )
    return None


def _gather(cells: Any, more: Any, group: Group) -> None:  # noqa: ANN401  # same
    for place in group.gathered:
        here, there = _cell(cells, place), _cell(more, place)
        if there and len(here) < _MOST_CHARS and there not in here.split(_LIST):
            cells[place] = f"{here}{_LIST}{there}" if here else there


def _comes_back(name: str, first: int) -> Fault:
    return Fault(
        Code.GROUP,
        f"The handle {quote(name)} was on line {first:,} already, with others between.",
        "Rows of one product must stand together: sort the file by its handle.",
    )
