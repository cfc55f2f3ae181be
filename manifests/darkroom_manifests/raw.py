"""A table as it stands in its file, sign by sign: what was read can be written back unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from darkroom_manifests.delimited import OPEN, QUOTED, likely_delimiter, told_delimiter

_ENDS: Final = ("\r\n", "\n", "\r")
_QUOTE: Final = re.compile(r'"((?:[^"]|"")*+)"')
_LINES: Final = 1_000  # of one row; an open quote must not take the rest of a file


class Span(msgspec.Struct, frozen=True):
    """Where a cell stands in its row's text, quotes and all."""

    start: int
    end: int
    is_quoted: bool


class RawRow(msgspec.Struct, frozen=True):
    """A row with the line it begins on, its text, its cells, and how its last line ends.

    Text without cells is no row: a blank line, or one whose quotes are wrong.
    """

    line: int
    text: str
    cells: tuple[Span, ...]
    end: str

    def value(self, place: int) -> str:
        """What a cell says."""
        span = self.cells[place]
        text = self.text[span.start : span.end]
        said = text[1:-1].replace('""', '"') if span.is_quoted else text
        return said.replace("\r\n", "\n").replace("\r", "\n")


class RawTable:
    """Reads lines that keep their ends into a header and rows; `before` is what stands above it."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._line = 0
        self.before = ""
        first = self._next()
        while first and not first.strip():
            self.before += first
            first = self._next()
        told = told_delimiter(_plain(first))
        if told:
            self.before += first
            first = self._next()
        self.delimiter = told or likely_delimiter(_plain(first))
        self._pending = first
        self.header = self._row()
        while self.header is not None and not self.header.cells:
            self.before += self.header.text + self.header.end
            self.header = self._row()

    def __iter__(self) -> Iterator[RawRow]:
        while (row := self._row()) is not None:
            yield row

    def _next(self) -> str:
        line = next(self._lines, "")
        self._line += bool(line)
        return line

    def _row(self) -> RawRow | None:
        whole = self._pending or self._next()
        self._pending = ""
        if not whole:
            return None
        first, more = self._line, 0
        cells = self._cells(whole)
        while cells is None:
            following = self._next() if more < _LINES else ""
            more += 1
            if not following:
                cells = ()
                break
            whole += following
            cells = self._cells(whole)
        text, end = _parted(whole)
        return RawRow(first, text, cells if _holds_any(text, cells) else (), end)

    def _cells(self, whole: str) -> tuple[Span, ...] | None:
        text, _ = _parted(whole)
        split = _tolerant if self.delimiter in QUOTED else _strict
        return split(text, self.delimiter)


def _strict(text: str, delimiter: str) -> tuple[Span, ...] | None:
    """Find cells as the csv module does; none where it would refuse, None where a quote is open."""
    spans = []
    start = 0
    while True:
        while text[start : start + 1] == " ":
            start += 1
        quoted = _QUOTE.match(text, start)
        if quoted is None and text[start : start + 1] == '"':
            return None
        end = quoted.end() if quoted else text.find(delimiter, start)
        end = len(text) if end < 0 else end
        if quoted and end < len(text) and text[end] != delimiter:
            return ()
        spans.append(Span(start, end, quoted is not None))
        if end == len(text):
            return tuple(spans)
        start = end + 1


def _tolerant(text: str, delimiter: str) -> tuple[Span, ...] | None:
    """Find cells where a quote counts only around a whole cell."""
    spans = []
    start = 0
    while True:
        quoted = QUOTED[delimiter].match(text, start)
        if quoted is None and OPEN.match(text, start):
            return None
        end = quoted.end() if quoted else (text.find(delimiter, start) if delimiter else -1)
        end = len(text) if end < 0 else end
        spans.append(Span(start, end, quoted is not None))
        if end == len(text):
            return tuple(spans)
        start = end + 1


def _parted(whole: str) -> tuple[str, str]:
    end = next((end for end in _ENDS if whole.endswith(end)), "")
    return whole[: len(whole) - len(end)], end


def _plain(line: str) -> str:
    text, end = _parted(line)
    return text + "\n" if end else text


def _holds_any(text: str, cells: tuple[Span, ...]) -> bool:
    """Spreadsheets leave rows of nothing but delimiters, which are none."""
    empty = {"", '""'}
    return any(text[span.start : span.end] not in empty for span in cells)


def spelled(value: str, delimiter: str, *, quoted: bool) -> str:
    """Write a cell, in quotes where it needs them or the one before it had them."""
    signs = {'"', "\r", "\n", *(delimiter or ())}
    if quoted or value.startswith(" ") or not signs.isdisjoint(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def spliced(row: RawRow, cells: dict[int, str], delimiter: str, more: list[str]) -> str:
    """Write a row with some cells anew, and further ones at its end; every other sign stays."""
    parts = []
    done = 0
    for place in sorted(cells):
        span = row.cells[place]
        parts += [
            row.text[done : span.start],
            spelled(cells[place], delimiter, quoted=span.is_quoted),
        ]
        done = span.end
    parts.append(row.text[done:])
    parts += [(delimiter or "\t") + spelled(cell, delimiter or "\t", quoted=False) for cell in more]
    return "".join(parts)
