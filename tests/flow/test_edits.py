"""Rows of several turns, and rows that change the image of another row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from sqlalchemy import text

from darkroom import Darkroom, Job, db
from darkroom.audit import audit
from darkroom_simulator.child import running

if TYPE_CHECKING:
    from tests.conftest import ObjectStorage

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, Any]]]

TURNS = ["a red mug", "now blue", "now on a table"]


def sha256(prompt: str) -> str:
    return hashlib.sha256(prompt.encode()).hexdigest()


def told(bill: list[dict[str, Any]]) -> Mapping[str, tuple[int, list[str], int]]:
    """By the prompts' hashes: the turns, the images shown, the parts with signatures."""
    return {
        line["prompt_sha256"]: (line["turns"], line["references"], line["signed"]) for line in bill
    }


def images(job: Job) -> dict[str, str]:
    return {one.id: one.sha256 or "" for one in job.results(turns=True)}


def test_each_turn_is_paid_once_and_shows_the_model_the_images_before(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room(simulator={"latency": "0", "pictures": "drawn"})
    job = room.submit([{"id": "mug", "turns": TURNS}])

    state = job.wait(90)

    made = images(job)
    assert (state.rows, state.done, state.total) == (1, 3, 3)
    assert list(made) == ["mug~1", "mug~2", "mug"]
    assert told(bill_of(room)) == {
        sha256(TURNS[0]): (1, [], 0),
        sha256(TURNS[1]): (2, [made["mug~1"]], 1),
        sha256(TURNS[2]): (3, [made["mug~1"], made["mug~2"]], 2),
    }
    assert state.spent_nusd == sum(line["cost_nusd"] for line in bill_of(room))
    places = [one.uri.removeprefix(job.id) for one in job.results(turns=True) if one.uri]
    assert places == ["/.turns/mug~1_1.jpg", "/.turns/mug~2_1.jpg", "/mug_1.jpg"]
    assert [one.id for one in job.results()] == ["mug"]
    assert audit(room.database, room.settings.home, deep=True) == []


def test_a_turn_that_is_added_later_pays_for_itself_alone(open_room: Open, bill_of: Bill) -> None:
    room = open_room()
    room.submit([{"id": "mug", "turns": TURNS[:2]}]).wait(90)

    plan = room.plan([{"id": "mug", "turns": TURNS}])
    job = room.submit([{"id": "mug", "turns": TURNS}])
    state = job.wait(90)

    # The second turn was the row's last and is asked for again by none.
    assert (plan.rows, plan.renders, plan.unchanged) == (1, 1, 2)
    assert (state.done, len(bill_of(room))) == (1, 3)
    assert audit(room.database, room.settings.home) == []


def test_earlier_turns_are_delivered_beside_the_rows_image_where_it_is_said(
    open_room: Open,
) -> None:
    room = open_room(output={"path": "{job}/shop/{id}.{ext}"})
    job = room.submit([{"id": "mug", "turns": TURNS[:2]}], deliver_turns=True)
    job.wait(90)

    other = room.submit([{"id": "cup", "turns": [TURNS[0], "now green"]}])
    other.wait(90)

    places = [one.uri.removeprefix(job.id) for one in job.results() if one.uri]
    assert places == ["/shop/turns/mug~1.jpg", "/shop/mug.jpg"]
    assert [one.id for one in other.results()] == ["cup"]
    assert audit(room.database, room.settings.home, deep=True) == []


def test_a_row_waits_for_the_image_that_it_changes(open_room: Open, bill_of: Bill) -> None:
    room = open_room(simulator={"latency": "0", "pictures": "drawn"})
    rows = [
        {"id": "chair", "prompt": "a chair", "n": 2},
        {"id": "red", "prompt": "make it red", "edit_of": "chair", "n": 2},
        {"id": "room", "prompt": "put it into a room", "edit_of": "red", "n": 2},
    ]
    job = room.submit(rows)

    state = job.wait(90)

    made = {(one.id, one.variant): one.sha256 for one in job.results()}
    shown = sorted(image for line in bill_of(room) for image in line["references"])
    assert (state.done, state.waiting) == (6, 0)
    assert shown == sorted(made[name, v] or "" for name in ("chair", "red") for v in (1, 2))
    assert all(line["turns"] == 1 for line in bill_of(room))
    assert room.plan(rows).unchanged == 6
    assert audit(room.database, room.settings.home) == []


def test_rows_fail_with_the_image_that_they_would_change_and_go_on_with_it(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room()
    rows = [
        {"id": "bad", "prompt": "a fight [[sim:refuse-once]]"},
        {"id": "next", "prompt": "make it red", "edit_of": "bad"},
        {"id": "last", "turns": ["now blue", "now green"], "edit_of": "next"},
    ]
    job = room.submit(rows)

    state = job.wait(90)

    found = {one.id: (one.state.value, one.reason) for one in job.results()}
    assert found == {
        "bad": ("refused", "IMAGE_SAFETY"),
        "next": ("failed", "parent"),
        "last~1": ("failed", "parent"),
        "last": ("failed", "parent"),
    }
    said = {one.id: one.message or "" for one in job.results()}
    assert said["next"].startswith("It changes the image of row bad, which was refused: ")
    assert len(bill_of(room)) == 1
    assert state.spent_nusd == sum(line["cost_nusd"] for line in bill_of(room))

    job.retry([*{one.state for one in job.results() if one.id == "bad"}])
    assert job.wait(90).done == 4
    assert len(bill_of(room)) == 5
    assert audit(room.database, room.settings.home) == []


def test_a_job_that_is_cancelled_or_waits_for_approval_takes_its_edits_along(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room()
    rows = [{"id": "a", "prompt": "a cup"}, {"id": "b", "prompt": "in red", "edit_of": "a"}]
    held = room.submit(rows, hold=True)
    assert (held.state.held, held.state.waiting) == (2, 0)

    assert held.approve() == 2
    assert held.wait(90).done == 2
    other = room.submit([{"id": "a", "turns": ["a pot", "in red", "in green"]}], hold=True)
    assert other.reject() == 3
    assert (other.state.cancelled, len(bill_of(room))) == (3, 2)
    assert audit(room.database, room.settings.home) == []


def test_signatures_that_were_not_kept_are_not_missed(open_room: Open, bill_of: Bill) -> None:
    """The least level of thinking refuses a conversation without them."""
    room = open_room()
    model = {"model": "gemini-3.1-flash-image", "thinking": "minimal"}
    room.submit([{"id": "plain", "prompt": TURNS[0], **model}]).wait(90)

    job = room.submit([{"id": "mug", "turns": TURNS[:2], **model}])
    state = job.wait(90)

    assert (state.done, state.failed) == (1, 0)
    last = next(line for line in bill_of(room) if line["prompt_sha256"] == sha256(TURNS[1]))
    assert (last["turns"], len(last["references"])) == (1, 1)
    with db.reading(room.database) as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM signatures")) == 0


def test_an_image_in_a_bucket_is_changed_too(
    open_room: Open, object_storage: ObjectStorage, bill_of: Bill
) -> None:
    room = open_room(
        storage_url=f"{object_storage.new_bucket()}/renders",
        simulator={"latency": "0", "pictures": "drawn"},
    )
    rows = [
        {"id": "mug", "turns": TURNS[:2]},
        {"id": "red", "prompt": "make it red", "edit_of": "mug"},
    ]
    job = room.submit(rows)

    state = job.wait(90)

    made = images(job)
    assert state.done == 3
    assert told(bill_of(room))[sha256("make it red")] == (1, [made["mug"]], 0)
    assert told(bill_of(room))[sha256(TURNS[1])] == (2, [made["mug~1"]], 1)
    assert audit(room.database, room.settings.home, deep=True) == []


@pytest.mark.parametrize("mode", ["native", "chat", "images"])
def test_a_proxy_is_shown_the_image_that_is_to_be_changed(open_room: Open, mode: str) -> None:
    with running("--pictures", "drawn") as proxy:
        door = {"base_url": f"{proxy.url}/v1", "api_key": "k", "mode": mode}
        prices = {"gemini-3.1-flash-image": {"per_call": "0.05"}}
        room = open_room(
            proxy={**door, "prices": prices},
            defaults={"tier": "proxy", "model": "gemini-3.1-flash-image"},
            budget={"confirm_above": "10"},
        )
        rows: list[dict[str, object]] = [
            {"id": "mug", "prompt": "a mug"},
            {"id": "red", "prompt": "make it red", "edit_of": "mug"},
        ]
        if mode == "native":
            rows.append({"id": "cup", "turns": TURNS[:2]})
        job = room.submit(rows)

        state = job.wait(90)

        made = images(job)
        with urlopen(f"{proxy.url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
            bill = told([json.loads(line) for line in answer])
        assert (state.done, state.spent_nusd) == (len(made), len(made) * 50_000_000)
        assert bill[sha256("make it red")] == (1, [made["mug"]], 0)
        if mode == "native":
            assert bill[sha256(TURNS[1])] == (2, [made["cup~1"]], 1)
        assert audit(room.database, room.settings.home) == []


def test_turns_are_refused_where_the_wire_has_no_word_for_them(open_room: Open) -> None:
    door = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "mode": "chat"}
    room = open_room(proxy=door, defaults={"tier": "proxy"})

    (problem,) = room.plan([{"id": "mug", "turns": TURNS}]).problems

    assert (problem.column, problem.message) == ("turns", "proxy takes no turns in mode chat.")
    assert "edit_of" in (problem.hint or "")
