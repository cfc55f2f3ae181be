"""Books to write into without workers: what the contract tests of jobs and money share."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from darkroom import db, ledger
from darkroom.audit import audit
from darkroom.jobs import leases, load
from darkroom.jobs.claim import Claim, claim
from darkroom.jobs.close import Closed, Closing, Picture, close
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import AttemptState, Render
from darkroom.settings import Budget, Rules
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier

WORKER = "wrk_test"
UNBOUNDED = Budget(per_day=None)
RULES = Rules(backoff_seconds=0.001)
PICTURE = Picture(sha256="0" * 64, bytes=3, mime="image/png", extension="png", width=1, height=1)


class Books:
    """A database with one worker in it, and short words for what is done to it."""

    def __init__(self, database: Engine) -> None:
        self.database = database
        with db.writing(database) as connection:
            leases.register(connection, WORKER, list(Tier), 60)

    def submit(
        self,
        how_many: int,
        *,
        tier: Tier = Tier.VERTEX,
        reserve: int = 10,
        cap: int | None = None,
        priority: int = 0,
        deliver_by: datetime | None = None,
    ) -> str:
        job = NewJob(
            name="j",
            cap_nusd=cap,
            priority=priority,
            deliver_by=deliver_by,
            output_path="{job}/{id}.{ext}",
            storage_url="out",
        )
        fingerprints = [uuid.uuid4().hex for _ in range(how_many)]
        with db.writing(self.database) as connection:
            job_id = load.begin(connection, job)
            load.add(connection, job_id, renders(fingerprints, tier=tier, reserve=reserve))
            load.finish(connection, job_id, Loaded(how_many, how_many, 0, 0, 0))
        return job_id

    def take(
        self,
        want: int = 100,
        *,
        tier: Tier = Tier.VERTEX,
        budget: Budget = UNBOUNDED,
        rooms: Mapping[str, int] | None = None,
    ) -> list[Claim]:
        return db.transact(
            self.database, lambda c: claim(c, tier, want, WORKER, rooms, budget=budget)
        )

    def end(
        self,
        claims: Sequence[Claim],
        ended: AttemptState,
        charge: int = 0,
        signed: str | None = None,
    ) -> Closed:
        picture = PICTURE if ended is AttemptState.DELIVERED else None
        closings = [
            Closing(
                attempt_id=one.attempt_id,
                ended=ended,
                charged_nusd=charge,
                picture=picture,
                signed=signed,
            )
            for one in claims
        ]
        return db.transact(self.database, lambda c: close(c, closings, RULES, stored(closings)))

    def make_due(self) -> None:
        with db.writing(self.database) as connection:
            connection.execute(update(Render).values(due_at=None))

    def states(self, job_id: str) -> list[str]:
        query = select(Render.state).where(Render.job_id == job_id).order_by(Render.id)
        with db.reading(self.database) as connection:
            return list(connection.scalars(query))

    def balance(self, scope: str) -> ledger.Balance:
        with db.reading(self.database) as connection:
            return ledger.balances(connection, [scope]).get(scope, ledger.NOTHING)

    def now(self) -> datetime:
        with db.reading(self.database) as connection:
            return db.now(connection)

    def assert_in_order(self) -> None:
        assert audit(self.database, Path()) == []


def renders(
    fingerprints: Sequence[str], *, tier: Tier = Tier.VERTEX, reserve: int = 10
) -> list[NewRender]:
    return [
        NewRender(
            row_no=number,
            line=number + 2,
            row_id=f"r{number}",
            variant=1,
            n=1,
            fingerprint=fingerprint,
            tier=tier,
            model="m",
            request='{"prompt":"p"}',
            labels=None,
            output_path=None,
            rank=0,
            reserve_nusd=reserve,
            max_cost_nusd=None,
        )
        for number, fingerprint in enumerate(fingerprints)
    ]


def stored(closings: Sequence[Closing]) -> dict[str, Stored]:
    """Every picture in a place of its own."""
    return {
        closing.attempt_id: Stored(f"{closing.attempt_id}.png", 3)
        for closing in closings
        if closing.picture is not None
    }


MakeRenders = Callable[[Sequence[str]], list[NewRender]]


@pytest.fixture
def make_renders() -> MakeRenders:
    """Make a render of each fingerprint."""
    return renders


OpenBooks = Callable[[str], Books]


@pytest.fixture
def open_books() -> Iterator[OpenBooks]:
    with ExitStack() as stack:

        def make(url: str) -> Books:
            engine = db.open_engine(url)
            stack.callback(engine.dispose)
            return Books(engine)

        yield make


@pytest.fixture
def books(database: Engine) -> Books:
    return Books(database)
