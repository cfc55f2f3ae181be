"""Production by three URLs: what `make fleet` does, with small numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fleet.fleet import Fleet, fleet
from tests.fleet.rehearsal import rehearse


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="dkfleet") as folder:
        place = Path(folder)
        place.chmod(0o711)  # PostgreSQL may run as somebody else
        with fleet(place, workers=2, latency="0.2") as made:
            yield made
        assert made.endings == {"worker-1": 0, "worker-2": 0}


def test_a_fleet_renders_by_three_urls_and_each_worker_has_its_share(running: Fleet) -> None:
    found = rehearse(running, 2)

    assert found.is_good, found
    assert (found.done, found.refused) == (52, 2)
    assert len(found.shares) == 2
    assert len(list(running.bucket.glob("*.json"))) == found.done


def test_health_checks_find_what_lives_on_this_host(running: Fleet) -> None:
    worker = running.call("worker", "check", capture=True)
    clock = running.call("scheduler", "check", host="scheduler", capture=True)

    assert (worker.returncode, clock.returncode) == (0, 0)
    assert worker.stderr.startswith("2 alive on ")
    assert clock.stderr.startswith("The scheduler ticked ")
