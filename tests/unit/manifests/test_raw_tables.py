"""A table comes out as it went in, and its cells are those that the reader reads."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom_manifests import delimited
from darkroom_manifests.problem import Fault
from darkroom_manifests.raw import RawRow, RawTable, spelled, spliced
from darkroom_manifests.source import Unreadable

CELLS = st.text(st.sampled_from([*'ab",;\t| \n\r\u00e9\u2028=']), max_size=6)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
RAW = st.lists(
    st.sampled_from(['"', '""', ",", "\t", ";", "a", "b c", " ", "\n", "\r\n", "\r", "=", "é"]),
    max_size=40,
).map("".join)


def lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def whole(table: RawTable) -> tuple[str, list[RawRow]]:
    header = [] if table.header is None else [table.header]
    rows = [*header, *table]
    return table.before + "".join(row.text + row.end for row in rows), rows


def read(text: str) -> list[tuple[int, list[str]]]:
    """What the reader reads up to where it gives up."""
    normal = lines(text.replace("\r\n", "\n").replace("\r", "\n"))
    found: list[tuple[int, list[str]]] = []
    every = list(normal)
    blank = next((n for n, line in enumerate(every) if line.strip()), len(every))
    with suppress(Unreadable):
        for line, cells in delimited.records(iter(every[blank:]), blank + 1):
            found += [] if isinstance(cells, Fault) else [(line, cells)]
    return found


@settings(max_examples=400, deadline=None)
@given(RAW)
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    assert whole(RawTable(iter(lines(text))))[0] == text


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["id,prompt\n", "id;prompt\r\n", "id\tprompt\r", "prompt\n", ""]), RAW)
def test_cells_are_those_that_the_reader_reads(header: str, body: str) -> None:
    table = RawTable(iter(lines(header + body)))
    _, rows = whole(table)
    raw = {row.line: [row.value(i) for i in range(len(row.cells))] for row in rows if row.cells}

    for line, cells in read(header + body):
        assert raw[line] == cells


@settings(max_examples=300, deadline=None)
@given(
    table=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=5),
    end=ENDS,
    delimiter=st.sampled_from([",", ";", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    place=st.integers(0, 2),
    value=CELLS,
    closed=st.booleans(),
)
def test_a_cell_written_anew_changes_no_other_sign(
    *,
    table: list[list[str]],
    end: str,
    delimiter: str,
    quoting: int,
    place: int,
    value: str,
    closed: bool,
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]  # typeshed wants literals
    writer.writerows([["id", "prompt", "image_url"], *table])
    text = file.getvalue()
    raw = RawTable(iter(lines(text if closed else text[: -len(end)])))
    rows = [row for row in raw if len(row.cells) == 3]

    for row in rows:
        written = spliced(row, {place: value}, raw.delimiter, [])
        span = row.cells[place]
        before, after = row.text[: span.start], row.text[span.end :]
        new = spelled(value, raw.delimiter, quoted=span.is_quoted)
        (back,) = RawTable(iter(lines(f"a{delimiter}b\n{written}"))) if written.strip() else [None]
        assert written == before + new + after
        if back is not None and back.cells:
            assert back.value(place) == value.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("value", "quoted", "text"),
    [
        ("a", False, "a"),
        ("a", True, '"a"'),
        ("a,b", False, '"a,b"'),
        ('say "a"', False, '"say ""a"""'),
        ("two\nlines", False, '"two\nlines"'),
        (" a", False, '" a"'),
    ],
)
def test_a_cell_is_quoted_where_it_must_be_or_was(value: str, quoted: bool, text: str) -> None:  # noqa: FBT001  # parametrized
    assert spelled(value, ",", quoted=quoted) == text
