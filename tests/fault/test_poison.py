"""An answer that the books cannot take: it is set aside, and the others do not wait for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import DBAPIError
from tests.fault.rig.valkey import Valkey

from darkroom import Darkroom, db
from darkroom.audit import audit
from darkroom.jobs.claim import Claim, claim
from darkroom.jobs.close import Closing, Picture
from darkroom.models import Attempt, AttemptState
from darkroom.registry import Registry
from darkroom.settings import GCS, Rules, Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.answer import Answer
from darkroom_worker.developer import Developer
from darkroom_worker.lease import Lease
from darkroom_worker.poison import settle_singly
from darkroom_worker.publish import Publisher
from darkroom_worker.recovery import recover
from darkroom_worker.settle import Settler
from darkroom_worker.spool import Spool

IMAGE = b"not looked at here"
SHA = "e0a2d5b5b8ae1f17fb2c3b4a4c1ab4a1a8f2fb0b0a6f6e4f6c7f2d1e3b4a5c6d"
GARBLED = "half a character: \ud800"  # no database and no journal can hold it


@pytest.fixture
def settings(database: Engine, tmp_path: Path, valkey: Valkey) -> Settings:
    url = database.url.render_as_string(hide_password=False)
    return Settings(
        home=tmp_path / "home",
        database_url=url,
        broker_url=valkey.url,
        storage_url=str(tmp_path / "out"),
    )


def claims_of(settings: Settings, database: Engine, how_many: int, worker: str) -> list[Claim]:
    with Darkroom(settings) as room:
        room.submit([{"id": f"r{n}", "prompt": f"lamp {n}"} for n in range(how_many)])
    Lease(database, worker, 60).begin([Tier.SIMULATOR])
    return db.transact(database, lambda c: claim(c, Tier.SIMULATOR, how_many, worker))


def delivered(one: Claim, spool: Spool, **what: str) -> Closing:
    spool.stage(one.attempt_id, IMAGE)
    picture = Picture(
        sha256=SHA, bytes=len(IMAGE), mime="image/png", extension="png", width=1, height=1
    )
    return Closing(
        attempt_id=one.attempt_id,
        ended=AttemptState.DELIVERED,
        charged_nusd=7,
        picture=picture,
        **what,  # type: ignore[arg-type]
    )


def settler_of(database: Engine) -> Settler:
    return Settler(database, Rules(), Publisher(GCS()))


def recover_and_settle(database: Engine, settings: Settings) -> None:
    """Do what a living worker does with the spools of the dead."""
    Lease(database, "wrk_alive", 60).begin([Tier.SIMULATOR])
    spool = Spool.open(settings.home, "wrk_alive")
    developer = Developer(settings, Registry.load(None))
    found = list(recover(settings.home, database, spool, developer, Rules()))
    settler_of(database).settle([Answer(closing) for closing in found], spool)
    spool.close(remove=True)


def ends(database: Engine) -> dict[str, str]:
    with db.reading(database) as connection:
        rows = connection.execute(select(Attempt.id, Attempt.state))
        return {row.id: row.state for row in rows}


def test_an_answer_that_cannot_be_booked_is_set_aside_and_the_others_are_booked(
    database: Engine, settings: Settings
) -> None:
    spool = Spool.open(settings.home, "wrk_1")
    first, poison, last = claims_of(settings, database, 3, "wrk_1")
    answers = [
        Answer(delivered(first, spool)),
        Answer(delivered(poison, spool, response_id=GARBLED)),
        Answer(delivered(last, spool)),
    ]

    settle_singly(settler_of(database), answers, spool)

    aside = settings.home / "quarantine"
    assert ends(database) == {
        first.attempt_id: "delivered",
        poison.attempt_id: "spoiled",
        last.attempt_id: "delivered",
    }
    assert (aside / poison.attempt_id).read_bytes() == IMAGE
    assert "surrogates" in (aside / f"{poison.attempt_id}.txt").read_text()
    assert spool.noted() == []
    assert audit(database, settings.home) == []
    spool.close(remove=True)


def test_a_dead_workers_spool_with_an_answer_that_nobody_can_read_is_recovered(
    database: Engine, settings: Settings
) -> None:
    """A picture without a note whose attempt the books do not know, beside one that they do."""
    spool = Spool.open(settings.home, "wrk_dead")
    (known,) = claims_of(settings, database, 1, "wrk_dead")
    spool.note([delivered(known, spool)])
    spool.stage("att_of_another_database", IMAGE)
    spool.close(remove=False)

    recover_and_settle(database, settings)

    assert ends(database) == {known.attempt_id: "delivered"}
    assert (settings.home / "quarantine/att_of_another_database").read_bytes() == IMAGE
    assert list(Spool.abandoned(settings.home)) == []


def test_a_spool_that_cannot_be_recovered_now_is_left_unlocked_for_later(
    database: Engine, settings: Settings
) -> None:
    left = Spool.open(settings.home, "wrk_dead")
    (known,) = claims_of(settings, database, 1, "wrk_dead")
    left.note([delivered(known, left)])
    left.close(remove=False)
    away = create_engine("sqlite:////nowhere/books.db")
    mine = Spool.open(settings.home, "wrk_busy")

    with pytest.raises(DBAPIError):
        list(recover(settings.home, away, mine, Developer(settings, Registry.load(None)), Rules()))
    mine.close(remove=True)
    recover_and_settle(database, settings)

    assert ends(database) == {known.attempt_id: "delivered"}


def test_what_was_taken_over_is_handed_on_before_the_next_dead_worker_is_looked_at(
    database: Engine, settings: Settings
) -> None:
    left = Spool.open(settings.home, "wrk_a")
    (known,) = claims_of(settings, database, 1, "wrk_a")
    left.note([delivered(known, left)])
    left.close(remove=False)
    Spool.open(settings.home, "wrk_b").close(remove=False)
    unreadable = settings.home / "spool/wrk_b/journal.jsonl"
    unreadable.unlink()
    unreadable.mkdir()
    mine = Spool.open(settings.home, "wrk_c")

    developer = Developer(settings, Registry.load(None))
    answers = recover(settings.home, database, mine, developer, Rules())

    assert next(answers).attempt_id == known.attempt_id
    with pytest.raises(IsADirectoryError):
        next(answers)
    mine.close(remove=False)
