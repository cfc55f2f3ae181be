"""What a manifest is seen to be: its dialect, and what each of its columns is taken for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from darkroom_manifests.field import FIELDS
from darkroom_manifests.form import Form, Parsed, open_text
from darkroom_manifests.layout import Layout, table_layout
from darkroom_manifests.layouts import Layouts
from darkroom_manifests.limits import DEFAULT_LIMITS, Limits
from darkroom_manifests.problem import Fault
from darkroom_manifests.python import from_python
from darkroom_manifests.reading import PLAIN, Reading
from darkroom_manifests.source import Unreadable

_LOOKED_AT: Final = 100
_OWN: Final = ("darkroom", "Darkroom's own columns")
_TEXT: Final = ("text", "Plain text, a prompt a line")
_FIRST_NAMES: Final = {field.name: field.aliases[0] for field in FIELDS}


class Column(msgspec.Struct, frozen=True):
    """A column, the field that it gives, if any, and who says so: name, dialect or mapping.

    A column without a field is a `variable`, a `tag` or a list of `variants`.
    """

    name: str
    field: str | None
    by: str


class Sight(msgspec.Struct, frozen=True):
    """A dialect by its name and title, and the columns in their order.

    Of JSON lines, those of the first hundred.
    """

    dialect: str
    title: str
    columns: tuple[Column, ...]


def look(path: Path, limits: Limits = DEFAULT_LIMITS, reading: Reading = PLAIN) -> Sight | None:
    """Look at the beginning of a file; None where nothing can be made out."""
    try:
        opened = open_text(path, limits)
        match opened.form:
            case Form.PROMPTS:
                return Sight(*_TEXT, (Column("prompt", "prompt", "name"),))
            case Form.OBJECTS:
                return _of_objects(opened.objects(limits), limits, reading)
            case Form.TABLE:
                _, header = next(opened.table())
                return None if isinstance(header, Fault) else _of_header(header, limits, reading)
    except Unreadable:
        return None


def look_at_rows(rows: Iterable[Mapping[str, object]], reading: Reading = PLAIN) -> Sight | None:
    """Look at the first rows that Python code hands over."""
    parsed = enumerate(map(from_python, rows), 1)
    return _of_objects(parsed, DEFAULT_LIMITS, reading)


def _of_header(header: list[str], limits: Limits, reading: Reading) -> Sight:
    layout = table_layout(header, limits, reading)
    return Sight(*_title(layout), tuple(_columns(layout)))


def _of_objects(rows: Iterator[Parsed], limits: Limits, reading: Reading) -> Sight | None:
    layouts = Layouts(limits, reading)
    title: tuple[str, str] | None = None
    columns: dict[str, Column] = {}
    for _, record in islice(rows, _LOOKED_AT):
        laid = record if isinstance(record, Fault) else layouts.of(record)
        if isinstance(laid, Fault):
            continue
        title = title or _title(laid[0])
        for column in _columns(laid[0]):
            columns.setdefault(column.name, column)
    return None if title is None else Sight(*title, tuple(columns.values()))


def _title(layout: Layout) -> tuple[str, str]:
    return _OWN if layout.dialect is None else (layout.dialect.name, layout.dialect.title)


def _columns(layout: Layout) -> Iterator[Column]:
    fields: dict[int, str] = {}
    for name, index, _ in layout.fields:
        fields.setdefault(index, _FIRST_NAMES.get(name, name))
    kinds = {index: "tag" for _, index in layout.tags}
    kinds |= {index: "label" for _, index in layout.labels}
    lists = set(layout.lists.places) if layout.lists else set()
    for index, name in enumerate(layout.names):
        if index in lists:
            yield Column(name, fields.get(index), "variants")
        elif index in fields:
            yield Column(name, fields[index], _by(layout, index))
        elif name:
            yield Column(name, None, kinds.get(index, "variable"))


def _by(layout: Layout, index: int) -> str:
    if index in layout.mapped:
        return "mapping"
    return "dialect" if index in layout.said else "name"
