"""A manifest, line by line: a `Row` or a `Problem` for each, never an exception for its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Final, TypeVar

from darkroom_manifests import delimited, jsonl, source, text
from darkroom_manifests.layout import Layout, Layouts, lay_out, no_prompt
from darkroom_manifests.limits import DEFAULT_LIMITS, Limits
from darkroom_manifests.problem import Code, Fault, Problem
from darkroom_manifests.python import from_python
from darkroom_manifests.record import Records
from darkroom_manifests.row import Row
from darkroom_manifests.source import Unreadable

_JSON_SUFFIXES: Final = {".jsonl", ".ndjson", ".json"}

T = TypeVar("T")
Read = Iterator[Row | Problem]
Parsed = tuple[int, dict[str, object] | Fault]


def read(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Read:
    """Read a manifest lazily: CSV, TSV, JSONL, or a text file with a prompt a line; also gzipped.

    Content never raises: what is wrong comes as Problems, and a fault of the file itself is the
    last of them. Memory stays flat but for about 13 bytes for each row that has an id.
    """
    records = Records(str(path), limits)
    try:
        yield from _rows(Path(path), records)
    except Unreadable as stop:
        yield stop.problem(records.file)


def read_rows(
    rows: Iterable[Mapping[str, object]], name: str = "rows", limits: Limits = DEFAULT_LIMITS
) -> Read:
    """Read mappings with the types of JSON, such as a DataFrame's records.

    A row's line is its ordinal, from 1. Scalars of NumPy count as Python's, NaN as absent.
    """
    records = Records(name, limits)
    try:
        yield from _objects(enumerate(map(from_python, rows), 1), records)
    except Unreadable as stop:
        yield stop.problem(name)


def _rows(path: Path, records: Records) -> Read:
    lines = text.lines(source.chunks(path, records.limits), records.limits)
    first, line, lines = _skip_blank(lines)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix == ".txt":
        return _prompts(lines, line, records)
    if first.lstrip().startswith("["):
        raise Unreadable(jsonl.array(), line)
    if first.lstrip().startswith("{") or suffix in _JSON_SUFFIXES:
        parsed = (
            (n, jsonl.parse(t, records.limits)) for n, t in enumerate(lines, line) if t.strip()
        )
        return _objects(parsed, records)
    return _table(delimited.records(lines, line), records)


def _parsed(lines: Iterator[str], start: int, limits: Limits) -> Iterator[Parsed]:
    return ((n, jsonl.parse(line, limits)) for n, line in enumerate(lines, start) if line.strip())


def _skip_blank(lines: Iterator[str]) -> tuple[str, int, Iterator[str]]:
    """Find the first line that holds something, and its number."""
    number = 0
    for number, line in enumerate(lines, 1):  # counted for the empty file
        if line.strip():
            return line, number, chain([line], lines)
    if number:
        raise Unreadable(_no_rows("The file has only blank lines."))
    raise Unreadable(Fault(Code.FILE_EMPTY, "The file is empty.", "Was it saved?"))


def _no_rows(message: str) -> Fault:
    return Fault(Code.FILE_NO_ROWS, message, "Add a row for each image to make.")


def _bounded(rows: Iterator[tuple[int, T]], limits: Limits, none: str) -> Iterator[tuple[int, T]]:
    """Pass on at least one row and at most the limit."""
    first = next(rows, None)
    if first is None:
        raise Unreadable(_no_rows(none))
    return chain([first], islice(rows, limits.rows - 1), _surplus(rows, limits))


def _surplus(rows: Iterator[tuple[int, T]], limits: Limits) -> Iterator[tuple[int, T]]:
    for line, _ in rows:
        message = f"There are more than {limits.rows:,} rows."
        fault = Fault(Code.FILE_TOO_MANY_ROWS, message, "Split it into several manifests.")
        raise Unreadable(fault, line)
    yield from ()


def _prompts(lines: Iterator[str], start: int, records: Records) -> Read:
    layout = lay_out(["prompt"], records.limits, typed=False)
    prompts = (
        (line, prompt)
        for line, prompt in enumerate(lines, start)
        if prompt.strip() and not prompt.lstrip().startswith("#")
    )
    for line, prompt in _bounded(prompts, records.limits, "The file has only comments."):
        yield from records.with_care(layout, line, [prompt])


def _table(rows: Iterator[delimited.Record], records: Records) -> Read:
    top, header = next(rows, (0, _no_rows("There is no header.")))
    if isinstance(header, Fault):
        raise Unreadable(header, top)
    layout = lay_out(header, records.limits, typed=False)
    if layout.faults:
        yield from _about_names(layout.faults[:-1], top, records)
        raise Unreadable(layout.faults[-1][1], top)
    if not layout.has_prompt:
        raise Unreadable(no_prompt(header), top)
    yield from _about_names(layout.doubts, top, records)
    for line, cells in _bounded(rows, records.limits, "The file has a header and no rows."):
        if isinstance(cells, Fault):
            yield cells.at(records.file, line)
            continue
        row = records.at_once(layout, line, cells)
        if row:
            yield row
        else:
            yield from _checked(layout, line, cells, records)


def _checked(
    layout: Layout, line: int, cells: list[str], records: Records
) -> Iterable[Row | Problem]:
    if len(cells) == len(layout.names):
        return records.with_care(layout, line, cells)
    return [_ragged(len(cells), len(layout.names)).at(records.file, line)]


def _ragged(cells: int, columns: int) -> Fault:
    hint = "Quote a cell that holds the delimiter." if cells > columns else "Was the row cut short?"
    message = f"The header has {columns} columns, the row {cells}."
    return Fault(Code.ROW_COLUMNS, message, hint)


def _objects(rows: Iterator[Parsed], records: Records) -> Read:
    layouts = Layouts(records.limits)
    for line, found in _bounded(rows, records.limits, "There are no rows."):
        if isinstance(found, Fault):
            yield found.at(records.file, line)
            continue
        layout, doubts = layouts.of(tuple(found))
        yield from _about_names(layout.faults or doubts, line, records)
        if not layout.faults:
            yield from records.with_care(layout, line, list(found.values()))


def _about_names(faults: Iterable[tuple[str, Fault]], line: int, records: Records) -> Read:
    return (fault.at(records.file, line, name or None) for name, fault in faults)
