"""Bugs in what people decide on images, and in what is published by it."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_CATALOGS: Final = "tests/contract/test_catalogs.py"
_PUBLISHING: Final = "tests/contract/test_publishing.py"
_SCHEDULES: Final = "src/darkroom/schedules"

REVIEWS: Final = (
    Mutant(
        name="rejected-images-are-delivered",
        plants="an image that was rejected counts as there",
        file="src/darkroom/jobs/known.py",
        old="    ~is_rejected(Render),\n",
        new="",
        red=(
            f"{_CATALOGS}::test_an_image_that_was_rejected_is_made_and_paid_again_and_no_other",
            f"{_CATALOGS}::test_without_a_catalog_a_rejected_image_is_made_again_too",
        ),
    ),
    Mutant(
        name="rejections-are-no-change",
        plants="what failed before an image was rejected keeps it from being made again",
        file="src/darkroom/jobs/known.py",
        old="ended & ~since.correlate(Render)",
        new="ended",
        red=(f"{_CATALOGS}::test_a_rejected_image_counts_as_changed_and_not_as_failed",),
    ),
    Mutant(
        name="rejected-images-stay-in-the-manifest",
        plants="the manifest lists what was approved once",
        file=f"{_SCHEDULES}/publications.py",
        old=".where(_lies(entry), _still_counts(entry))",
        new=".where(_lies(entry))",
        red=(
            (
                f"{_PUBLISHING}"
                "::test_an_image_that_is_no_more_approved_leaves_the_manifest_and_its_file_stays"
            ),
        ),
    ),
    Mutant(
        name="images-of-failed-runs-are-published",
        plants="without a review images of a run that failed count as approved",
        file=f"{_SCHEDULES}/standing.py",
        old="        each.c.run_state != RunState.FAILED,\n",
        new="",
        red=(
            (
                f"{_PUBLISHING}"
                "::test_without_a_review_all_count_as_approved_but_those_of_a_run_that_failed"
            ),
        ),
    ),
    Mutant(
        name="copies-are-not-known-again",
        plants="what was copied before a crash is copied once more, under another name",
        file=f"{_SCHEDULES}/outlet.py",
        old="            os.utime(staged, ns=(moment, moment))",
        new="            del moment",
        red=(
            (
                f"{_PUBLISHING}"
                "::test_a_scheduler_killed_between_the_copy_and_the_books_leaves_each_image_once"
            ),
        ),
    ),
    Mutant(
        name="damaged-images-are-published",
        plants="what is published is not compared with the books",
        file=f"{_SCHEDULES}/outlet.py",
        old="if digest.hexdigest() != image.sha256:",
        new="if False:",
        red=(
            (
                f"{_PUBLISHING}"
                "::test_an_image_that_is_not_what_was_received_is_told_and_the_others_are_published"
            ),
        ),
    ),
)
