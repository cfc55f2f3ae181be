"""Vertex's service levels on a manifest's whole way: what served is what the books charge."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from darkroom import Darkroom, db
from darkroom.audit import audit
from darkroom.models import Attempt, Render
from darkroom_simulator.child import running

Open = Callable[..., Darkroom]

MODEL = "gemini-3-pro-image"
ROWS: list[dict[str, object]] = [
    {"id": "standard", "prompt": "a lamp", "tier": "vertex"},
    {"id": "flex", "prompt": "a cup", "tier": "vertex-flex"},
    {"id": "priority", "prompt": "a mug", "tier": "vertex-priority"},
    {"id": "downgraded", "prompt": "a jug [[sim:downgrade]]", "tier": "vertex-priority"},
    {"id": "bought", "prompt": "a pot", "tier": "vertex-provisioned"},
    {"id": "spilt", "prompt": "a pan [[sim:spill]]", "tier": "vertex-provisioned"},
]
QUICK = {str(row["tier"]): {"adaptive_start": 600} for row in ROWS}
SERVED = {
    "standard": "ON_DEMAND",
    "flex": "ON_DEMAND_FLEX",
    "priority": "ON_DEMAND_PRIORITY",
    "downgraded": "ON_DEMAND",
    "bought": "PROVISIONED_THROUGHPUT",
    "spilt": "ON_DEMAND",
}


def test_one_manifest_may_use_every_level_and_pays_for_what_served(open_room: Open) -> None:
    with running("--pictures", "cached") as google:
        room = open_room(
            vertex={"project": "p", "access_token": "token", "base_url": google.url},
            tiers=QUICK,
        )
        job = room.submit([{**row, "model": MODEL} for row in ROWS], max_cost="9.00")

        state = job.wait(60)

        with urllib.request.urlopen(f"{google.url}/_sim/ledger/lines") as answer:  # noqa: S310
            lines = [json.loads(line) for line in answer]
    results = {result.id: result for result in job.results()}
    assert state.done == len(ROWS)
    assert {key: result.traffic_type for key, result in results.items()} == SERVED
    assert state.spent_nusd == sum(line["cost_nusd"] for line in lines)
    assert len(lines) == len(ROWS)
    deadlines = {line["service"]: line["headers"]["x-server-timeout"] for line in lines}
    assert deadlines == {
        "standard": "300",
        "flex": "1800",
        "priority": "300",
        "provisioned": "300",
    }
    assert audit(room.database, room.settings.home, deep=True) == []


def wait_of(room: Darkroom) -> timedelta | None:
    """From the end of the only attempt to the next; None while it is open."""
    query = select(Render.due_at, Attempt.closed_at).join(Attempt, Attempt.render_id == Render.id)
    with db.reading(room.database) as connection:
        for due, closed in connection.execute(query):
            return None if due is None or closed is None else due - closed
    return None


def test_flex_that_was_refused_for_want_of_capacity_waits_half_a_minute(open_room: Open) -> None:
    with running() as google:
        room = open_room(
            vertex={"project": "p", "access_token": "token", "base_url": google.url}, tiers=QUICK
        )
        row = {"id": "r", "prompt": "a lamp [[sim:503]]", "tier": "vertex-flex", "model": MODEL}
        job = room.submit([row], max_cost="9.00")
        room.render_here()

        ends = time.monotonic() + 60
        while (wait := wait_of(room)) is None:
            assert time.monotonic() < ends, "nothing was sent"
            time.sleep(0.05)

    assert wait >= timedelta(seconds=30)
    assert job.state.pending == 1
