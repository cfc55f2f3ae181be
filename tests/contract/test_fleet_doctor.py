"""What the doctor finds in a fleet, on both databases and a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, update

from darkroom import db
from darkroom.broker import Broker
from darkroom.cli.finding import Finding, Grade
from darkroom.cli.fleet_checkup import Lag, clock_findings, fleet_findings
from darkroom.heartbeat import Heartbeat, open_redis
from darkroom.jobs import leases, load, rests
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import Attempt, Job
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = Broker(tmp_path_factory.mktemp("home"))
    yield broker.start()
    broker.stop()


@pytest.fixture(autouse=True)
def as_it_should_be(broker_url: str) -> None:
    redis = open_redis(broker_url)
    redis.flushall()
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("appendonly", "yes")
    redis.close()


@pytest.fixture
def settings(database_url: str, broker_url: str, tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        database_url=database_url,
        broker_url=broker_url,
        storage_url=str(tmp_path / "out"),
    )


def examined(settings: Settings, check: str) -> list[Finding]:
    return [each for each in fleet_findings(settings) if each.check == check]


def worst(settings: Settings, check: str) -> Finding:
    order = [Grade.OK, Grade.WARN, Grade.FAIL]
    return max(examined(settings, check), key=lambda each: order.index(each.grade))


def submit(database: Engine) -> str:
    render = NewRender(
        row_no=0,
        line=2,
        row_id="r",
        variant=1,
        n=1,
        fingerprint="0",
        tier=Tier.VERTEX,
        model="m",
        request='{"prompt":"p"}',
        labels=None,
        output_path=None,
        rank=0,
        reserve_nusd=1,
        max_cost_nusd=None,
    )
    job = NewJob(name="j", cap_nusd=None, output_path="{id}.{ext}", storage_url="out")
    with db.writing(database) as connection:
        job_id = load.begin(connection, job)
        load.add(connection, job_id, [render])
        load.finish(connection, job_id, Loaded(1, 1, 0, 0, 0))
    return job_id


def register(database: Engine, *tiers: Tier) -> None:
    with db.writing(database) as connection:
        leases.register(connection, "wrk_1", tiers, 60)


def test_a_fleet_in_order_has_nothing_to_mend(settings: Settings, database: Engine) -> None:
    register(database, Tier.VERTEX)
    submit(database)
    clock = Heartbeat(settings.broker_url or "")
    clock.beat()

    found = list(fleet_findings(settings))
    clock.stop()

    wrong = [each for each in found if each.grade is not Grade.OK and each.fix]
    alone = "SQLite serves one machine alone"
    assert [each for each in wrong if each.fact != alone] == []
    facts = [each.fact for each in found]
    assert "alive: vertex 1" in facts
    assert any(fact.startswith("1 due on vertex, the oldest for") for fact in facts)
    assert "one ticks" in facts


def test_work_that_nobody_serves_fails_with_the_command_that_mends_it(
    settings: Settings, database: Engine
) -> None:
    register(database, Tier.AISTUDIO)
    submit(database)

    found = worst(settings, "work")

    assert (found.grade, found.fix) == (Grade.FAIL, "darkroom worker start --tiers vertex")


def test_work_that_is_old_is_a_warning_unless_its_tier_rests(
    settings: Settings, database: Engine
) -> None:
    register(database, Tier.VERTEX)
    submit(database)
    with db.writing(database) as connection:
        long_ago = connection.scalars(select(Job.created_at)).one().replace(year=2020)
        connection.execute(update(Job).values(loaded_at=long_ago))

    before = worst(settings, "work").grade
    with db.writing(database) as connection:
        rests.rest(connection, Tier.VERTEX, seconds=60, reason="quota", hint=None)

    assert (before, worst(settings, "work").grade) == (Grade.WARN, Grade.OK)
    assert "vertex rests until" in worst(settings, "rests").fact


def test_work_waits_in_order_while_everything_is_paused(
    settings: Settings, database: Engine
) -> None:
    register(database, Tier.VERTEX)
    submit(database)
    with db.writing(database) as connection:
        long_ago = connection.scalars(select(Job.created_at)).one().replace(year=2020)
        connection.execute(update(Job).values(loaded_at=long_ago))
        rests.stop_everything(connection)

    found = worst(settings, "work")

    assert (found.grade, found.fact.endswith("everything is paused")) == (Grade.OK, True)


def test_no_scheduler_is_a_failure(settings: Settings) -> None:
    found = worst(settings, "scheduler")

    assert (found.grade, found.fix) == (Grade.FAIL, "darkroom scheduler start")


def test_a_broker_that_forgets_keys_is_a_failure(settings: Settings) -> None:
    redis = open_redis(settings.broker_url or "")
    redis.config_set("maxmemory-policy", "allkeys-lru")
    redis.config_set("appendonly", "no")
    redis.close()

    found = {each.grade: each.fix for each in examined(settings, "redis")}

    assert found[Grade.FAIL] == "Set maxmemory-policy to noeviction."
    assert found[Grade.WARN] == "Set appendonly yes and appendfsync everysec."


def test_much_money_at_risk_is_a_warning(settings: Settings, database: Engine) -> None:
    job_id = submit(database)
    with db.writing(database) as connection:
        connection.execute(
            insert(Attempt).values(
                id="att_1",
                render_id=1,
                job_id=job_id,
                fence=1,
                tier="vertex",
                model="m",
                state="lost",
                reserved_nusd=0,
                charged_nusd=0,
                at_risk_nusd=1_000_000_000,
                sent_at=db.now(connection),
            )
        )

    found = worst(settings, "risk")

    assert (found.grade, found.fact) == (Grade.WARN, "100.0% of all money is at risk: $1.00")


@pytest.mark.parametrize(
    ("given", "check"),
    [
        ({"database_url": "postgresql+psycopg://n@127.0.0.1:1/x?connect_timeout=1"}, "sql"),
        ({"broker_url": "redis://:pass-word-1@127.0.0.1:1/0"}, "redis"),
        ({"storage_url": "ftp://images"}, "listing"),
    ],
)
def test_a_place_that_is_away_fails_alone_and_shows_no_password(
    settings: Settings, given: dict[str, str], check: str
) -> None:
    found = list(fleet_findings(settings.model_copy(update=given)))

    failed = {each.check for each in found if each.grade is Grade.FAIL} - {"scheduler"}
    assert failed == {check}
    assert all(each.fix for each in found if each.grade is Grade.FAIL)
    assert "pass-word-1" not in str(found)


def test_a_wrong_clock_is_named_with_its_direction() -> None:
    (ahead, right) = clock_findings({"the database": Lag(0.001, -90.0), "the broker": Lag(0.1, 0)})

    assert ahead.grade is Grade.WARN
    assert ahead.fact == "this machine's clock is 1 min 30 s ahead of the database's"
    assert right.grade is Grade.OK
