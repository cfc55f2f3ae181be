"""Bugs in what waits for an image of another row, and in what it is shown."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_EDITS: Final = "tests/contract/test_edits.py"
_SIGNED: Final = "tests/contract/test_signatures.py"
_JOBS: Final = "src/darkroom/jobs"

EDITS: Final = (
    Mutant(
        name="children-are-sent-at-once",
        plants="a child does not wait for its parent, and is sent without its image",
        file=f"{_JOBS}/load.py",
        old="        edits.sort(connection, job_id)\n",
        new="",
        red=(f"{_EDITS}::test_a_child_is_claimed_when_its_parent_is_done_and_is_shown_its_image",),
    ),
    Mutant(
        name="children-of-failures-wait-for-ever",
        plants="children of a parent without an image wait on",
        file=f"{_JOBS}/edits.py",
        old=".in_([RenderState.DONE, *_ENDED])",
        new=".in_([RenderState.DONE])",
        red=(f"{_EDITS}::test_children_fail_with_their_parent_and_are_tried_again_with_it",),
    ),
    Mutant(
        name="a-fingerprint-without-the-parents",
        plants="what a picture changes is no part of its fingerprint",
        file="src/darkroom/request.py",
        old="references=here, is_continued=False",
        new="references=here, is_continued=False, edits=None",
        red=(f"{_EDITS}::test_another_first_image_makes_all_after_it_other_pictures",),
    ),
    Mutant(
        name="signatures-go-to-any-model",
        plants="thought signatures are sent to a model that did not give them",
        file=f"{_JOBS}/edited.py",
        old="    return own.model == parent.model and",
        new="    return",
        red=(f"{_EDITS}::test_signatures_are_for_the_model_that_gave_them",),
    ),
    Mutant(
        name="signatures-that-a-turn-waits-for-are-removed",
        plants="signatures of an old job are removed, though a turn of another job needs them",
        file=f"{_JOBS}/signatures.py",
        old="old.difference(connection.scalars(_awaited(connection, old)))",
        new="old",
        red=(f"{_SIGNED}::test_those_that_a_turn_of_a_later_job_waits_for_are_kept",),
    ),
    Mutant(
        name="earlier-turns-hide-what-they-may-have-cost",
        plants="an earlier turn whose answer was lost is in no report",
        file="src/darkroom/report/results.py",
        old=" or self.at_risk_nusd > 0",
        new="",
        red=(f"{_EDITS}::test_an_earlier_turn_that_went_wrong_is_told_whoever_wants_it",),
    ),
)
