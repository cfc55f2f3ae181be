"""What a file of a manifest is: a table, JSON lines, or a prompt a line."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from darkroom_manifests import delimited, jsonl, source, text
from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault
from darkroom_manifests.source import Unreadable

_JSON_SUFFIXES: Final = {".jsonl", ".ndjson", ".json"}

Parsed = tuple[int, dict[str, object] | Fault]


class Form(Enum):
    """How a file's lines are to be taken."""

    TABLE = auto()
    OBJECTS = auto()
    PROMPTS = auto()


class Text(msgspec.Struct, frozen=True):
    """An open file: its lines from the first that holds something, which has the number `line`."""

    form: Form
    line: int
    lines: Iterator[str]

    def table(self) -> Iterator[delimited.Record]:
        """The header and the rows."""
        return delimited.records(self.lines, self.line)

    def objects(self, limits: Limits) -> Iterator[Parsed]:
        """One object a line."""
        numbered = enumerate(self.lines, self.line)
        return ((n, jsonl.parse(line, limits)) for n, line in numbered if line.strip())

    def prompts(self) -> Iterator[tuple[int, str]]:
        """One prompt a line, without comments."""
        return (
            (n, prompt)
            for n, prompt in enumerate(self.lines, self.line)
            if prompt.strip() and not prompt.lstrip().startswith("#")
        )


def open_text(path: Path, limits: Limits) -> Text:
    """Open a file. Raises Unreadable."""
    lines = text.lines(source.chunks(path, limits), limits)
    first, line, lines = _skip_blank(lines)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix == ".txt":
        return Text(Form.PROMPTS, line, lines)
    if first.lstrip().startswith("["):
        raise Unreadable(jsonl.array(), line)
    is_json = first.lstrip().startswith("{") or suffix in _JSON_SUFFIXES
    return Text(Form.OBJECTS if is_json else Form.TABLE, line, lines)


def _skip_blank(lines: Iterator[str]) -> tuple[str, int, Iterator[str]]:
    """Find the first line that holds something, and its number."""
    number = 0
    for number, line in enumerate(lines, 1):  # counted for the empty file
        if line.strip():
            return line, number, chain([line], lines)
    if number:
        raise Unreadable(no_rows("The file has only blank lines."))
    raise Unreadable(Fault(Code.FILE_EMPTY, "The file is empty.", "Was it saved?"))


def no_rows(message: str) -> Fault:
    """Say that there is nothing to make."""
    return Fault(Code.FILE_NO_ROWS, message, "Add a row for each image to make.")
