"""Provider batches on a manifest's whole way: real processes, a provider that can be held up."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.contract.test_simulator_batches import PRO, Google, line
from tests.fleet.command import Ran, called

from darkroom import Choices, Darkroom, Job, db, embedded
from darkroom.audit import audit
from darkroom.models import Job as JobRow
from darkroom.models import RenderState
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import running

Open = Callable[..., Darkroom]

MANIFEST = "id,prompt\nkettle,A kettle\nlamp,A lamp\nno,A lamp [[sim:refuse]]\n"
ON_BATCH = Choices(tier=Tier.SIMULATOR_BATCH)


@pytest.fixture
def google() -> Iterator[Google]:
    """A provider that draws at once."""
    with running("--pictures", "cached", "--body-bytes", "40000") as ready:
        yield Google(ready.url)


@pytest.fixture
def slow_google() -> Iterator[Google]:
    """One whose batches take 100 seconds of a clock that only the test puts forward."""
    slow = ["--batch-queue", "10", "--batch-run", "100", "--batch-speed", "0.001"]
    with running("--pictures", "cached", "--body-bytes", "40000", *slow) as ready:
        yield Google(ready.url)


class Shell:
    """The command, in a folder where its tier is the simulator's batches."""

    def __init__(self, folder: Path, google: Google) -> None:
        self._folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
        self._env = kept | {
            "DARKROOM_SIMULATOR__BASE_URL": google.url,
            "DARKROOM_DEFAULTS__TIER": "simulator-batch",
            "DARKROOM_BATCHES__POLL_INTERVAL": "0.2",
        }
        (folder / "catalog.csv").write_text(MANIFEST, encoding="utf-8")

    def run(self, *args: str) -> Ran:
        return called(self._folder, self._env, *args)

    def document(self, *args: str) -> Any:  # noqa: ANN401  # any JSON
        ran = self.run(*args, "--json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture
def shell(tmp_path: Path, google: Google) -> Iterator[Shell]:
    yield Shell(tmp_path, google)
    embedded.stop(tmp_path / ".darkroom")


def rows(how_many: int) -> list[dict[str, object]]:
    return [{"id": f"r{number}", "prompt": f"a lamp {number}"} for number in range(how_many)]


def submitted(room: Darkroom, manifest: Sequence[dict[str, object]], **how: Any) -> Job:
    """Submit to the batch tier, and let the local stack work on it."""
    job = room.submit(room.plan(manifest, choices=ON_BATCH), **how)
    room.render_here()
    return job


def wait_until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 90
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def at_provider(google: Google) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = google.ask("GET", "/_sim/batches")[1]["jobs"]
    return jobs


def test_run_renders_a_manifest_by_a_batch_and_the_same_again_sends_nothing(
    shell: Shell, google: Google
) -> None:
    first = shell.run("run", "catalog.csv", "--progress", "none")
    billed = google.bill()
    second = shell.run("run", "catalog.csv", "--progress", "none", "--limit", "2")

    assert first.returncode == 3, first.stderr  # one was refused
    assert {(each["service"], each["outcome"]) for each in billed} == {
        ("batch", "image"),
        ("batch", "refuse"),
    }
    assert len(billed) == 3
    assert second.returncode == 0, second.stderr
    assert google.bill() == billed
    assert shell.document("audit", "--deep") == []


def test_batches_are_listed_by_the_books_and_by_the_provider(shell: Shell, google: Google) -> None:
    shell.run("run", "catalog.csv", "--progress", "none")
    source = google.upload(line("a"))
    google.studio.batches.create(model=PRO, src=source, config={"display_name": "theirs"})

    by_default = shell.document("batch", "ls")
    [ours] = shell.document("batch", "ls", "--all")
    remote = shell.document("batch", "ls", "--remote", "--tier", "simulator-batch")
    shown = shell.document("batch", "show", ours["id"][-6:])
    talk = shell.run("batch", "ls", "--remote", "--tier", "simulator-batch")

    assert by_default == []
    assert (ours["state"], ours["lines"], ours["open"]) == ("ended", 3, 0)
    assert (ours["delivered"], ours["succeeded"], ours["quarantined"]) == (3, 3, 0)
    assert {each["display_name"]: each["ours"] for each in remote} == {
        ours["id"]: True,
        "theirs": False,
    }
    assert shown == ours
    assert "a stranger" in talk.stdout


def test_a_cancelled_job_keeps_what_its_batch_has_finished(
    open_room: Open, slow_google: Google
) -> None:
    room = slowly(open_room, slow_google)
    job = submitted(room, rows(20))
    wait_until(lambda: [each.state for each in room.batches.all()] == ["running"])
    slow_google.advance(60)

    job.cancel()
    wait_until(lambda: is_over(slow_google))
    state = job.wait(90)

    drawn = sum(each["outcome"] == "image" for each in slow_google.bill())
    assert 0 < state.done < 20
    assert state.done == drawn
    assert state.done + state.cancelled == 20
    assert audit(room.database, room.settings.home, deep=True) == []


def is_over(google: Google) -> bool:
    """Whether the provider ended its batch, with its clock put on a little."""
    google.advance(0)
    return all("CANCELLED" in str(each) for each in at_provider(google))


def slowly(open_room: Open, google: Google, **batching: object) -> Darkroom:
    """A room on that provider, which looks often."""
    return open_room(
        simulator={"base_url": google.url},
        batches={"poll_interval": 0.2, "poll_longest": 0.5, "margin_seconds": 0, **batching},
        budget={"confirm_above": "100"},
    )


def stuck(room: Darkroom, google: Google, max_cost: str) -> Job:
    """A job of four that waits at its provider, and whose deadline has come near."""
    google.ask("PUT", "/_sim/batches/rules", [{"fault": "stuck-pending"}])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    job = submitted(room, rows(4), deliver_by=tomorrow, max_cost=max_cost)
    wait_until(lambda: [each.state for each in room.batches.all()] == ["running"])
    with db.writing(room.database) as connection:  # a day goes by
        connection.execute(update(JobRow).values(deliver_by=soon()))
    return job


def soon() -> datetime:
    """A moment for which work on demand must begin now: it is given two minutes."""
    return datetime.now(UTC) + timedelta(seconds=100)


def test_what_a_stuck_batch_would_bring_too_late_is_drawn_on_demand(
    open_room: Open, slow_google: Google
) -> None:
    room = slowly(open_room, slow_google)
    job = stuck(room, slow_google, "1.00")

    state = job.wait(90)

    [batch] = room.batches.all(ended_too=True)
    assert state.done == 4
    assert (batch.provider_state, batch.open) == ("BATCH_STATE_CANCELLED", 0)
    assert "deadline" in (batch.cancel_reason or "")
    assert {each["service"] for each in slow_google.bill()} == {"standard"}
    assert len(slow_google.bill()) == 4
    assert state.spent_nusd <= NANO
    assert audit(room.database, room.settings.home, deep=True) == []


def test_what_the_cap_does_not_cover_on_demand_is_held(
    open_room: Open, slow_google: Google
) -> None:
    room = slowly(open_room, slow_google)
    plan = room.plan(rows(4), choices=ON_BATCH)
    cap = plan.high_nusd / NANO * 1.1  # enough for batches; half of it is drawn on demand
    job = stuck(room, slow_google, f"{cap:.4f}")

    state = job.wait(90)

    held = {result.reason for result in job.results([RenderState.HELD])}
    assert (state.done > 0, state.held > 0, state.done + state.held) == (True, True, 4)
    assert held == {"cap"}
    assert state.spent_nusd <= cap * NANO
    assert job.resume(max_cost="5.00") == state.held
    assert job.wait(60).done == 4
    assert audit(room.database, room.settings.home, deep=True) == []


@pytest.mark.timeout(300)
def test_two_thousand_renders_of_stuck_batches_are_on_time_and_inside_the_budget(
    open_room: Open, google: Google
) -> None:
    room = slowly(open_room, google, longest_wait=5, most_lines=500)
    plan = room.plan(rows(2_000), choices=Choices(tier=Tier.SIMULATOR))
    google.ask("PUT", "/_sim/batches/rules", [{"fault": "stuck-pending"}])
    deliver_by = datetime.now(UTC) + timedelta(hours=1)

    cap = Decimal(plan.high_nusd) / NANO
    job = submitted(room, rows(2_000), deliver_by=deliver_by, max_cost=cap)
    state = job.wait(240)

    batches = room.batches.all(ended_too=True)
    assert (state.done, state.held) == (2_000, 0)
    assert state.finished_at is not None
    assert state.finished_at < deliver_by
    assert state.spent_nusd == sum(each["cost_nusd"] for each in google.bill()) <= plan.high_nusd
    assert {each["service"] for each in google.bill()} == {"standard"}
    assert {each.provider_state for each in batches} == {"BATCH_STATE_CANCELLED"}
    assert audit(room.database, room.settings.home, deep=True) == []
