"""What the books cost a render: claim and settle, in batches, on a database of either kind."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec
from benchmarks.load import prompt
from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.ids import new_id
from darkroom.jobs import leases, load
from darkroom.jobs.claim import Claim, claim
from darkroom.jobs.close import Closing, Picture, Tokens, close
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.jobs.turns import tiers_with_work
from darkroom.models import AttemptState, CostSource
from darkroom.settings import Budget, Rules
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier

T = TypeVar("T")

_BUDGET = Budget(per_day=None)
_RULES = Rules()
_PICTURE = Picture(
    sha256="0" * 64, bytes=1_500_000, mime="image/png", extension="png", width=1024, height=1024
)


class Rounds(msgspec.Struct, frozen=True):
    """Milliseconds of whole transactions, commit and all. `tick` is what a clock asks a second."""

    batch: int
    claim: list[float] = []
    settle: list[float] = []
    tick: list[float] = []

    @property
    def a_render(self) -> float:
        """Claim and settle together, for one render."""
        return (statistics.median(self.claim) + statistics.median(self.settle)) / self.batch


def measure(url: str, batch: int, how_many: int) -> Rounds:
    """Claim and settle so many batches of a job of real money that is ten times as long."""
    engine = db.open_engine(url)
    db.upgrade(engine)
    worker = new_id("wrk")
    with db.writing(engine) as connection:
        leases.register(connection, worker, [Tier.VERTEX], 600)
    _submit(engine, 10 * batch * how_many)
    found = Rounds(batch)
    for _ in range(how_many):
        claims = _timed(
            engine, found.claim, lambda c: claim(c, Tier.VERTEX, batch, worker, budget=_BUDGET)
        )
        assert len(claims) == batch
        _timed(engine, found.settle, partial(_settle, [_delivered(one) for one in claims]))
        _timed(engine, found.tick, tiers_with_work)
    engine.dispose()
    return found


def _settle(closings: Sequence[Closing], connection: Connection) -> None:
    places = {one.attempt_id: Stored(f"{one.attempt_id}.png", 3) for one in closings}
    close(connection, closings, _RULES, places)


def _timed(engine: Engine, kept: list[float], work: Callable[[Connection], T]) -> T:
    began = time.perf_counter()
    result = db.transact(engine, work)
    kept.append(1e3 * (time.perf_counter() - began))
    return result


def _submit(engine: Engine, how_many: int) -> None:
    with db.writing(engine) as connection:
        job = NewJob(name="bench", output_path="{job}/{id}.{ext}", storage_url="out")
        job_id = load.begin(connection, job)
        load.add(connection, job_id, [_render(number) for number in range(how_many)])
        load.finish(connection, job_id, Loaded(how_many, how_many, 0, 0, 0))


def _render(number: int) -> NewRender:
    return NewRender(
        row_no=number,
        line=number + 2,
        row_id=f"sku-{number:07}",
        variant=1,
        n=1,
        fingerprint=f"{number * 0x9E3779B97F4A7C15:032x}"[-32:],
        tier=Tier.VERTEX.value,
        model="gemini-3.1-flash-image",
        request=msgspec.json.encode({"prompt": prompt(number), "aspect_ratio": "4:3"}).decode(),
        labels='{"tags":{"season":"autumn"}}',
        output_path=None,
        rank=0,
        reserve_nusd=100_000_000,
        max_cost_nusd=None,
    )


def _delivered(one: Claim) -> Closing:
    return Closing(
        attempt_id=one.attempt_id,
        ended=AttemptState.DELIVERED,
        charged_nusd=67_000_000,
        cost_source=CostSource.METERED,
        price_version="2026-10-01",
        tokens=Tokens(prompt=17, image=1120, text=0, thought=240),
        http_status=200,
        finish_reason="STOP",
        response_id="r" * 22,
        latency_ms=9_000,
        picture=_PICTURE,
    )
