"""Bugs in what rows, jobs and settings ask beside prompt and shape."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_LIST: Final = "tests/unit/core/test_wish_list.py"

WISHES: Final = (
    Mutant(
        name="the-settings-before-the-row",
        plants="what the settings say counts before the row's own word",
        file="src/darkroom/wish_list.py",
        old="laid = {**under, **over}",
        new="laid = {**over, **under}",
        red=(f"{_LIST}::test_the_row_counts_before_the_job_and_the_job_before_the_settings",),
    ),
    Mutant(
        name="an-instruction-that-is-free",
        plants="a system instruction is left out of the estimate",
        file="src/darkroom/request.py",
        old=' + len(told or "")',
        new="",
        red=(f"{_LIST}::test_an_instruction_is_in_the_estimate",),
    ),
    Mutant(
        name="white-for-nobody",
        plants="rows that must stand on white go through no gate",
        file="worker/darkroom_worker/gates/builtin.py",
        old="if candidate.background == WHITE else None",
        new="if candidate.background == WHITE.upper() else None",
        red=("tests/unit/worker/test_gates.py::test_a_border_is_white_where_the_row_says_so",),
    ),
    Mutant(
        name="searches-for-free",
        plants="queries of grounded requests are not charged",
        file="src/darkroom/registry/price.py",
        old="return charged + self.per_search * usage.searches",
        new="return charged",
        red=("tests/unit/registry/test_price.py::test_a_query_costs_the_same_on_every_level",),
    ),
)
