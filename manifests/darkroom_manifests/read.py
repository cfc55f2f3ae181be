"""A manifest, line by line: a `Row` or a `Problem` for each, never an exception for its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from darkroom_manifests import delimited
from darkroom_manifests.column_fault import no_prompt
from darkroom_manifests.dialect import dialect_of
from darkroom_manifests.form import Form, Parsed, no_rows, open_text
from darkroom_manifests.layout import Layout, lay_out, table_layout
from darkroom_manifests.layouts import Layouts
from darkroom_manifests.limits import DEFAULT_LIMITS, Limits
from darkroom_manifests.problem import Code, Fault, Problem
from darkroom_manifests.products import Group, Line, products
from darkroom_manifests.python import from_python
from darkroom_manifests.reading import PLAIN, Reading
from darkroom_manifests.record import Records
from darkroom_manifests.row import Row
from darkroom_manifests.source import Unreadable

T = TypeVar("T")
Read = Iterator[Row | Problem]


def read(path: str | Path, limits: Limits = DEFAULT_LIMITS, reading: Reading = PLAIN) -> Read:
    """Read a manifest lazily: CSV, TSV, JSONL, or a text file with a prompt a line; also gzipped.

    Content never raises: what is wrong comes as Problems, and a fault of the file itself is the
    last of them. Memory stays flat but for about 13 bytes for each row that has an id, and for
    each product of a shop.
    """
    records = Records(str(path), limits, reading)
    try:
        yield from _rows(Path(path), records)
    except Unreadable as stop:
        yield stop.problem(records.file)


def read_rows(
    rows: Iterable[Mapping[str, object]],
    name: str = "rows",
    limits: Limits = DEFAULT_LIMITS,
    reading: Reading = PLAIN,
) -> Read:
    """Read mappings with the types of JSON, such as a DataFrame's records.

    A row's line is its ordinal, from 1. Scalars of NumPy count as Python's, NaN as absent.
    """
    records = Records(name, limits, reading)
    try:
        yield from _objects(enumerate(map(from_python, rows), 1), records)
    except Unreadable as stop:
        yield stop.problem(name)


def _rows(path: Path, records: Records) -> Read:
    opened = open_text(path, records.limits)
    match opened.form:
        case Form.PROMPTS:
            return _prompts(opened.prompts(), records)
        case Form.OBJECTS:
            return _objects(opened.objects(records.limits), records)
        case Form.TABLE:
            return _table(opened.table(), records)


def _bounded(rows: Iterator[tuple[int, T]], limits: Limits, none: str) -> Iterator[tuple[int, T]]:
    """Pass on at least one row and at most the limit."""
    first = next(rows, None)
    if first is None:
        raise Unreadable(no_rows(none))
    return chain([first], islice(rows, limits.rows - 1), _surplus(rows, limits))


def _surplus(rows: Iterator[tuple[int, T]], limits: Limits) -> Iterator[tuple[int, T]]:
    for line, _ in rows:
        message = f"There are more than {limits.rows:,} rows."
        fault = Fault(Code.FILE_TOO_MANY_ROWS, message, "Split it into several manifests.")
        raise Unreadable(fault, line)
    yield from ()


def _prompts(prompts: Iterator[tuple[int, str]], records: Records) -> Read:
    layout = lay_out(["prompt"], records.limits, typed=False)
    for line, prompt in _bounded(prompts, records.limits, "The file has only comments."):
        yield from records.with_care(layout, line, [prompt])


def _table(rows: Iterator[delimited.Record], records: Records) -> Read:
    top, header = next(rows, (0, no_rows("There is no header.")))
    if isinstance(header, Fault):
        raise Unreadable(header, top)
    layout = table_layout(header, records.limits, records.reading)
    if layout.faults:
        yield from _about_names(layout.faults[:-1], top, records)
        raise Unreadable(layout.faults[-1][1], top)
    if not layout.has_prompt and records.reading.template is None:
        raise Unreadable(no_prompt(header, layout.dialect), top)
    yield from _about_names(layout.doubts, top, records)
    bounded = _bounded(rows, records.limits, "The file has a header and no rows.")
    for line, cells in _grouped(bounded, layout):
        if isinstance(cells, Fault):
            yield cells.at(records.file, line)
            continue
        row = records.at_once(layout, line, cells)
        if row:
            yield row
        else:
            yield from _checked(layout, line, cells, records)


def _grouped(rows: Iterator[delimited.Record], layout: Layout) -> Iterator[Line]:
    """Join what a dialect counts as one row."""
    dialect = layout.dialect
    if dialect is None or dialect.group is None:
        return rows
    keys = dialect.places(layout.names, dialect.group)
    gathered = [i for name in dialect.gathered for i in dialect.places(layout.names, name)]
    own = [i for name, i, _ in layout.fields if name in {"prompt", "template"}]
    return products(rows, Group(keys[0], tuple(gathered), tuple(own), len(layout.names)))


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
    layouts = Layouts(records.limits, records.reading)
    bounded = _bounded(rows, records.limits, "There are no rows.")
    for line, found in _grouped_objects(bounded):
        laid = found if isinstance(found, Fault) else layouts.of(found)
        if isinstance(laid, Fault):
            yield laid.at(records.file, line)
            continue
        layout, values, doubts = laid
        yield from _about_names(layout.faults or doubts, line, records)
        if not layout.faults:
            yield from records.with_care(layout, line, values)


def _grouped_objects(rows: Iterator[Parsed]) -> Iterator[Line]:
    """Join what a dialect counts as one row; the first record tells the dialect."""
    line, first = next(rows)
    whole = chain([(line, first)], rows)
    dialect = None if isinstance(first, Fault) else dialect_of(tuple(first))
    if isinstance(first, Fault) or dialect is None or dialect.group is None:
        return whole
    names = list(first)
    keys = [names[i] for i in dialect.places(names, dialect.group)]
    gathered = [names[i] for name in dialect.gathered for i in dialect.places(names, name)]
    return products(whole, Group(keys[0], tuple(gathered), ("prompt", "template")))


def _about_names(faults: Iterable[tuple[str, Fault]], line: int, records: Records) -> Read:
    return (fault.at(records.file, line, name or None) for name, fault in faults)
