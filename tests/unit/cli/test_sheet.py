"""What a spreadsheet is given."""

from __future__ import annotations

import csv
import io

import pytest

from darkroom.report import write_csv


def written(record: dict[str, object], fields: list[str], *, raw: bool = False) -> list[list[str]]:
    file = io.StringIO()
    write_csv([record], fields, file, raw=raw)
    return list(csv.reader(io.StringIO(file.getvalue(), newline="")))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=x", "\uff1dx", "\uff0bx", "\uff0dx", "\uff20x"],
)
def test_text_that_begins_a_formula_gets_an_apostrophe(text: str) -> None:
    assert written({"a": text}, ["a"])[1] == [f"'{text}"]


def test_a_header_is_text_of_others_too() -> None:
    assert written({"=x": 1}, ["=x"])[0] == ["'=x"]


def test_numbers_and_other_text_are_left_as_they_are() -> None:
    row = written({"a": -1, "b": "a=b", "c": None, "d": "שלום"}, ["a", "b", "c", "d"])[1]

    assert row == ["-1", "a=b", "", "שלום"]


def test_raw_leaves_everything_as_it_is() -> None:
    assert written({"=x": "=1"}, ["=x"], raw=True) == [["=x"], ["=1"]]


def test_text_of_several_lines_stays_one_cell() -> None:
    assert written({"a": "one\rtwo\r\nthree", "b": 1}, ["a", "b"])[1:] == [
        ["one\rtwo\r\nthree", "1"]
    ]


def test_what_a_record_lacks_is_left_empty() -> None:
    assert written({"a": 1}, ["a", "b"])[1] == ["1", ""]
