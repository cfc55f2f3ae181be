"""Provider batches go wrong in every way that is known: each image is paid for once, and kept."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

from darkroom import db
from darkroom.killpoints import Point
from darkroom.models import Batch, BatchState
from darkroom.report import JobState
from darkroom_manifests.tier import Tier

MakeFleet = Callable[..., Fleet]
Harm = dict[str, object]

IMAGES = 12
LINES = 5  # a batch: three of them carry twelve images
SECONDS = 90
TIERS = ("vertex-batch", "aistudio-batch")
BATCHING = {
    "poll_interval": 0.3,
    "poll_longest": 0.6,
    "find_seconds": 3.0,
    "lease_seconds": 2.0,
    "most_lines": LINES,
}

HARMLESS: list[list[Harm]] = [
    [
        {"fault": "shuffled"},
        {"fault": "duplicate-lines"},
        {"fault": "stranger-lines"},
        {"fault": "two-files"},
        {"fault": "poll-503", "times": 4},
        {"fault": "download-503", "times": 4},
    ],
    [
        {"fault": "swapped-labels", "platform": "vertex"},
        {"fault": "create-reset-after"},
        {"fault": "upload-503", "times": 3},
        {"fault": "download-reset", "times": 4},
    ],
    [
        {"fault": "missing-labels", "platform": "vertex"},
        {"fault": "create-503-after"},
        {"fault": "list-503", "times": 2},
        {"fault": "output-late", "seconds": 1.0},
        {"fault": "download-truncated", "times": 4},
    ],
    [
        {"fault": "create-late", "seconds": 1.0},
        {"fault": "line-errors", "share": 0.4, "times": 2},
    ],
    [
        {"fault": "expire", "share": 0.5, "times": 1, "platform": "vertex"},
        {"fault": "partial", "share": 0.5, "times": 2},
    ],
]
"""Faults that destroy no answer, those of a list together: nothing is lost or paid twice."""

HARMFUL: list[list[Harm]] = [
    [{"fault": "create-reset-before", "times": 1}],  # nothing was created, and nobody can tell
    [
        {"fault": "dropped-lines", "share": 0.3, "times": 1},
        {"fault": "truncated-line", "times": 1},
    ],
    [
        {"fault": "missing-labels", "platform": "aistudio", "share": 0.4, "times": 1},
        {"fault": "expire", "share": 0.5, "times": 1, "platform": "aistudio"},
    ],
    [{"fault": "fail", "share": 0.5, "times": 1}],
    [{"fault": "vanish", "times": 1}],
]
"""Faults that destroy answers which were billed, or may have been: these are at risk."""


def names_of(harms: list[Harm]) -> str:
    return " and ".join(str(harm["fault"]) for harm in harms)


def fleet_for(
    make_fleet: MakeFleet, valkey: Valkey, folder: Path, tier: str, seed: int, **how: Any
) -> Fleet:
    """A fleet whose batches go to the simulator as if it were Google."""
    (folder / "buckets" / "stage").mkdir(parents=True)
    pace = ("--batch-queue", "0-0.3", "--batch-run", "0.2-0.8")
    return make_fleet(
        None,
        valkey,
        tier=Tier(tier),
        simulator=("--buckets", str(folder / "buckets"), "--seed", str(seed), *pace),
        staging_url="gs://stage/desk",
        batches=BATCHING,
        **how,
    )


def remote_batches(fleet: Fleet) -> list[dict[str, Any]]:
    """The batches that the simulator knows, whatever ours say."""
    with urllib.request.urlopen(f"{fleet.url}/_sim/batches") as answer:  # noqa: S310  # loopback
        found: dict[str, list[dict[str, Any]]] = json.load(answer)
    return found["jobs"]


def ours(fleet: Fleet) -> list[dict[str, Any]]:
    with db.reading(fleet.room.database) as connection:
        return db.rows_of(connection, "SELECT * FROM batches")


def assert_no_orphan_and_no_second(fleet: Fleet) -> None:
    """Every batch at the provider is one of ours, and each of ours was made there once at most."""
    names = Counter(each["displayName"] for each in remote_batches(fleet))
    known = {each["id"] for each in ours(fleet)}

    assert names.keys() <= known
    assert set(names.values()) <= {1}


def play(fleet: Fleet, *harms: Harm) -> None:
    """Let these things go wrong from now on, and nothing else."""
    url = f"{fleet.url}/_sim/batches/rules"
    body = json.dumps(harms).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")):  # noqa: S310  # loopback
        return


def rendered(fleet: Fleet, words: str = "") -> JobState:
    return fleet.watch(fleet.submit(rows(IMAGES, words)), SECONDS, hurried(fleet))


def hurried(fleet: Fleet) -> Callable[[JobState], None]:
    """Twice a second, let no pause after a failure last longer than a second, by the books.

    A tier that rests because a batch failed as a whole goes on, as a person would let it.
    """
    last = [0.0]

    def tick(_: JobState) -> None:
        if time.monotonic() < last[0] + 0.5:
            return
        last[0] = time.monotonic()
        with db.writing(fleet.room.database) as connection:
            soon = db.now(connection) + timedelta(seconds=1)
            waits = (Batch.state != BatchState.MISSING) & (Batch.next_at > soon)
            connection.execute(update(Batch).where(waits).values(next_at=soon))
        if any("failed as a whole" in rest.reason for rest in fleet.room.rests()):
            fleet.room.wake(fleet.tier)

    return tick


def concerning(harms: list[list[Harm]], tier: str) -> list[list[Harm]]:
    mine = [[harm for harm in some if str(harm.get("platform", tier)) in tier] for some in harms]
    return [some for some in mine if some]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tier", TIERS)
def test_what_destroys_no_answer_costs_nothing(
    make_fleet: MakeFleet, valkey: Valkey, tmp_path: Path, seed: int, tier: str
) -> None:
    fleet = fleet_for(make_fleet, valkey, tmp_path, tier, seed, workers=1)
    groups = concerning(HARMLESS, tier)

    for harms in groups:
        play(fleet, *harms)
        assert rendered(fleet, names_of(harms)).done == IMAGES, harms
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (IMAGES * len(groups), 0, 0)
    assert_no_orphan_and_no_second(fleet)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tier", TIERS)
def test_answers_that_never_come_are_at_risk_and_asked_for_once_more(
    make_fleet: MakeFleet, valkey: Valkey, tmp_path: Path, seed: int, tier: str
) -> None:
    fleet = fleet_for(make_fleet, valkey, tmp_path, tier, seed, workers=1)
    groups = concerning(HARMFUL, tier)

    for harms in groups:
        play(fleet, *harms)
        assert rendered(fleet, names_of(harms)).done == IMAGES, harms
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert verdict.paid_twice <= verdict.lost
    assert verdict.lost > 0
    assert verdict.images == IMAGES * len(groups)
    assert_no_orphan_and_no_second(fleet)


BATCH_POINTS = [point for point in Point if point.startswith("B")]


CREATION = (Point.ASKING, Point.ASKED)
DEATHS = [
    *((TIERS[0], point) for point in [*BATCH_POINTS, Point.STAGED, Point.NOTED, Point.PUBLISHED]),
    *((TIERS[1], point) for point in CREATION),
]


@pytest.mark.parametrize(("tier", "point"), DEATHS)
def test_who_dies_there_leaves_no_second_batch_and_no_image_paid_twice(
    make_fleet: MakeFleet, valkey: Valkey, tmp_path: Path, seed: int, tier: str, point: Point
) -> None:
    crash = f"{point}:0.4:{seed}"
    fleet = fleet_for(make_fleet, valkey, tmp_path, tier, seed, crash=crash, workers=2)

    state = rendered(fleet)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (state.done + state.held, verdict.paid_twice) == (IMAGES, 0)
    assert_no_orphan_and_no_second(fleet)
