from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Problem
from darkroom_manifests.read import read_rows
from darkroom_manifests.row import Row


@dataclass
class Scalar:
    """What NumPy's scalars look like."""

    value: object
    shape: tuple[int, ...] = ()

    def item(self) -> object:
        return self.value


class NAType:
    """What pandas' missing value is called."""


@pytest.mark.parametrize("missing", [None, float("nan"), NAType(), Scalar(float("nan"))])
def test_missing_values_are_absent(missing: object) -> None:
    (row,) = read_rows([{"prompt": "a", "n": missing, "seed": missing, "colour": missing}])

    assert isinstance(row, Row)
    assert (row.n, row.seed, row.variables) == (None, None, {"colour": None})


def test_scalars_count_as_python_s() -> None:
    (row,) = read_rows([{"prompt": Scalar("a"), "n": Scalar(3)}])

    assert isinstance(row, Row)
    assert (row.prompt, row.n) == ("a", 3)


def test_dates_and_decimals_become_text() -> None:
    (row,) = read_rows(
        [{"prompt": "a", "on": datetime(2027, 3, 1, tzinfo=UTC), "at": Decimal("2.50")}]
    )

    assert isinstance(row, Row)
    assert row.variables == {"on": "2027-03-01 00:00:00+00:00", "at": "2.50"}


@pytest.mark.parametrize("record", [[], "a", None, 3, {1: "a"}])
def test_what_is_no_record_is_a_problem(record: object) -> None:
    (problem,) = read_rows([record])  # type: ignore[list-item]

    assert isinstance(problem, Problem)
    assert problem.code in {Code.JSON_NOT_OBJECT, Code.FIELD_TYPE}


def test_a_cycle_is_a_problem() -> None:
    loop: list[object] = []
    loop.append(loop)

    (problem,) = read_rows([{"prompt": "a", "x": loop}])

    assert isinstance(problem, Problem)
    assert problem.code == Code.FIELD_TYPE


def test_rows_are_numbered_and_problems_name_their_source() -> None:
    one, two = read_rows(iter([{"prompt": "a"}, {"prompt": ""}]), name="feed")

    assert one.line == 1
    assert str(two).startswith("feed:2  prompt  ")


def test_no_rows_at_all_is_a_problem() -> None:
    (problem,) = read_rows([])

    assert isinstance(problem, Problem)
    assert (problem.code, problem.ends) == (Code.FILE_NO_ROWS, True)


def test_the_limit_on_rows_holds_for_an_endless_source() -> None:
    endless = iter(lambda: {"prompt": "a"}, {})

    *rows, problem = read_rows(endless, limits=Limits(rows=3))

    assert len(rows) == 3
    assert isinstance(problem, Problem)
    assert problem.code == Code.FILE_TOO_MANY_ROWS
