"""Manifest to report: real processes, real broker, real HTTP, the real SDK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from tests.conftest import contents

from darkroom import Choices, Darkroom, Job
from darkroom.audit import audit
from darkroom.errors import CapTooLow, ConsentNeeded, CredentialsMissing, ManifestRejected
from darkroom.models import RenderState
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import running


class PostgreSQL(Protocol):
    def new_database(self) -> str: ...


Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]

ROWS: list[dict[str, object]] = [
    {"id": "plain", "prompt": "a lamp"},
    {"id": "wide", "prompt": "a lamp", "aspect_ratio": "16:9", "n": 2, "sku": "L-1"},
    {"id": "no", "prompt": "a lamp [[sim:refuse]]"},
    {"id": "later", "prompt": "a lamp [[sim:429-once]]"},
    {"id": "broken", "prompt": "a lamp [[sim:corrupt-once]]"},
    {"id": "lost", "prompt": "a lamp [[sim:drop-after-once]]"},
]


def finished(room: Darkroom, rows: list[dict[str, object]], **how: object) -> Job:
    job = room.submit(rows, **how)  # type: ignore[arg-type]
    assert job.wait(60).is_finished
    return job


def test_every_row_ends_where_it_should_and_the_books_hold(open_room: Open, bill_of: Bill) -> None:
    room = open_room()

    job = finished(room, ROWS)

    by_id = {f"{result.id}/{result.variant}": result for result in job.results()}
    assert {key: result.state.value for key, result in by_id.items()} == {
        "plain/1": "done",
        "wide/1": "done",
        "wide/2": "done",
        "no/1": "refused",
        "later/1": "done",
        "broken/1": "done",
        "lost/1": "done",
    }
    assert by_id["no/1"].reason == "IMAGE_SAFETY"
    assert by_id["broken/1"].attempts == 2
    assert (by_id["wide/1"].width, by_id["wide/1"].height) == (1376, 768)
    assert by_id["lost/1"].at_risk_nusd > 0
    assert audit(room.database, room.settings.home, deep=True) == []
    witnessed = sum(int(str(line["cost_nusd"])) for line in bill_of(room))
    total = job.cost.total
    assert total.charged_nusd <= witnessed <= total.charged_nusd + total.at_risk_nusd


def test_the_same_rows_again_render_nothing_and_a_changed_one_renders_once(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room()
    finished(room, ROWS[:2])
    sent = len(bill_of(room))

    unchanged = room.plan(ROWS[:2])
    changed = room.plan([ROWS[0], ROWS[1] | {"aspect_ratio": "1:1", "n": 3}])

    assert (unchanged.renders, unchanged.unchanged) == (0, 3)
    assert (changed.renders, changed.unchanged) == (3, 1)
    assert room.plan(ROWS[:2], again=True).renders == 3
    assert len(bill_of(room)) == sent


def test_the_images_lie_where_the_template_says_untouched(open_room: Open, tmp_path: Path) -> None:
    room = open_room(output={"path": "shop/{sku}/{id}-{variant}.{ext}"})

    finished(room, ROWS[1:2])

    assert (tmp_path / "out/shop/L-1/wide-1.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert (tmp_path / "out/shop/L-1/wide-2.jpg").exists()


def test_a_cap_is_never_exceeded_and_what_it_stops_is_held(open_room: Open) -> None:
    room = open_room()
    rows = [{"id": f"r{number}", "prompt": f"lamp no. {number}"} for number in range(12)]
    job = room.submit(rows, max_cost="0.20")

    state = job.wait(60)

    assert state.done > 0
    assert state.held > 0
    assert state.spent_nusd <= 200_000_000
    assert audit(room.database, room.settings.home) == []
    assert job.resume(max_cost="5.00") == state.held
    assert job.wait(60).done == 12


def test_one_bad_row_stops_all_unless_the_valid_ones_are_accepted(open_room: Open) -> None:
    room = open_room()
    rows = [ROWS[0], {"id": "bad", "prompt": "a lamp", "image_size": "512"}]

    with pytest.raises(ManifestRejected) as refused:
        room.submit(rows)
    job = room.submit(rows, accept_valid=True)

    assert "512" in str(refused.value.problems[0])
    assert job.wait(60).done == 1
    assert job.state.invalid == 1


def test_an_idempotency_key_gives_the_same_job(open_room: Open) -> None:
    room = open_room()

    first = room.submit(ROWS[:1], idempotency_key="k")
    second = room.submit(ROWS[:2], idempotency_key="k")

    assert first.id == second.id


def test_a_real_tier_without_a_credential_is_refused_before_anything_is_stored(
    open_room: Open,
) -> None:
    room = open_room()
    plan = room.plan(ROWS[:1], choices=Choices(tier=Tier.AISTUDIO))

    with pytest.raises(CredentialsMissing, match="aistudio"):
        room.submit(plan)

    assert room.jobs() == []


def test_real_money_above_the_limit_needs_a_yes_or_a_cap(open_room: Open) -> None:
    room = open_room(aistudio={"api_key": "k"}, budget={"confirm_above": "0.01"})

    with pytest.raises(ConsentNeeded):
        room.submit(ROWS[:1])
    with pytest.raises(CapTooLow):
        room.submit(ROWS[:1], max_cost="0.001")

    assert room.jobs() == []


def test_a_failed_render_is_a_value_and_can_be_retried(open_room: Open) -> None:
    room = open_room()
    job = finished(room, [{"id": "no", "prompt": "a lamp [[sim:refuse-once]]"}])

    (refused,) = job.results([RenderState.REFUSED])
    again = job.retry([RenderState.REFUSED])

    assert not refused.ok
    assert again == 1
    assert job.wait(60).done == 1
    assert audit(room.database, room.settings.home, deep=True) == []


def test_a_job_shows_itself_in_a_notebook_without_scripts(open_room: Open) -> None:
    room = open_room()

    shown = room.submit(ROWS[:1])._repr_html_()

    assert "<table>" in shown
    assert "<script" not in shown


def test_no_secret_is_in_the_database_or_the_logs(open_room: Open) -> None:
    secret = "canary-7f3a91"
    with_key = open_room(aistudio={"api_key": secret}, defaults={"tier": "simulator"})

    finished(with_key, ROWS[:3])
    with_key.close()

    for file, data in contents(with_key.settings.home).items():
        assert secret.encode() not in data, file


def test_vertex_renders_by_the_same_road(open_room: Open) -> None:
    with running("--pictures", "cached") as stand_in:
        room = open_room(
            vertex={"project": "p", "access_token": "t", "base_url": stand_in.url},
            tiers={"vertex": {"concurrency": 4, "adaptive_start": 600}},
        )
        job = finished(room, ROWS[:2], consent=True)

        (first, *_) = job.results()
        assert job.state.done == 3
        assert first.traffic_type == "ON_DEMAND"
        assert not job.state.simulated


def test_a_refused_key_stops_the_tier_and_says_so(open_room: Open) -> None:
    with running("--api-key", "right") as stand_in:
        room = open_room(aistudio={"api_key": "wrong", "base_url": stand_in.url})
        job = room.submit(ROWS[:1], consent=True)

        state = job.wait(60)

        assert (state.pending, state.spent_nusd) == (1, 0)
        assert [rest.tier for rest in room.rests()] == ["aistudio"]


def test_the_request_that_is_stored_is_what_was_asked(open_room: Open) -> None:
    room = open_room()

    (result,) = room.submit([{"id": "x", "prompt": "<b>=1+1</b> 🏮", "image_size": "2K"}]).results()

    assert msgspec.json.decode(result.request) == {
        "prompt": "<b>=1+1</b> 🏮",
        "image_size": "2K",
    }


def test_the_road_is_the_same_on_postgresql(
    open_room: Open, bill_of: Bill, postgres: PostgreSQL
) -> None:
    room = open_room(database_url=postgres.new_database())

    job = finished(room, ROWS)

    assert (job.state.done, job.state.refused) == (6, 1)
    assert audit(room.database, room.settings.home, deep=True) == []
    witnessed = sum(int(str(line["cost_nusd"])) for line in bill_of(room))
    total = job.cost.total
    assert total.charged_nusd <= witnessed <= total.charged_nusd + total.at_risk_nusd
