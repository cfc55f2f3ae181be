"""The books as metrics, on SQLite and PostgreSQL alike, and the clocks on a real broker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, update

from darkroom import db
from darkroom.broker import Broker
from darkroom.heartbeat import Heartbeat, open_redis, ticking
from darkroom.jobs import control, leases, load, rests
from darkroom.jobs.claim import Claim, claim
from darkroom.jobs.close import Closing, Picture, close
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.metrics import Books
from darkroom.models import AttemptState, Worker
from darkroom.settings import Rules
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier

PICTURE = Picture(sha256="0" * 64, bytes=3, mime="image/png", extension="png", width=1, height=1)
CENT = 10_000_000
OF = {"tier": "vertex", "model": "m"}


def submit(database: Engine, how_many: int, cap: int | None = None) -> str:
    renders = [
        NewRender(
            row_no=number,
            line=number + 2,
            row_id=f"r{number}",
            variant=1,
            n=1,
            fingerprint=f"{number:032d}",
            tier=Tier.VERTEX,
            model="m",
            request='{"prompt":"p"}',
            labels=None,
            output_path=None,
            rank=0,
            reserve_nusd=CENT,
            max_cost_nusd=None,
        )
        for number in range(how_many)
    ]
    job = NewJob(name="j", cap_nusd=cap, output_path="{id}.{ext}", storage_url="out")
    with db.writing(database) as connection:
        job_id = load.begin(connection, job)
        load.add(connection, job_id, renders)
        load.finish(connection, job_id, Loaded(how_many, how_many, 0, 0, 0))
    return job_id


def take(database: Engine, want: int) -> list[Claim]:
    return db.transact(database, lambda c: claim(c, Tier.VERTEX, want, "wrk_1"))


def end(database: Engine, one: Claim, ended: AttemptState, charge: int = 0) -> None:
    picture = PICTURE if ended is AttemptState.DELIVERED else None
    closing = Closing(attempt_id=one.attempt_id, ended=ended, charged_nusd=charge, picture=picture)
    places = {one.attempt_id: Stored(f"{one.attempt_id}.png", 3)} if picture else {}
    db.transact(database, lambda c: close(c, [closing], Rules(), places))


@pytest.fixture
def registry(database: Engine) -> CollectorRegistry:
    with db.writing(database) as connection:
        leases.register(connection, "wrk_1", [Tier.VERTEX, Tier.AISTUDIO], 60)
    return registry_of(database)


def registry_of(database: Engine, broker_url: str | None = None) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Books(database, lambda: broker_url))
    return registry


def test_work_and_money_are_what_the_books_say(
    database: Engine, registry: CollectorRegistry
) -> None:
    submit(database, 6, cap=20 * CENT)
    claims = take(database, 4)
    end(database, claims[0], AttemptState.DELIVERED, charge=3 * CENT)
    end(database, claims[1], AttemptState.REFUSED, charge=CENT)
    end(database, claims[2], AttemptState.LOST)

    seen = registry.get_sample_value

    assert seen("darkroom_database_up") == 1
    assert seen("darkroom_jobs", {"state": "running"}) == 1
    assert seen("darkroom_renders", {**OF, "state": "done"}) == 1
    assert seen("darkroom_renders", {**OF, "state": "pending"}) == 3
    assert seen("darkroom_due_renders", {"tier": "vertex"}) == 2
    assert (seen("darkroom_oldest_due_seconds", {"tier": "vertex"}) or -1) >= 0
    assert seen("darkroom_attempts_total", {**OF, "outcome": "lost"}) == 1
    assert seen("darkroom_open_attempts", OF) == 1
    charged = seen("darkroom_charged_dollars_total", {**OF, "outcome": "delivered"})
    assert charged == pytest.approx(0.03)
    assert seen("darkroom_wasted_dollars", OF) == pytest.approx(0.01)
    assert seen("darkroom_at_risk_dollars", OF) == pytest.approx(0.01)
    assert seen("darkroom_reserved_dollars", OF) == pytest.approx(0.01)
    assert seen("darkroom_budget_used_ratio", {"scope": "job"}) == pytest.approx(6 / 20)


def test_a_paused_job_has_nothing_due(database: Engine, registry: CollectorRegistry) -> None:
    job_id = submit(database, 2)
    with db.writing(database) as connection:
        control.pause(connection, job_id)

    assert registry.get_sample_value("darkroom_due_renders", {"tier": "vertex"}) == 0
    assert registry.get_sample_value("darkroom_jobs", {"state": "paused"}) == 1


def test_workers_work_or_are_draining_or_silent(
    database: Engine, registry: CollectorRegistry
) -> None:
    with db.writing(database) as connection:
        now = db.now(connection)
        for name in ("wrk_2", "wrk_3", "wrk_4"):
            leases.register(connection, name, [Tier.VERTEX], 60)
        leases.end(connection, "wrk_4")
        drains = update(Worker).where(Worker.id == "wrk_2").values(draining_at=now)
        connection.execute(drains)
        past = now - timedelta(minutes=1)
        connection.execute(update(Worker).where(Worker.id == "wrk_3").values(lease_until=past))

    lives = {
        life: registry.get_sample_value("darkroom_workers", {"tier": "vertex", "life": life})
        for life in ("working", "draining", "silent")
    }

    assert lives == {"working": 1, "draining": 1, "silent": 1}


def test_a_rest_says_whether_a_person_must_act(
    database: Engine, registry: CollectorRegistry
) -> None:
    with db.writing(database) as connection:
        rests.rest(connection, Tier.VERTEX, seconds=None, reason="no key", hint=None)
        rests.rest(connection, Tier.AISTUDIO, "m", seconds=60, reason="quota", hint=None)

    seen = registry.get_sample_value

    whole = {"tier": "vertex", "model": "", "until": "person"}
    assert seen("darkroom_rests", whole) == 1
    assert seen("darkroom_rests", {"tier": "aistudio", "model": "m", "until": "time"}) == 1


def test_the_page_can_be_parsed_and_its_names_follow_the_conventions(
    database: Engine, registry: CollectorRegistry
) -> None:
    submit(database, 2, cap=CENT)
    end(database, take(database, 1)[0], AttemptState.DELIVERED, charge=1)

    text = generate_latest(registry).decode()

    for family in text_string_to_metric_families(text):
        assert re.fullmatch(r"darkroom_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith(".")
        assert not family.name.endswith(("_nusd", "_ms", "_count", "_sum", "_bucket"))
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            assert sample.labels.keys() <= {
                "state", "tier", "model", "outcome", "kind", "scope", "life", "until"
            }  # fmt: skip
    assert "job_" not in text


def test_scrapes_in_a_row_read_the_books_once(
    database: Engine, registry: CollectorRegistry
) -> None:
    first = generate_latest(registry)
    submit(database, 3)

    assert generate_latest(registry) == first


def test_a_database_that_is_away_is_said_and_nothing_else(tmp_path: Path) -> None:
    away = db.open_engine("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    registry = registry_of(away)

    names = {family.name for family in registry.collect()}

    assert registry.get_sample_value("darkroom_database_up") == 0
    assert names == {
        f"darkroom_{name}" for name in ("database_up", "broker_up", "clocks", "read_seconds")
    }
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = Broker(tmp_path_factory.mktemp("home"))
    yield broker.start()
    broker.stop()


def test_a_clock_is_known_while_it_ticks_and_forgotten_when_it_ends(broker_url: str) -> None:
    redis, clock = open_redis(broker_url), Heartbeat(broker_url)
    books = db.open_engine("sqlite://")

    before = ticking(redis)
    clock.beat()
    clock.beat()
    during = registry_of(books, broker_url).get_sample_value("darkroom_clocks")
    clock.stop()

    assert (before, during, ticking(redis)) == (0, 1, 0)
    redis.close()
    books.dispose()


def test_a_clock_that_died_without_a_word_is_forgotten(broker_url: str) -> None:
    redis = open_redis(broker_url)
    redis.zadd("darkroom:clocks", {"dead:1": redis.time()[0] - 60})

    assert ticking(redis) == 0
    redis.close()
