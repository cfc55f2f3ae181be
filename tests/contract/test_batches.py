"""Provider batches in the books, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError

from darkroom import db, ledger
from darkroom.audit import audit
from darkroom.errors import NotFound
from darkroom.ids import new_id
from darkroom.jobs import batches, control, leases, reroute, rests
from darkroom.jobs.batches import NotCarried
from darkroom.jobs.claim import Bound, Claim
from darkroom.models import (
    Account,
    Attempt,
    AttemptState,
    Batch,
    BatchState,
    Job,
    Render,
    RenderState,
)
from darkroom.registry import Registry
from darkroom.settings import Budget, Settings
from darkroom_manifests.tier import Tier

TIER = Tier.VERTEX_BATCH
WORKER, OTHER = "wrk_test", "wrk_other"
UNBOUNDED = Budget(per_day=None)


class Books(Protocol):
    database: Engine

    def submit(self, how_many: int, **how: Any) -> str: ...
    def take(self, want: int = 100, **how: Any) -> list[Claim]: ...
    def end(self, claims: Sequence[Claim], ended: AttemptState, charge: int = 0) -> object: ...
    def states(self, job_id: str) -> list[str]: ...
    def balance(self, scope: str) -> ledger.Balance: ...
    def assert_in_order(self) -> None: ...


def opened(
    books: Books,
    job_id: str,
    want: int = 100,
    *,
    model: str = "m",
    budget: Budget = UNBOUNDED,
    fits: Callable[[str], bool] = lambda _request: True,
) -> tuple[str, list[Claim]]:
    bound = Bound(new_id("bat"), job_id, model)
    claims = db.transact(
        books.database,
        lambda c: batches.open_batch(
            c, TIER, bound, want, WORKER, budget=budget, lease_seconds=60, fits=fits
        ),
    )
    return bound.batch_id, claims


def running(books: Books, job_id: str, name: str = "jobs/1") -> tuple[str, list[Claim]]:
    """A batch that its provider has."""
    batch_id, claims = opened(books, job_id)
    do(books, batches.enter, batch_id, WORKER, BatchState.CREATING)
    with db.writing(books.database) as connection:
        now = db.now(connection)
        told = {"provider_name": name, "submitted_at": now}
        batches.enter(connection, batch_id, WORKER, BatchState.RUNNING, **told)
    return batch_id, claims


def do(books: Books, work: Callable[..., Any], *args: Any, **how: Any) -> Any:  # noqa: ANN401
    """Call a function of the core in a transaction of its own."""
    return db.transact(books.database, lambda c: work(c, *args, **how))


def found(books: Books, batch_id: str) -> Batch:
    batch: Batch = do(books, batches.find, batch_id)
    return batch


def expire(books: Books, batch_id: str) -> None:
    """Let the lease on a batch run out."""
    with db.writing(books.database) as connection:
        connection.execute(
            update(Batch).where(Batch.id == batch_id).values(carried_until=Batch.created_at)
        )


def test_what_is_claimed_for_a_batch_is_submitted_and_open_under_it(books: Books) -> None:
    job_id = books.submit(3, tier=TIER)

    batch_id, claims = opened(books, job_id)

    batch = found(books, batch_id)
    assert books.states(job_id) == ["submitted"] * 3
    assert (batch.state, batch.lines, batch.worker_id) == (BatchState.BUILDING, 3, WORKER)
    assert do(books, batches.open_attempts, batch_id) == [claim.attempt_id for claim in claims]
    assert books.balance(Account.scope_of(job_id)).reserved_nusd == 30
    books.assert_in_order()


def test_more_may_be_added_while_it_is_carried(books: Books) -> None:
    job_id = books.submit(5, tier=TIER)
    batch_id, first = opened(books, job_id, 2)
    bound = Bound(batch_id, job_id, "m")

    more = do(books, batches.add_to_batch, TIER, bound, 100, WORKER, budget=UNBOUNDED)

    assert (len(first), len(more), found(books, batch_id).lines) == (2, 3, 5)
    books.assert_in_order()


def test_what_somebody_else_carries_takes_nothing_more(books: Books) -> None:
    job_id = books.submit(5, tier=TIER)
    batch_id, _ = opened(books, job_id, 2)
    do(books, leases.register, OTHER, [TIER], 60)
    expire(books, batch_id)
    do(books, batches.take_due, TIER, OTHER, 60)
    bound = Bound(batch_id, job_id, "m")

    with pytest.raises(NotCarried):
        do(books, batches.add_to_batch, TIER, bound, 100, WORKER, budget=UNBOUNDED)

    assert books.states(job_id).count("submitted") == 2
    books.assert_in_order()


def test_a_batch_is_bound_to_one_job_and_one_model(books: Books) -> None:
    job_id, other = books.submit(4, tier=TIER), books.submit(2, tier=TIER)
    with db.writing(books.database) as connection:
        first = select(Render.id).where(Render.job_id == job_id).limit(1)
        connection.execute(update(Render).where(Render.id.in_(first)).values(model="n"))

    _, claims = opened(books, job_id)

    assert {(claim.job_id, claim.model) for claim in claims} == {(job_id, "m")}
    assert len(claims) == 3
    assert books.states(other) == ["pending"] * 2
    books.assert_in_order()


def test_turns_name_the_next_job_and_a_model_that_has_room(books: Books) -> None:
    later, sooner = books.submit(1, tier=TIER), books.submit(1, tier=TIER, priority=1)

    def named(full: Sequence[str] = ()) -> str | None:
        bound: Bound | None = do(books, batches.next_bound, TIER, full)
        return None if bound is None else bound.job_id

    first = named()
    opened(books, sooner)
    second = named()
    assert (first, second, named(["m"])) == (sooner, later, None)
    do(books, rests.rest, TIER, "m", seconds=60, reason="r", hint=None)
    assert named() is None


def test_a_batch_ends_before_the_first_request_that_does_not_fit(books: Books) -> None:
    job_id = books.submit(5, tier=TIER)
    answers = iter([True, True, False, True])

    _, claims = opened(books, job_id, fits=lambda _request: next(answers))

    assert len(claims) == 2
    assert books.states(job_id) == ["submitted"] * 2 + ["pending"] * 3
    books.assert_in_order()


def test_a_jobs_cap_holds_for_batches_and_what_it_stops_is_held(books: Books) -> None:
    job_id = books.submit(5, tier=TIER, cap=25)

    batch_id, claims = opened(books, job_id)
    books.end(claims, AttemptState.DELIVERED, charge=10)
    _, more = opened(books, job_id)

    assert (len(claims), more) == (2, [])
    assert books.states(job_id) == ["done"] * 2 + ["held"] * 3
    assert found(books, batch_id).lines == 2


def test_the_days_budget_holds_for_batches(books: Books) -> None:
    job_id = books.submit(5, tier=TIER, reserve=1_000_000_000)

    _, claims = opened(books, job_id, budget=Budget(per_day="2"))

    assert len(claims) == 2
    books.assert_in_order()


def test_a_batch_is_carried_by_one_until_its_lease_runs_out(books: Books) -> None:
    batch_id, _ = opened(books, books.submit(1, tier=TIER))

    held = do(books, batches.take_due, TIER, OTHER, 60)
    expire(books, batch_id)
    taken = do(books, batches.take_due, TIER, OTHER, 60)

    assert held is None
    assert (taken.id, taken.worker_id) == (batch_id, OTHER)
    for work, args in (
        (batches.carry_on, (60.0,)),
        (batches.put_down, (0.0,)),
        (batches.enter, (BatchState.ENDED,)),
    ):
        with pytest.raises(NotCarried):
            do(books, work, batch_id, WORKER, *args)
    assert found(books, batch_id).state == BatchState.BUILDING


def test_what_is_put_down_is_due_again_when_its_pause_is_over(books: Books) -> None:
    batch_id, _ = opened(books, books.submit(1, tier=TIER))

    do(books, batches.put_down, batch_id, WORKER, 60)
    waits = do(books, batches.take_due, TIER, OTHER, 60), do(books, batches.tiers_with_due_batches)
    do(books, batches.change, batch_id, WORKER, next_at=found(books, batch_id).created_at)
    due = do(books, batches.tiers_with_due_batches)
    taken = do(books, batches.take_due, TIER, OTHER, 60)

    assert waits == (None, [])
    assert due == [TIER]
    assert (taken.id, taken.looks) == (batch_id, 1)


def test_to_enter_a_state_begins_to_count_looks_anew(books: Books) -> None:
    batch_id, _ = opened(books, books.submit(1, tier=TIER))
    do(books, batches.put_down, batch_id, WORKER, 0)

    do(books, batches.enter, batch_id, WORKER, BatchState.CREATING)

    assert found(books, batch_id).looks == 0


def test_to_cancel_is_written_down_once_and_makes_it_due(books: Books) -> None:
    batch_id, _ = running(books, books.submit(1, tier=TIER))
    do(books, batches.put_down, batch_id, WORKER, 600)

    asked = [do(books, batches.ask_to_cancel, [batch_id], why) for why in ("first", "second")]

    assert asked == [1, 0]
    assert found(books, batch_id).cancel_reason == "first"
    assert do(books, batches.take_due, TIER, OTHER, 60).id == batch_id


def test_to_cancel_a_job_cancels_its_batches_and_not_those_of_others(books: Books) -> None:
    job_id, other = books.submit(3, tier=TIER), books.submit(1, tier=TIER)
    (mine, _), (theirs, _) = opened(books, job_id, 2), opened(books, other)

    cancelled = do(books, control.cancel, job_id)

    assert cancelled == 1
    assert found(books, mine).cancel_reason == "the job was cancelled"
    assert found(books, theirs).cancelled_at is None
    assert books.states(job_id) == ["submitted", "submitted", "cancelled"]
    books.assert_in_order()


@pytest.mark.parametrize(
    ("forbid", "args"),
    [
        (control.pause, ()),
        (control.cancel, ()),
        (rests.rest, (TIER, "m")),
        (rests.rest, (TIER, rests.WHOLE_TIER)),
    ],
)
def test_nothing_is_asked_for_that_is_forbidden_meanwhile(
    books: Books, forbid: Callable[..., object], args: tuple[object, ...]
) -> None:
    job_id = books.submit(1, tier=TIER)
    batch = found(books, opened(books, job_id)[0])
    before = do(books, batches.may_send, batch)

    if forbid is rests.rest:
        do(books, forbid, *args, seconds=60, reason="r", hint=None)
    else:
        do(books, forbid, job_id)

    assert (before, do(books, batches.may_send, batch)) == (True, False)


@pytest.mark.parametrize("state", [BatchState.CREATING, BatchState.MISSING])
def test_one_in_doubt_is_adopted_and_taken_from_its_carrier(
    books: Books, state: BatchState
) -> None:
    batch_id, _ = opened(books, books.submit(1, tier=TIER))
    do(books, batches.enter, batch_id, WORKER, state)

    do(books, batches.adopt, batch_id, "jobs/7")

    batch = found(books, batch_id)
    assert (batch.state, batch.provider_name) == (BatchState.RUNNING, "jobs/7")
    with pytest.raises(NotCarried):
        do(books, batches.enter, batch_id, WORKER, BatchState.MISSING)
    assert do(books, batches.take_due, TIER, OTHER, 60).id == batch_id
    books.assert_in_order()


def test_one_that_is_not_in_doubt_is_not_adopted(books: Books) -> None:
    batch_id, _ = running(books, books.submit(1, tier=TIER))

    with pytest.raises(NotFound, match="not in doubt"):
        do(books, batches.adopt, batch_id, "jobs/7")


def test_what_another_batch_is_cannot_be_adopted(books: Books) -> None:
    running(books, books.submit(1, tier=TIER), "jobs/1")
    batch_id, _ = opened(books, books.submit(1, tier=TIER))
    do(books, batches.enter, batch_id, WORKER, BatchState.CREATING)

    with pytest.raises(NotFound, match="already"):
        do(books, batches.adopt, batch_id, "jobs/1")


def test_a_name_at_the_provider_is_one_batchs(books: Books) -> None:
    running(books, books.submit(1, tier=TIER), "jobs/1")

    with pytest.raises(IntegrityError):
        running(books, books.submit(1, tier=TIER), "jobs/1")


def test_lost_attempts_of_a_batch_still_wait_for_their_line(books: Books) -> None:
    job_id = books.submit(3, tier=TIER)
    batch_id, claims = running(books, job_id)

    books.end(claims[:1], AttemptState.DELIVERED, charge=5)
    books.end(claims[1:2], AttemptState.LOST)

    assert do(books, batches.open_attempts, batch_id) == [claims[2].attempt_id]
    assert do(books, batches.unsettled, batch_id) == [one.attempt_id for one in claims[1:]]
    assert len(do(books, batches.attempts, batch_id)) == 3


def test_what_a_provider_counts_is_what_is_open(books: Books) -> None:
    for number in range(2):
        batch_id, _ = running(books, books.submit(1, tier=TIER), f"jobs/{number}")
        do(books, batches.change, batch_id, WORKER, tokens=7)
    ended, claims = running(books, books.submit(1, tier=TIER), "jobs/2")
    books.end(claims, AttemptState.DELIVERED, charge=5)
    do(books, batches.enter, ended, WORKER, BatchState.ENDED)

    assert do(books, batches.usage, TIER) == [("m", 2, 14)]
    books.assert_in_order()


def test_what_moves_to_another_tier_costs_what_it_costs_there(books: Books) -> None:
    job_id = books.submit(3, tier=TIER)
    with db.writing(books.database) as connection:
        connection.execute(update(Render).values(model="gemini-nano-banana-2.1"))
    _, claims = opened(books, job_id, 1, model="gemini-nano-banana-2.1")

    moved = do(books, reroute.move, job_id, TIER, Tier.VERTEX, Registry.load(), Settings())

    with db.reading(books.database) as connection:
        rows = connection.execute(
            select(Render.state, Render.tier, Render.reserve_nusd).order_by(Render.id)
        ).all()
    assert (moved, len(claims)) == (2, 1)
    assert tuple(rows[0]) == (RenderState.SUBMITTED, TIER, 10)
    assert [row.tier for row in rows[1:]] == [Tier.VERTEX] * 2
    assert min(row.reserve_nusd for row in rows[1:]) > 33_000_000
    books.assert_in_order()


def test_what_the_other_tier_cannot_draw_stays(books: Books) -> None:
    job_id = books.submit(2, tier=TIER)  # of a model that nobody knows

    assert do(books, reroute.move, job_id, TIER, Tier.VERTEX, Registry.load(), Settings()) == 0


PLANTED = [
    (
        "an open attempt has a worker or a batch that is not ended",
        update(Batch).values(state=BatchState.ENDED, ended_at=Batch.created_at, next_at=None),
    ),
    (
        "a render is submitted exactly while its open attempt travels in a batch",
        update(Render).values(state=RenderState.SENT),
    ),
    (
        "a batch carries attempts of its own job, tier and model",
        update(Attempt).values(model="another"),
    ),
    ("a batch has as many attempts as lines", update(Batch).values(lines=7)),
    (
        "a batch that runs has a name at its provider, and one that was not asked for has none",
        update(Batch).values(provider_name=None),
    ),
    (
        "a batch that runs has a name at its provider, and one that was not asked for has none",
        update(Batch).values(state=BatchState.BUILDING),
    ),
    (
        "a batch is looked at again exactly until it is ended",
        update(Batch).values(next_at=None),
    ),
    (
        "a batch is looked at again exactly until it is ended",
        update(Batch).values(state=BatchState.ENDED),
    ),
    ("a job's counters equal its renders", update(Job).values(submitted=0)),
]


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=range(len(PLANTED)))
def test_the_audit_finds_what_is_planted(books: Books, name: str, plant: Any) -> None:  # noqa: ANN401
    running(books, books.submit(2, tier=TIER))
    books.assert_in_order()

    with db.writing(books.database) as connection:
        connection.execute(plant)

    assert name in {violation.name for violation in audit(books.database, Path())}
