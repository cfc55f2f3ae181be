"""What a manifest is seen to be, shown to people and to programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
from rich.text import Text

from darkroom.cli import voice
from darkroom.cli.document import Document
from darkroom.client import Darkroom
from darkroom.plan import Plan
from darkroom_manifests.problem import escape
from darkroom_manifests.sight import Column, Sight

_REST = {"variable": "variables", "tag": "tags", "label": "labels of the bill"}


def of_sight(sight: Sight | None) -> Document:
    """The dialect and the columns, for programs."""
    if sight is None:
        return {"dialect": None, "columns": []}
    return {"dialect": sight.dialect, "columns": msgspec.to_builtins(sight.columns)}


def facts(sight: Sight) -> Text:
    """The dialect, the columns that mean something, and the others, a line each."""
    return voice.facts([("dialect", sight.title), *_facts(sight.columns)])


def _facts(columns: Iterable[Column]) -> Iterator[tuple[str, str]]:
    rest: dict[str, list[str]] = {}
    for column in columns:
        if column.by in _REST:
            rest.setdefault(column.by, []).append(column.name)
        elif column.by == "variants":
            yield column.field or "variants", f"{column.name}, a list"
        elif column.field is not None:
            yield column.field, column.name + _said(column)
    for by, names in rest.items():
        yield _REST[by], ", ".join(names)


def _said(column: Column) -> str:
    return "" if column.by == "name" else f", by the {column.by}"


def prompts(room: Darkroom, plan: Plan, most: int) -> list[Document]:
    """The first final prompts, with the row that each is of."""
    return [
        {"id": draft.row_id, "line": draft.row.line, "prompt": draft.request.prompt}
        for draft in islice(room.drafts(plan), most)
    ]


def write_prompts(shown: Iterable[Document]) -> None:
    """Write prompts as data, each on one line."""
    for each in shown:
        voice.write(f"{each['line']}\t{escape(each['id'])}\t{escape(each['prompt'])}")
