"""Batches carried in this process: real books, real HTTP, a clock that tests put forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, func, select, update
from tests.contract.test_batch_backends import settings_for
from tests.contract.test_simulator_batches import PRO, Google, simulated

from darkroom import db
from darkroom.jobs import batches, control, rests
from darkroom.jobs.claim import Bound
from darkroom.jobs.close import Closing, close
from darkroom.models import Attempt, AttemptState, Batch, BatchState, Job, Render, Rest
from darkroom.registry import Registry
from darkroom.settings import Budget, Rules, Settings
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import open_batch_backend
from darkroom_worker.backends.batch import Input, Phase, Remote
from darkroom_worker.batch_input import write_input
from darkroom_worker.brake import Brake
from darkroom_worker.carrier import Carrier
from darkroom_worker.collector import Desk
from darkroom_worker.developer import Developer
from darkroom_worker.gathering import Gathering
from darkroom_worker.harvest import Harvest
from darkroom_worker.hedge import LATE, Hedge
from darkroom_worker.lease import Lease
from darkroom_worker.logbook import Logbook
from darkroom_worker.publish import Publisher
from darkroom_worker.settle import Settler
from darkroom_worker.spool import Spool

ME = "wrk_carrier"
RULES = Rules(backoff_seconds=0.001)
REQUEST = '{"prompt":"a lamp","image_size":"1K"}'
BATCHING = {"poll_interval": 0.01, "poll_longest": 0.01, "find_seconds": 0.5}


class Books(Protocol):
    database: Engine

    def submit(self, how_many: int, **how: Any) -> str: ...
    def states(self, job_id: str) -> list[str]: ...
    def assert_in_order(self) -> None: ...


class Rig:
    """A carrier with its parts, whose answers are booked at once."""

    def __init__(self, books: Books, google: Google, tier: Tier, home: Path) -> None:
        self.books, self.google, self.tier = books, google, tier
        self.database = books.database
        self.settings = settings_for(google.url, home=home, batches=BATCHING)
        self.developer = Developer(self.settings, Registry.load())
        self.spool = Spool.open(home, ME)
        lease = Lease(self.database, ME, 600)
        lease.begin([tier])
        self.carrier = Carrier(
            settings=self.settings,
            worker_id=ME,
            lease=lease,
            database=self.database,
            developer=self.developer,
            settler=Settler(self.database, RULES, Publisher(self.settings.gcs)),
            spool=self.spool,
            desk=Desk(self._book, lambda: False),
            ring=lambda _tiers: None,
        )
        self.backend = open_batch_backend(tier, self.settings)

    @property
    def harvest(self) -> Harvest:
        """The last steps, to be taken one by one."""
        logbook = Logbook(self.database, ME, 60, RULES)
        settler = Settler(self.database, RULES, Publisher(self.settings.gcs))
        return Harvest(
            settings=self.settings,
            database=self.database,
            developer=self.developer,
            logbook=logbook,
            brake=Brake(logbook, settler),
            hedge=Hedge(self.settings, self.database, self.developer.registry),
            spool=self.spool,
            desk=Desk(self._book, lambda: False),
            is_draining=lambda: False,
        )

    def _book(self, closings: Sequence[Closing]) -> None:
        stored = {
            one.attempt_id: Stored(f"{one.attempt_id}.png", one.picture.bytes)
            for one in closings
            if one.picture is not None
        }
        db.transact(self.database, lambda c: close(c, closings, RULES, stored))

    def submit(self, how_many: int, **how: Any) -> str:
        """A job of lamps that are all alike."""
        job_id = self.books.submit(how_many, tier=self.tier, **how)
        with db.writing(self.database) as connection:
            connection.execute(update(Render).values(model=PRO, request=REQUEST))
        return job_id

    def open(self, job_id: str) -> str:
        """A batch that is written down, and not asked for yet."""
        bound = Bound("bat_by_hand", job_id, PRO)
        self.do(batches.open_batch, self.tier, bound, 100, ME, budget=UNBOUNDED, lease_seconds=60)
        self.do(batches.put_down, bound.batch_id, ME, 0)
        return bound.batch_id

    def ask(self, batch_id: str) -> Remote:
        """Ask the provider for it, and tell nobody."""
        file = self.settings.home / "input.jsonl"
        attempts = self.do(batches.open_attempts, batch_id)
        write_input(file, attempts, self.database, self.developer, self.backend)
        uri = self.backend.upload(batch_id, file)
        remote = self.backend.create(batch_id, PRO, Input(uri, file))
        with db.writing(self.database) as connection:
            connection.execute(update(Batch).values(asked_at=db.now(connection), input_uri=uri))
        return remote

    def do(self, work: Callable[..., Any], *args: Any, **how: Any) -> Any:  # noqa: ANN401
        return db.transact(self.database, lambda c: work(c, *args, **how))

    @property
    def batch(self) -> Batch:
        """The only one, or the newest."""
        with db.reading(self.database) as connection:
            newest = connection.scalar(select(Batch.id).order_by(Batch.created_at.desc()).limit(1))
            assert newest is not None
            return batches.find(connection, newest)

    def carry_until(self, state: BatchState) -> Batch:
        """Take steps until the newest batch is in a state."""
        ends = time.monotonic() + 60
        while self.batch.state != state:
            assert time.monotonic() < ends, self.batch.state
            self.carrier.develop(self.tier)
        return self.batch

    def close(self) -> None:
        self.carrier.stop()
        assert self.carrier.come_home(10)
        self.backend.close()
        self.spool.close(remove=True)


UNBOUNDED = Budget(per_day=None)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with (
        simulated(tmp_path_factory.mktemp("buckets")) as google,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("STORAGE_EMULATOR_HOST", google.url)
        yield google


@pytest.fixture
def google(process: Google) -> Google:
    process.ask("PUT", "/_sim/batches/rules", b"[]")
    assert process.ask("POST", "/_sim/reset")[0] == 204
    return process


@pytest.fixture(params=[Tier.AISTUDIO_BATCH, Tier.VERTEX_BATCH])
def rig(
    request: pytest.FixtureRequest, books: Books, google: Google, tmp_path: Path
) -> Iterator[Rig]:
    made = Rig(books, google, Tier(request.param), tmp_path)
    yield made
    made.close()


def play(google: Google, *rules: dict[str, Any]) -> None:
    assert google.ask("PUT", "/_sim/batches/rules", list(rules))[0] == 204


def count(rig: Rig, state: AttemptState) -> int:
    query = select(func.count()).where(Attempt.state == state)
    with db.reading(rig.database) as connection:
        return connection.scalar(query) or 0


def test_a_batch_is_carried_from_claim_to_books(rig: Rig) -> None:
    job_id = rig.submit(10)

    rig.carrier.develop(rig.tier)
    asked = rig.batch
    rig.google.advance(110)
    ended = rig.carry_until(BatchState.ENDED)

    assert (asked.state, asked.lines) == (BatchState.RUNNING, 10)
    assert (ended.delivered, ended.quarantined, ended.succeeded) == (10, 0, 10)
    assert rig.books.states(job_id) == ["done"] * 10
    rig.books.assert_in_order()


def test_lines_without_a_label_take_no_twins_place(rig: Rig) -> None:
    if rig.tier is Tier.AISTUDIO_BATCH:
        pytest.skip("it echoes no request: a line without its key is nobody's")
    play(rig.google, {"fault": "missing-labels", "share": 0.5})
    job_id = rig.submit(10)

    rig.carrier.develop(rig.tier)
    rig.google.advance(110)
    ended = rig.carry_until(BatchState.ENDED)

    assert rig.books.states(job_id) == ["done"] * 10
    assert (ended.quarantined, count(rig, AttemptState.LOST)) == (0, 0)


def test_results_that_were_read_to_the_end_are_not_asked_for_again(rig: Rig) -> None:
    rig.submit(10)
    rig.carrier.develop(rig.tier)
    rig.google.advance(110)
    rig.carry_until(BatchState.ENDED)
    with db.writing(rig.database) as connection:  # as who dies after the results are deleted
        again = {"state": BatchState.COLLECTING, "ended_at": None, "next_at": Batch.created_at}
        connection.execute(update(Batch).values(**again, carried_until=None))

    ended = rig.carry_until(BatchState.ENDED)

    assert (ended.delivered, ended.quarantined) == (10, 0)
    rig.books.assert_in_order()


def test_one_look_that_finds_nothing_is_no_loss_but_several_in_a_row_are(rig: Rig) -> None:
    job_id = rig.submit(2)
    rig.carrier.develop(rig.tier)
    batch_id = rig.batch.id
    rig.do(batches.change, batch_id, ME, looks=40)  # it was looked at for hours
    states = []

    for _ in range(5):
        rig.harvest.vanished(rig.do(batches.find, batch_id))
        states.append(rig.do(batches.find, batch_id).state)

    assert states == [BatchState.RUNNING] * 4 + [BatchState.ENDED]
    assert count(rig, AttemptState.LOST) == 2
    assert rig.books.states(job_id) == ["pending"] * 2
    rig.books.assert_in_order()


def test_one_that_cannot_be_asked_for_before_its_deadline_gives_its_work_away(rig: Rig) -> None:
    job_id = rig.submit(3)
    rig.open(job_id)
    rig.do(rests.rest, rig.tier, PRO, seconds=None, reason="r", hint=None)
    rig.carrier.develop(rig.tier)
    waits = rig.batch.state
    with db.writing(rig.database) as connection:
        soon = db.now(connection) + timedelta(minutes=5)  # less than the margin
        connection.execute(update(Job).values(deliver_by=soon))
        connection.execute(update(Batch).values(next_at=db.now(connection)))

    ended = rig.carry_until(BatchState.ENDED)

    with db.reading(rig.database) as connection:
        moved = connection.execute(select(Render.state, Render.tier)).all()
    assert waits == BatchState.BUILDING
    assert ended.cancel_reason == LATE
    assert {tuple(row) for row in moved} == {("pending", rig.tier.on_demand)}
    rig.books.assert_in_order()


def test_one_that_is_there_after_all_is_not_given_up(rig: Rig) -> None:
    job_id = rig.submit(10)
    batch_id = rig.open(job_id)
    remote = rig.ask(batch_id)  # said to have failed, so it is to be asked for again
    rig.google.advance(60)
    rig.do(control.cancel, job_id)

    ended = rig.carry_until(BatchState.ENDED)

    found = rig.backend.look(remote.name)
    assert ended.provider_name == remote.name
    assert found is not None
    assert found.phase is Phase.CANCELLED
    states = rig.books.states(job_id)
    assert 0 < states.count("done") == found.succeeded
    assert states.count("done") + states.count("cancelled") == 10
    rig.books.assert_in_order()


def test_a_batch_that_fails_as_a_whole_makes_its_model_rest(rig: Rig) -> None:
    play(rig.google, {"fault": "fail", "share": 0.0})
    rig.submit(10)
    rig.carrier.develop(rig.tier)
    rig.google.advance(110)

    rig.carry_until(BatchState.ENDED)

    with db.reading(rig.database) as connection:
        model, reason, until = connection.execute(select(Rest.model, Rest.reason, Rest.until)).one()
    assert (model, "INTERNAL" in reason) == (PRO, True)
    assert until is not None
    rig.books.assert_in_order()


def gathered(books: Books, home: Path, how_many: int, **more: object) -> list[int]:
    """The sizes of the batches that are made of so many lamps, until no more may be."""
    settings = settings_for("http://127.0.0.1:9", home=home, **more)
    developer = Developer(settings, Registry.load())
    hedge = Hedge(settings, books.database, developer.registry)
    Lease(books.database, ME, 600).begin([Tier.VERTEX_BATCH])
    gathering = Gathering(settings, ME, books.database, developer, hedge)
    books.submit(how_many, tier=Tier.VERTEX_BATCH)
    with db.writing(books.database) as connection:
        connection.execute(update(Render).values(model=PRO, request=REQUEST))
    made = []
    while (batch := gathering.begin(Tier.VERTEX_BATCH)) is not None:
        made.append(batch.lines)
    books.assert_in_order()
    return made


LINE = 1024 * 1024 * 2  # bytes of a picture of 1K, as predicted
TOKENS = 2  # of "a lamp"


@pytest.mark.parametrize(
    ("more", "sizes"),
    [
        ({}, [12]),
        ({"batches": {"most_lines": 5}}, [5, 5, 2]),
        ({"batches": {"most_lines": 1}}, [1] * 12),
        ({"batches": {"most_output_bytes": 5 * LINE}}, [5, 5, 2]),
        ({"batches": {"most_output_bytes": 5 * LINE - 1}}, [4, 4, 4]),
        ({"batches": {"most_output_bytes": 1}}, [1] * 12),
        ({"tiers": {"vertex-batch": {"batch_jobs": 2}}, "batches": {"most_lines": 5}}, [5, 5]),
        ({"tiers": {"vertex-batch": {"batch_tokens": 5 * TOKENS}}}, [5]),
        ({"tiers": {"vertex-batch": {"batch_tokens": 5 * TOKENS + 1}}}, [5]),
        (
            {
                "tiers": {"vertex-batch": {"batch_tokens": 5 * TOKENS}},
                "batches": {"most_lines": 3},
            },
            [3, 2],
        ),
        ({"tiers": {"vertex-batch": {"batch_tokens": 1}}}, [1]),
    ],
)
def test_batches_keep_their_size_and_the_providers_caps(
    books: Books, tmp_path: Path, more: dict[str, object], sizes: list[int]
) -> None:
    assert gathered(books, tmp_path, 12, **more) == sizes


class Together(Hedge):
    """Lets a worker go on when all others have counted, too."""

    everybody: threading.Barrier

    def overtook(self, tier: Tier, bound: Bound) -> bool:
        self.everybody.wait(30)
        return super().overtook(tier, bound)


@pytest.mark.parametrize(
    ("limits", "most_batches", "most_lines"),
    [({"batch_jobs": 2}, 2, 6), ({"batch_tokens": 4 * TOKENS}, 4, 4)],
    ids=["batches", "tokens"],
)
def test_workers_that_open_batches_together_keep_the_providers_caps(
    books: Books, tmp_path: Path, limits: dict[str, int], most_batches: int, most_lines: int
) -> None:
    told = {"tiers": {"vertex-batch": limits}, "batches": {"most_lines": 3}}
    settings = settings_for("http://127.0.0.1:9", home=tmp_path, **told)
    developer = Developer(settings, Registry.load())
    hedge = Together(settings, books.database, developer.registry)
    hedge.everybody = threading.Barrier(4)
    books.submit(12, tier=Tier.VERTEX_BATCH)
    with db.writing(books.database) as connection:
        connection.execute(update(Render).values(model=PRO, request=REQUEST))

    def work(name: str) -> Batch | None:
        Lease(books.database, name, 600).begin([Tier.VERTEX_BATCH])
        gathering = Gathering(settings, name, books.database, developer, hedge)
        return gathering.begin(Tier.VERTEX_BATCH)

    with ThreadPoolExecutor(4) as pool:
        made = [batch for batch in pool.map(work, ("wrk_a", "wrk_b", "wrk_c", "wrk_d")) if batch]

    assert 1 <= len(made) <= most_batches
    assert sum(batch.lines for batch in made) <= most_lines
    books.assert_in_order()


LARGE = {"most_lines": 1_100, "most_output_bytes": 4 << 30}


def test_a_large_job_is_gathered_by_several_claims(books: Books, tmp_path: Path) -> None:
    assert gathered(books, tmp_path, 1_203, batches=LARGE) == [1_100, 103]


class TestHedge:
    """What it decides for ten unfinished renders, at ten requests a minute, with no margin."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return settings_for(
            "http://127.0.0.1:9",
            home=tmp_path,
            tiers={"aistudio": {"requests_per_minute": 10}},
            batches={"margin_seconds": 0, "longest_wait": 3600},
        )

    @pytest.mark.parametrize(
        ("seconds", "why"),
        [(None, None), (3600, None), (240, None), (170, LATE), (10, LATE), (-60, LATE)],
    )
    def test_it_begins_on_demand_when_the_rest_would_just_be_ready(
        self, books: Books, settings: Settings, seconds: float | None, why: str | None
    ) -> None:
        batch = waiting(books, settings, seconds)
        hedge = Hedge(settings, books.database, Registry.load())

        assert hedge.overdue(batch) == why
        assert hedge.reason(batch, remote(Phase.RUNNING)) == why

    def test_no_pause_lasts_longer_than_that_moment(self, books: Books, settings: Settings) -> None:
        batch = waiting(books, settings, 240)
        hedge = Hedge(settings, books.database, Registry.load())

        assert 40 < hedge.look_within(batch, 600) <= 60
        assert hedge.look_within(batch, 5) == 5

    @pytest.mark.parametrize("phase", [Phase.WAITING, Phase.RUNNING])
    @pytest.mark.parametrize("seconds", [None, 86_400])
    def test_only_with_a_deadline_a_long_wait_is_too_long(
        self, books: Books, settings: Settings, phase: Phase, seconds: float | None
    ) -> None:
        batch = waiting(books, settings, seconds)
        assert batch.submitted_at is not None
        batch.submitted_at -= timedelta(hours=2)
        hedge = Hedge(settings, books.database, Registry.load())

        is_too_long = seconds is not None and phase is Phase.WAITING
        assert (hedge.reason(batch, remote(phase)) is not None) == is_too_long


def waiting(books: Books, settings: Settings, seconds: float | None) -> Batch:
    """A batch of ten at its provider, whose job is to be delivered in so many seconds."""
    Lease(books.database, ME, 600).begin([Tier.AISTUDIO_BATCH])
    job_id = books.submit(10, tier=Tier.AISTUDIO_BATCH)
    bound = Bound("bat_waiting", job_id, "m")
    with db.writing(books.database) as connection:
        now = db.now(connection)
        by = None if seconds is None else now + timedelta(seconds=seconds)
        connection.execute(update(Job).values(deliver_by=by))
        batches.open_batch(
            connection,
            Tier.AISTUDIO_BATCH,
            bound,
            100,
            ME,
            budget=settings.budget,
            lease_seconds=60,
        )
        batches.change(connection, bound.batch_id, ME, submitted_at=now)
        return batches.find(connection, bound.batch_id)


def remote(phase: Phase) -> Remote:
    return Remote(name="n", display_name="d", phase=phase, said=phase.value)
