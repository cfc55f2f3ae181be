"""CSV and its kin: the header decides the delimiter, quoting is strict."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from darkroom_manifests.field import field_of
from darkroom_manifests.problem import Code, Fault
from darkroom_manifests.source import Unreadable

_DELIMITERS: Final = ",;\t|"
_SEP_LINE: Final = re.compile(r'"?sep=([,;|\t])"?\n?', re.IGNORECASE)  # Excel writes it
QUOTED: Final = {
    "\t": re.compile(r'"((?:[^"]|"")*+)"(?=\t|\Z)'),
    "": re.compile(r'"((?:[^"]|"")*+)"(?=\Z)'),
}
OPEN: Final = re.compile(r'"(?:[^"]|"")*+\Z')
_CELL_LINES: Final = 1_000
_CELL_CHARS: Final = 131_072  # the csv module's own limit, which can only be moved for everyone


Record = tuple[int, list[str] | Fault]  # the first physical line, and its cells or what is wrong


def records(lines: Iterator[str], line: int) -> Iterator[Record]:
    """Yield the header and the rows of a table whose first line has this number."""
    first = next(lines, "")
    told = told_delimiter(first)
    if told:
        line += 1
        first = next(lines, "")
    delimiter = told or likely_delimiter(first)
    rest = chain([first], lines)
    if delimiter in QUOTED:
        return _tolerant(rest, delimiter, line)
    return _strict(rest, delimiter, line - 1)


def told_delimiter(line: str) -> str | None:
    """Read the line that Excel writes before a header, if it is one."""
    sep = _SEP_LINE.fullmatch(line)
    return sep[1] if sep else None


def likely_delimiter(header: str) -> str:
    """Choose what yields the most known names, then the most names; none for a single column."""
    best = max(_DELIMITERS, key=lambda delimiter: _known_and_all(header, delimiter))
    return best if _known_and_all(header, best)[1] > 1 else ""


def _known_and_all(header: str, delimiter: str) -> tuple[int, int]:
    try:
        names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return 0, 0
    known = sum(field_of(n) is not None or n.lower().startswith(("tag.", "vars.")) for n in names)
    return known, len(names)


def _strict(lines: Iterator[str], delimiter: str, before: int) -> Iterator[Record]:
    """Parse with the csv module, which alone would let an open quote swallow the file."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        last = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > last + 1 or "unexpected end" in str(error):
                raise Unreadable(_open_quote(), before + last + 1) from error
            yield before + last + 1, _bad_quote(str(error))
        else:
            if any(cells):  # spreadsheets leave rows of nothing but delimiters
                yield before + last + 1, cells


def _tolerant(lines: Iterator[str], delimiter: str, line: int) -> Iterator[Record]:
    """Parse tab-separated or undivided lines, where a quote counts only around a whole cell.

    Public prompt lists have cells such as `"Giggle" in thick paint`; spreadsheets quote cells
    that hold tabs or line ends. Both are read as they were meant.
    """
    for first in lines:
        text = first.removesuffix("\n")
        cells = _cells(text, delimiter)
        more = 0
        while cells is None:
            following = next(lines, None)
            more += 1
            if following is None or more > _CELL_LINES or len(text) > _CELL_CHARS:
                raise Unreadable(_open_quote(), line)
            text = f"{text}\n{following.removesuffix(chr(10))}"
            cells = _cells(text, delimiter) if '"' in following else None
        if any(cells):
            yield line, cells
        line += 1 + more


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Split a line; None if a quote at the start of a cell is still open at the end."""
    if '"' not in text:
        return text.split(delimiter) if delimiter else [text]
    cells = []
    start = 0
    while True:
        quoted = QUOTED[delimiter].match(text, start)
        if quoted:
            end = quoted.end()
            cells.append(quoted[1].replace('""', '"'))
        elif OPEN.match(text, start):
            return None
        else:
            end = text.find(delimiter, start) if delimiter else -1
            end = len(text) if end < 0 else end
            cells.append(text[start:end])
        if end == len(text):
            return cells
        start = end + 1


def _open_quote() -> Fault:
    return Fault(
        Code.CSV_UNBALANCED_QUOTE,
        "A quote that opens in this row is never closed, or closes inside a later cell.",
        'Close it; a quote inside a quoted cell is written twice, "".',
    )


def _bad_quote(error: str) -> Fault:
    if "limit" in error:
        return Fault(
            Code.FIELD_TOO_LONG,
            f"A cell has more than {_CELL_CHARS:,} characters.",
            "Is it in the right column?",
        )
    return Fault(
        Code.CSV_QUOTE,
        "Text follows a closing quote.",
        'Quote the whole cell and write quotes inside it twice: "a ""b"" c".',
    )
