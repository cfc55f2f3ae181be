from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from darkroom_manifests.problem import Code, Problem
from darkroom_manifests.read import read, read_rows
from darkroom_manifests.reading import Combine, Reading
from darkroom_manifests.row import Row

TWO = Reading(most_variants=4)


def rows(record: dict[str, Any], reading: Reading = TWO) -> list[Row]:
    found = list(read_rows([record], reading=reading))
    assert all(isinstance(each, Row) for each in found), found
    return [each for each in found if isinstance(each, Row)]


def only(record: dict[str, Any], reading: Reading = TWO) -> Problem:
    (found,) = read_rows([record], reading=reading)
    assert isinstance(found, Problem)
    return found


def test_lists_are_combined_each_with_each(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,prompt,variants.colour,variants.aspect_ratio\nK,p,red|dark blue,1:1|4:5\n")

    found = [row for row in read(path) if isinstance(row, Row)]

    assert [(row.variables["colour"], row.aspect_ratio) for row in found] == [
        ("red", "1:1"),
        ("red", "4:5"),
        ("dark blue", "1:1"),
        ("dark blue", "4:5"),
    ]
    assert [row.id for row in found] == [
        "K-red-1-1",
        "K-red-4-5",
        "K-dark-blue-1-1",
        "K-dark-blue-4-5",
    ]
    assert [(row.line, row.part) for row in found] == [(2, 1), (2, 2), (2, 3), (2, 4)]


def test_lists_can_be_taken_in_step() -> None:
    record = {"prompt": "p", "variants": {"colour": ["red", "blue"], "n": [1, 2]}}
    by_row = rows(record | {"variants_by": "zip"})
    by_setting = rows(record, Reading(combine=Combine.ZIP))

    assert [(row.variables["colour"], row.n) for row in by_row] == [("red", 1), ("blue", 2)]
    assert by_setting == by_row


def test_a_list_of_objects_is_taken_as_it_stands() -> None:
    found = rows({"prompt": "p", "variants": [{"colour": "red"}, {"colour": "blue"}]})

    assert [row.variables["colour"] for row in found] == ["red", "blue"]


def test_prompts_can_be_variants() -> None:
    found = rows({"id": "K", "variants.prompt": ["on white", "in use"]})

    assert [(row.id, row.prompt) for row in found] == [
        ("K-on-white", "on white"),
        ("K-in-use", "in use"),
    ]


def test_an_empty_list_is_as_if_it_were_not_there() -> None:
    (row,) = rows({"id": "K", "prompt": "p", "variants.n": []})

    assert (row.id, row.n) == ("K", None)


def test_a_number_is_still_how_many() -> None:
    (row,) = rows({"prompt": "p", "variants": 3})

    assert (row.n, row.part) == (3, 0)


def test_more_than_may_be_is_said_before_it_is_made() -> None:
    problem = only({"prompt": "p", "variants": {name: list("abc") for name in "stuvwxyz"}})

    assert problem.code is Code.VARIANTS
    assert "6,561" in problem.message
    assert problem.hint is not None
    assert "variants.most_rows" in problem.hint


@pytest.mark.parametrize(
    ("record", "code", "said"),
    [
        (
            {"variants": {"a": [1, 2], "b": [1]}, "variants_by": "zip"},
            Code.VARIANTS,
            "a has 2, b has 1",
        ),
        ({"variants": {"a": [1]}, "variants_by": "cross"}, Code.CHOICE_UNKNOWN, "cross"),
        ({"variants": []}, Code.VARIANTS, "list of objects"),
        ({"variants": [{"a": 1}, {"b": 1}]}, Code.VARIANTS, "same names"),
    ],
)
def test_lists_that_do_not_fit_are_refused(record: dict[str, Any], code: Code, said: str) -> None:
    problem = only({"prompt": "p"} | record)

    assert problem.code is code
    assert said in problem.message


def test_what_is_wrong_with_all_of_them_is_said_once() -> None:
    problem = only({"variants": {"colour": ["red", "blue"]}})

    assert problem.code is Code.HEADER_MISSING


def test_values_that_read_alike_still_get_ids_of_their_own() -> None:
    found = rows({"id": "K", "prompt": "p", "variants.mark": ["!", "?", "a", "A"]})

    assert [row.id for row in found] == ["K-1", "K-2", "K-a", "K-a-2"]
