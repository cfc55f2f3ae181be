"""Production by three URLs: what `make fleet` does, with small numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fleet.fleet import Fleet, fleet
from tests.fleet.rehearsal import rehearse


@pytest.fixture
def running() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="dkfleet") as folder:
        place = Path(folder)
        place.chmod(0o711)  # PostgreSQL may run as somebody else
        with fleet(place, workers=2, latency="0.2") as made:
            yield made
        assert made.endings == {"worker-1": 0, "worker-2": 0}


def test_a_fleet_renders_by_three_urls_each_worker_its_share_and_health_checks_find_all_alive(
    running: Fleet,
) -> None:
    found = rehearse(running, 2)
    worker = running.call("worker", "check", capture=True)
    clock = running.call("scheduler", "check", host="scheduler", capture=True)

    assert found.is_good, found
    assert (found.done, found.refused) == (52, 2)
    assert len(found.shares) == 2
    assert len(list(running.bucket.glob("*.json"))) == found.done
    assert (worker.returncode, clock.returncode) == (0, 0)
    assert worker.stderr.startswith("2 alive on ")
    assert clock.stderr.startswith("The scheduler ticked ")
