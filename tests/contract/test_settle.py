"""Pictures are published before they are booked: who loses the race in between is taken back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol
from urllib.parse import quote
from urllib.request import Request, urlopen

import msgspec
import pytest
from sqlalchemy import Engine, select, update

from darkroom import db
from darkroom.audit import audit
from darkroom.jobs import leases, load
from darkroom.jobs.claim import claim
from darkroom.jobs.close import Closing, Picture, close
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import Attempt, AttemptState, Render
from darkroom.registry import Registry
from darkroom.settings import GCS, Rules, Settings
from darkroom.storage import is_remote, open_storage
from darkroom.storage.parcel import Parcel
from darkroom_manifests.tier import Tier
from darkroom_worker.answer import Answer, Shipment
from darkroom_worker.developer import Developer
from darkroom_worker.publish import Publisher
from darkroom_worker.recovery import recover
from darkroom_worker.settle import Settled, Settler
from darkroom_worker.spool import Spool

WORKER = "wrk_test"
RULES = Rules(backoff_seconds=0.001)
QUICK = GCS(deadline_seconds=5)


class ObjectStorage(Protocol):
    def new_bucket(self) -> str: ...


class Bench:
    """A worker's settling, one step at a time."""

    def __init__(self, database: Engine, home: Path, place: str) -> None:
        self.database = database
        self.home = home
        self.place = place
        self.publisher = Publisher(QUICK)
        self.settler = Settler(database, RULES, self.publisher)
        self.spool = Spool.open(home, WORKER)
        with db.writing(database) as connection:
            leases.register(connection, WORKER, [Tier.SIMULATOR], 60)

    def submit(self, how_many: int, place: str | None = None) -> None:
        renders = [new_render(number) for number in range(how_many)]
        job = NewJob(name="j", output_path="{job}/{id}.{ext}", storage_url=place or self.place)
        with db.writing(self.database) as connection:
            job_id = load.begin(connection, job)
            load.add(connection, job_id, renders)
            load.finish(connection, job_id, Loaded(how_many, how_many, 0, 0, 0))

    def claim(self, how_many: int = 1) -> list[str]:
        with db.writing(self.database) as connection:
            connection.execute(update(Render).values(due_at=None))
        claims = db.transact(self.database, lambda c: claim(c, Tier.SIMULATOR, how_many, WORKER))
        return [one.attempt_id for one in claims]

    def delivered(self, attempt_id: str, data: bytes = b"picture") -> Answer:
        """A picture that came home: staged, and not noted yet."""
        self.spool.stage(attempt_id, data)
        digest = hashlib.sha256(data).hexdigest()
        picture = Picture(
            sha256=digest, bytes=len(data), mime="image/png", extension="png", width=1, height=1
        )
        ended = AttemptState.DELIVERED
        return Answer(Closing(attempt_id=attempt_id, ended=ended, charged_nusd=7, picture=picture))

    def lose(self, attempt_id: str) -> None:
        """Give an attempt up, as the sweeper does."""
        lost = [Closing(attempt_id=attempt_id, ended=AttemptState.LOST)]
        db.transact(self.database, lambda c: close(c, lost, RULES, {}))

    def settle(self, *answers: Answer) -> Settled:
        return self.settler.settle(answers, self.spool)

    def publish(self, answer: Answer) -> Answer:
        """Do the first two steps only: where the picture belongs, and put it there."""
        self.spool.note([answer.closing])
        _, awaited = self.settler._shipments([answer], self.spool)
        (shipment,) = awaited
        published = self.publisher.publish(shipment)
        self.publisher._place(self.place).sync()
        return published

    def finish(self, answer: Answer) -> None:
        """Settle to the end, with all that waits for a network done at once."""
        settled = self.settle(answer)
        for shipment in settled.upload:
            self.finish(self.publisher.publish(shipment))
        for shipment in settled.withdraw:
            self.withdraw(shipment)
        assert settled.again == ()

    def withdraw(self, shipment: Shipment) -> None:
        self.publisher.withdraw(shipment)
        self.settler.forget([shipment.answer], (), self.spool)

    def states(self) -> list[str]:
        with db.reading(self.database) as connection:
            return list(connection.scalars(select(Render.state).order_by(Render.id)))

    def objects(self) -> list[str]:
        return sorted(each.uri for each in open_storage(self.place, QUICK).listing())

    def remove(self, uri: str) -> None:
        """Lose an object behind the books' back."""
        if is_remote(self.place):
            path = f"{self.place}/{uri}".removeprefix("gs://").partition("/")
            place = f"{os.environ['STORAGE_EMULATOR_HOST']}/storage/v1/b/{path[0]}/o"
            url = f"{place}/{quote(path[2], safe='')}"
            urlopen(Request(url, method="DELETE"), timeout=10).close()  # noqa: S310  # our simulator
        else:
            (Path(self.place) / uri).unlink()

    def aside(self) -> list[str]:
        return sorted(path.name for path in (self.home / "quarantine").glob("*"))

    def assert_clean(self) -> None:
        assert audit(self.database, self.home, deep=True, gcs=QUICK) == []


def new_render(number: int) -> NewRender:
    return NewRender(
        row_no=number,
        line=number + 2,
        row_id=f"r{number}",
        variant=1,
        n=1,
        fingerprint=f"{number:032d}",
        tier=Tier.SIMULATOR,
        model="m",
        request='{"prompt":"p"}',
        labels=None,
        output_path=None,
        rank=0,
        reserve_nusd=10,
        max_cost_nusd=None,
    )


@pytest.fixture(params=["folder", "bucket"])
def bench(request: pytest.FixtureRequest, database: Engine, tmp_path: Path) -> Bench:
    place = str(tmp_path / "out")
    if request.param == "bucket":
        storage: ObjectStorage = request.getfixturevalue("object_storage")
        place = storage.new_bucket() + "/renders"
    return Bench(database, tmp_path / "home", place)


def test_a_delivered_picture_lies_in_its_place_and_the_spool_is_empty(bench: Bench) -> None:
    bench.submit(1)
    (attempt,) = bench.claim()

    bench.finish(bench.delivered(attempt, b"123456789"))

    assert bench.states() == ["done"]
    assert len(bench.objects()) == 1
    assert bench.spool.noted() == []
    with db.reading(bench.database) as connection:
        crc32c = connection.scalar(select(Render.crc32c))
    # 0xE3069283, CRC-32C's check value for these digits, big-endian in base64
    assert crc32c == ("4waSgw==" if is_remote(bench.place) else None)
    bench.assert_clean()


def test_a_picture_that_lost_its_fence_while_it_was_published_is_taken_back(bench: Bench) -> None:
    bench.submit(1)
    (zombie,) = bench.claim()
    published = bench.publish(bench.delivered(zombie))
    bench.lose(zombie)
    (heir,) = bench.claim()
    bench.finish(bench.delivered(heir))

    bench.finish(published)

    assert bench.states() == ["done"]
    assert len(bench.objects()) == 1
    assert f"~{heir[-6:]}" in bench.objects()[0]
    assert bench.aside() == [zombie]
    bench.assert_clean()


def test_a_zombie_that_died_after_publishing_is_taken_back_by_who_finds_its_spool(
    bench: Bench,
) -> None:
    bench.submit(1)
    (zombie,) = bench.claim()
    answer = bench.delivered(zombie)
    bench.publish(answer)
    bench.lose(zombie)
    (heir,) = bench.claim()
    bench.finish(bench.delivered(heir))

    bench.finish(answer)

    assert len(bench.objects()) == 1
    bench.assert_clean()


def test_a_zombie_that_loses_to_one_still_in_flight_takes_nothing_from_it(bench: Bench) -> None:
    bench.submit(1)
    (zombie,) = bench.claim()
    zombies = bench.publish(bench.delivered(zombie))
    bench.lose(zombie)
    (heir,) = bench.claim()
    heirs = bench.publish(bench.delivered(heir))

    bench.finish(zombies)
    bench.finish(heirs)

    assert bench.states() == ["done"]
    assert len(bench.objects()) == 1
    bench.assert_clean()


def test_a_picture_that_was_given_up_is_adopted_while_nobody_was_asked_again(
    bench: Bench,
) -> None:
    bench.submit(1)
    (attempt,) = bench.claim()
    published = bench.publish(bench.delivered(attempt))
    bench.lose(attempt)

    bench.finish(published)

    assert bench.states() == ["done"]
    assert len(bench.objects()) == 1
    assert bench.aside() == []
    bench.assert_clean()


def test_a_late_picture_that_is_wanted_again_only_now_is_stored_before_it_is_booked(
    bench: Bench,
) -> None:
    bench.submit(1)
    (attempt,) = bench.claim()
    answer = bench.delivered(attempt)
    bench.spool.note([answer.closing])
    bench.lose(attempt)

    _, kept, unstored = bench.settler._book([answer], {})

    assert (kept, unstored) == (set(), {attempt})
    assert bench.states() == ["pending"]
    bench.finish(answer)
    assert bench.states() == ["done"]
    bench.assert_clean()


def test_what_was_published_before_a_crash_is_booked_after_it(bench: Bench) -> None:
    bench.submit(1)
    (attempt,) = bench.claim()
    answer = bench.delivered(attempt)
    bench.publish(answer)

    bench.finish(answer)

    assert bench.states() == ["done"]
    assert len(bench.objects()) == 1
    bench.assert_clean()


def test_books_that_answered_a_commit_too_late_keep_the_picture(bench: Bench) -> None:
    bench.submit(1)
    (attempt,) = bench.claim()
    published = bench.publish(bench.delivered(attempt))
    _, kept, _ = bench.settler._book([published], {attempt: published.stored})  # type: ignore[dict-item]

    bench.finish(published)

    assert kept == {attempt}
    assert len(bench.objects()) == 1
    assert bench.aside() == []
    bench.assert_clean()


def test_one_place_that_is_away_holds_up_nobody_else(bench: Bench, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    bench.submit(1, place=str(blocked))
    bench.submit(2)
    claims = bench.claim(3)
    answers = [bench.delivered(attempt) for attempt in claims[:2]]
    refused = Answer(Closing(attempt_id=claims[2], ended=AttemptState.REFUSED))

    settled = bench.settle(*answers, refused)
    for shipment in settled.upload:
        bench.finish(bench.publisher.publish(shipment))

    assert [answer.tries for answer in settled.again] == [1]
    assert sorted(bench.states()) == ["done", "refused", "sent"]
    assert settled.again[0].closing in bench.spool.noted()
    blocked.unlink()
    bench.finish(settled.again[0])
    assert sorted(bench.states()) == ["done", "done", "refused"]
    assert bench.spool.is_empty
    bench.assert_clean()


def test_answers_of_a_dead_worker_stay_open_under_the_finders_lease(bench: Bench) -> None:
    bench.submit(2)
    kept, lost = bench.claim(2)
    answer = bench.delivered(kept)
    bench.spool.note([answer.closing])
    bench.spool.stage("att_stranger", b"of another database")
    bench.spool.close(remove=False)
    bench.spool = Spool.open(bench.home, "wrk_finder")
    with db.writing(bench.database) as connection:
        leases.register(connection, "wrk_finder", [Tier.SIMULATOR], 60)
    developer = Developer(Settings(), Registry.load())

    found = list(recover(bench.home, bench.database, bench.spool, developer, RULES))

    assert found == [answer.closing]
    with db.reading(bench.database) as connection:
        rows = connection.execute(select(Attempt.id, Attempt.state, Attempt.worker_id)).all()
    assert sorted(map(tuple, rows)) == sorted(
        [(kept, "sent", "wrk_finder"), (lost, "lost", WORKER)]
    )
    assert bench.aside() == ["att_stranger"]
    bench.finish(answer)
    assert sorted(bench.states()) == ["done", "pending"]
    bench.assert_clean()


def test_the_audit_names_what_is_missing_and_what_is_too_much(bench: Bench, tmp_path: Path) -> None:
    bench.submit(2)
    gone, kept = bench.claim(2)
    bench.finish(bench.delivered(gone))
    bench.finish(bench.delivered(kept))
    storage = open_storage(bench.place, QUICK)
    names = {uri.split("/")[-1]: uri for uri in bench.objects()}
    stranger = tmp_path / "stranger"
    stranger.write_bytes(b"not ours")
    folder = names["r0.png"].partition("/")[0]
    parcel = Parcel(
        staged=stranger,
        name=f"{folder}/extra.png",
        owner="att_other",
        sha256="",
        bytes=8,
        mime="image/png",
    )

    bench.remove(names["r0.png"])
    storage.publish(parcel)

    found = audit(bench.database, bench.home, deep=True, gcs=QUICK)
    assert sorted((each.name, each.detail["uri"]) for each in found) == [
        ("a stored image has a render", f"{folder}/extra.png"),
        ("a stored image is there", names["r0.png"]),
    ]


def test_the_audit_names_an_image_that_was_changed(bench: Bench, tmp_path: Path) -> None:
    bench.submit(1)
    (attempt,) = bench.claim()
    bench.finish(bench.delivered(attempt))
    (uri,) = bench.objects()
    bench.remove(uri)
    changed = tmp_path / "changed"
    changed.write_bytes(b"PICTURE")
    open_storage(bench.place, QUICK).publish(
        Parcel(staged=changed, name=uri, owner="x", sha256="", bytes=7, mime="image/png")
    )

    found = audit(bench.database, bench.home, deep=True, gcs=QUICK)

    assert [each.name for each in found] == ["a stored image is what was received"]


def test_notes_of_what_waits_outlive_the_notes_of_what_is_settled(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, WORKER)
    said = "x" * 1_000
    waiting = Closing(attempt_id="att_waits", ended=AttemptState.REFUSED, message=said)
    spool.note([waiting])

    for number in range(400):
        passing = msgspec.structs.replace(waiting, attempt_id=f"att_{number}")
        spool.note([passing])
        spool.settled([passing.attempt_id])

    assert waiting in spool.noted()
    assert (spool.folder / "journal.jsonl").stat().st_size < 300_000
    spool.settled(["att_waits"])
    assert spool.noted() == []
    spool.close(remove=True)
