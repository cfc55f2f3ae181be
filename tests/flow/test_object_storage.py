"""A room whose images go to a bucket: real processes, the real SDK, buckets of the simulator."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import text
from tests.fleet.command import Ran, called

from darkroom import Darkroom
from darkroom.audit import audit

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]

ROWS: list[dict[str, object]] = [
    {"id": "plain", "prompt": "a lamp"},
    {"id": "wide", "prompt": "a lamp", "aspect_ratio": "16:9", "n": 3, "sku": "L-1"},
    {"id": "no", "prompt": "a lamp [[sim:refuse]]"},
    {"id": "broken", "prompt": "a lamp [[sim:corrupt-once]]"},
    {"id": "lost", "prompt": "a lamp [[sim:drop-after-once]]"},
]
TOKENS = ("prompt_tokens", "image_tokens", "text_tokens", "thought_tokens")
NOTED = (*TOKENS, "charged_nusd", "price_version")


class ObjectStorage(Protocol):
    def new_bucket(self) -> str: ...

    def objects(self, bucket: str) -> list[dict[str, object]]: ...


def test_a_room_renders_into_a_bucket_and_its_books_hold(
    open_room: Open, object_storage: ObjectStorage, bill_of: Bill
) -> None:
    bucket = object_storage.new_bucket()
    room = open_room(storage_url=f"{bucket}/renders")

    job = room.submit(ROWS)
    state = job.wait(100)

    assert (state.done, state.refused) == (6, 1)
    made = {str(each["name"]): each for each in object_storage.objects(bucket)}
    assert made.keys() == {f"renders/{result.uri}" for result in job.results() if result.ok}
    assert audit(room.database, room.settings.home, deep=True) == []
    noted = [dict(each["metadata"]) for each in made.values()]  # type: ignore[call-overload]
    with room.database.connect() as books:
        for note in noted:
            query = text(f"SELECT {', '.join(NOTED)} FROM attempts WHERE id = :id")  # noqa: S608  # ours
            booked = books.execute(query, {"id": note["attempt"]}).one()
            assert [note.get(name) for name in NOTED] == [
                None if value is None else str(value) for value in booked
            ]
    witnessed = sum(int(str(line["cost_nusd"])) for line in bill_of(room))
    total = job.cost.total
    assert total.charged_nusd <= witnessed <= total.charged_nusd + total.at_risk_nusd


def test_the_command_line_renders_into_a_bucket_and_audits_it(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("id,prompt\na,a lamp\nb,a chair\n")
    bucket = object_storage.new_bucket()

    ran = darkroom(tmp_path, "run", "rows.csv", "--out", bucket, "--quiet")
    audited = darkroom(tmp_path, "audit", "--deep")

    assert (ran.returncode, audited.returncode) == (0, 0), ran.stderr + audited.stderr
    assert len(object_storage.objects(bucket)) == 2


def test_the_doctor_looks_whether_a_bucket_answers(
    object_storage: ObjectStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = object_storage.new_bucket()
    for url, word in ((bucket, "ok"), ("gs://no-such-bucket", "FAIL")):
        monkeypatch.setenv("DARKROOM_STORAGE_URL", url)

        said = darkroom(tmp_path, "doctor", "--json").stdout

        (storage,) = [each for each in json.loads(said) if each["check"] == "storage"]
        assert storage["grade"] == word
        assert url in storage["fact"]


def darkroom(folder: Path, *args: str) -> Ran:
    return called(folder, os.environ, "--home", "home", *args)
