"""Bugs in what happens between planning and submitting."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_PORTIONS: Final = "tests/contract/test_portions.py"

PLANS: Final = (
    Mutant(
        name="plans-see-no-other-job",
        plants="what another job brought after the plan is made, and paid, twice",
        file="src/darkroom/submission.py",
        old="        since=supply.since,\n",
        new="",
        red=(
            f"{_PORTIONS}::test_what_another_job_brought_after_the_plan_is_not_made_twice[sqlite-few]",
            f"{_PORTIONS}::test_a_plan_that_is_submitted_twice_makes_its_pictures_once[sqlite]",
        ),
    ),
    Mutant(
        name="plans-trust-what-was-there",
        plants="a picture that failed or was cancelled after the plan is never made",
        file="src/darkroom/submission.py",
        old="        raise _Lapsed\n",
        new="        pass\n",
        red=(
            f"{_PORTIONS}::test_what_was_there_and_is_cancelled_after_the_plan_is_made_all_the_same[sqlite-few]",
            f"{_PORTIONS}::test_what_was_there_and_is_rejected_after_the_plan_is_made_again[sqlite]",
        ),
    ),
)
