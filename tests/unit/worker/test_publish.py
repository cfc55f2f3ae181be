"""What goes along with a picture to its place."""

from __future__ import annotations

from pathlib import Path

from darkroom.jobs.close import Closing, Picture, Tokens
from darkroom.jobs.places import Place
from darkroom.models import AttemptState
from darkroom_worker.answer import Answer
from darkroom_worker.publish import shipment_of
from darkroom_worker.spool import Spool

MOST_METADATA = 8 << 10  # bytes of names and values; Google Cloud Storage, Quotas
LONGEST = "ü" * 100_000
PICTURE = Picture(sha256="0" * 64, bytes=3, mime="image/png", extension="png", width=1, height=1)


def notes(tmp_path: Path, closing: Closing, row: str, model: str) -> dict[str, str]:
    place = Place(
        job_id="job_1",
        row_id=row,
        variant=1,
        model=model,
        labels=None,
        template="{job}/{id}.{ext}",
        storage_url="gs://bucket",
        is_awaited=True,
    )
    spool = Spool.open(tmp_path, "wrk_1")
    try:
        return dict(shipment_of(Answer(closing), PICTURE, place, spool).parcel.notes)
    finally:
        spool.close(remove=True)


def test_a_picture_carries_what_it_cost_and_why(tmp_path: Path) -> None:
    closing = Closing(
        attempt_id="att_1",
        ended=AttemptState.DELIVERED,
        charged_nusd=39_061_000,
        price_version="2026-10-09",
        tokens=Tokens(prompt=60, image=1120, text=0, thought=177),
    )

    assert notes(tmp_path, closing, "r1", "m") == {
        "job": "job_1",
        "row": "r1",
        "model": "m",
        "prompt_tokens": "60",
        "image_tokens": "1120",
        "text_tokens": "0",
        "thought_tokens": "177",
        "charged_nusd": "39061000",
        "price_version": "2026-10-09",
    }


def test_what_was_not_reported_is_not_noted(tmp_path: Path) -> None:
    closing = Closing(attempt_id="att_1", ended=AttemptState.DELIVERED)

    assert notes(tmp_path, closing, "r1", "m").keys() == {"job", "row", "model", "charged_nusd"}


def test_the_longest_names_stay_within_what_a_bucket_takes(tmp_path: Path) -> None:
    closing = Closing(
        attempt_id="att_1",
        ended=AttemptState.DELIVERED,
        price_version=LONGEST,
        tokens=Tokens(prompt=10**9, cached=10**9, image=10**9, text=10**9, thought=10**9),
    )

    noted = notes(tmp_path, closing, LONGEST, LONGEST)

    added = {"attempt": "att_" + "1" * 18, "sha256": "0" * 64}  # by the bucket
    size = sum(len(f"{name}{value}".encode()) for name, value in (noted | added).items())
    assert size < MOST_METADATA
    assert noted["row"] == "ü" * 500
