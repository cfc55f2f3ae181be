"""The mutants of `make mutants` fit the source as it is; whether they die is seen there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import Mutant, Rotten

ROOT = Path(__file__).parents[2]

each = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


@each
def test_a_mutant_still_applies_and_is_still_python(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text(encoding="utf-8")

    planted = mutant.planted(source)

    compile(planted, mutant.file, "exec")
    assert planted != source


@each
def test_the_tests_that_must_turn_red_are_there(mutant: Mutant) -> None:
    for test in mutant.red:
        path, _, name = test.partition("[")[0].partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
    assert mutant.red


@pytest.mark.parametrize("source", ["", "x = 1\nx = 1\n"], ids=["nowhere", "twice"])
def test_a_mutant_whose_text_is_not_there_once_says_that_it_no_longer_applies(source: str) -> None:
    mutant = Mutant(name="m", plants="", file="a.py", old="x = 1", new="x = 2", red=())

    with pytest.raises(Rotten, match=r"m no longer applies: a\.py"):
        mutant.planted(source)


def test_no_two_mutants_have_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
