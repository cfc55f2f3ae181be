"""Labels for the billing export: on each request to Vertex, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from darkroom import Choices, Darkroom
from darkroom.draft import Draft
from darkroom.errors import ConfigInvalid
from darkroom.models import AttemptState
from darkroom.request import Request
from darkroom.settings import Settings
from darkroom.storage.staging import Staging
from darkroom_manifests.problem import Code, Problem
from darkroom_manifests.tier import Provider, Tier
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends import open_backend
from darkroom_worker.backends.rest import Rest
from darkroom_worker.backends.result import LABEL
from darkroom_worker.backends.vertex_batch import VertexBatch

LABELS = {"team": "studio", "cost-centre": "4711"}
LAMP = Request(prompt="a lamp", labels=(("team", "shop"),))


@pytest.fixture(scope="module")
def simulator() -> Iterator[Ready]:
    with running("--pictures", "cached") as ready:
        yield ready


def told(url: str, tier: Tier, model: str) -> str | None:
    """Send one request, and see which labels came along."""
    vertex = {"project": "p", "access_token": "t", "base_url": url, "labels": LABELS}
    google = {"vertex": vertex, "aistudio": {"api_key": "k", "base_url": url}}

    async def send() -> AttemptState:
        backend = open_backend(tier, Settings.model_validate(google))
        try:
            return backend.read(await backend.send(LAMP, model, 20)).ended
        finally:
            await backend.close()

    assert asyncio.run(send()) is AttemptState.DELIVERED
    with urllib.request.urlopen(f"{url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        return json.loads([*answer][-1])["told"].get("labels")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("tier", "model"),
    [
        (Tier.VERTEX, "gemini-3-pro-image"),
        (Tier.VERTEX_FLEX, "gemini-3-pro-image"),
        (Tier.VERTEX_PRIORITY, "gemini-3-pro-image"),
        (Tier.IMAGEN, "imagen-4.0-generate-001"),
    ],
)
def test_each_request_to_vertex_bears_the_labels(simulator: Ready, tier: Tier, model: str) -> None:
    assert told(simulator.url, tier, model) == "cost-centre=4711,team=shop"


def test_ai_studio_which_has_no_such_bill_is_told_none(simulator: Ready) -> None:
    assert told(simulator.url, Tier.AISTUDIO, "gemini-3-pro-image") is None


def test_a_line_of_a_batch_bears_them_beside_its_own(
    simulator: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", simulator.url)
    staging = Staging("gs://stage/desk", Settings().gcs)
    batch = VertexBatch(Rest(requests.Session(), simulator.url), "p", staging, LABELS)

    line = json.loads(batch.line("att_1", LAMP))

    assert line["request"]["labels"] == LABELS | {"team": "shop", LABEL: "att_1"}
    batch.close()


def test_tags_of_a_row_are_its_labels_where_that_is_said(tmp_path: Path) -> None:
    vertex = {"project": "p", "access_token": "t", "label_tags": ["season"]}
    row: dict[str, object] = {"id": "a", "prompt": "a lamp"}
    tagged = row | {"tags": {"season": "ss27", "sku": "4711"}}
    with Darkroom(Settings.model_validate({"home": tmp_path, "vertex": vertex})) as room:
        (draft,) = room.drafts(room.plan([tagged]))
        (plain,) = room.drafts(room.plan([row]))
        (problem,) = room.plan([row | {"tags": {"season": "Spring 27"}}]).problems

    assert draft.request.labels == (("season", "ss27"),)
    assert draft.prints == plain.prints, "a label draws no other picture"
    assert (problem.column, problem.message) == (
        "tag.season",
        '"Spring 27" is no label for the bill.',
    )


VERTEX = {"project": "p", "access_token": "t", "labels": {"team": "studio"}}
BOTH = {"vertex": VERTEX, "aistudio": {"api_key": "k"}}
LABELLED = {"id": "a", "prompt": "a lamp", "label.season": "ss27"}


def drafts(room: Darkroom, row: Mapping[str, object], **choices: Any) -> list[Draft]:
    return list(room.drafts(room.plan([row], choices=Choices(**choices))))


def problem(room: Darkroom, row: Mapping[str, object], **choices: Any) -> Problem:
    (found,) = room.plan([row], choices=Choices(**choices)).problems
    return found


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Darkroom]:
    told = {"home": tmp_path, **BOTH, "defaults": {"tier": "vertex"}}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made


def test_the_rows_own_label_counts_before_its_tag_and_that_before_the_jobs(tmp_path: Path) -> None:
    vertex = VERTEX | {"label_tags": ["season", "line"]}
    row = LABELLED | {"tags": {"season": "fw26", "line": "home"}}
    job = {"season": "none", "line": "none", "campaign": "spring"}
    with Darkroom(Settings.model_validate({"home": tmp_path, "vertex": vertex})) as room:
        (draft,) = drafts(room, row, labels=job)
        (plain,) = drafts(room, {"id": "a", "prompt": "a lamp"})

    assert dict(draft.request.labels) == {"season": "ss27", "line": "home", "campaign": "spring"}
    assert draft.prints == plain.prints, "a label draws no other picture"


def test_a_table_has_labels_in_columns(room: Darkroom, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("prompt,label.season,labels.shop\na lamp,ss27,7\na cup,,8\n")
    lamp, cup = room.drafts(room.plan(file))

    assert dict(lamp.request.labels) == {"season": "ss27", "shop": "7"}
    assert dict(cup.request.labels) == {"shop": "8"}
    assert lamp.row.variables == {}


@pytest.mark.parametrize("tier", [Tier.AISTUDIO, Tier.AISTUDIO_BATCH, Tier.SIMULATOR])
def test_who_has_no_such_bill_is_refused_what_a_row_or_job_labels(
    room: Darkroom, tier: Tier
) -> None:
    of_row = problem(room, LABELLED, tier=tier)
    of_job = problem(room, {"id": "a", "prompt": "a lamp"}, tier=tier, labels={"team": "shop"})

    assert (of_row.column, of_row.message) == ("label.season", f"{tier} takes no labels.")
    assert (of_job.column, of_job.message) == ("tier", f"{tier} takes no labels.")
    assert "leave job.labels out" in (of_job.hint or "")


@pytest.mark.parametrize("mode", ["native", "chat", "images"])
def test_a_proxy_is_refused_labels_and_vertex_is_named(tmp_path: Path, mode: str) -> None:
    door = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "mode": mode}
    told = {"home": tmp_path, "proxy": door, "defaults": {"tier": "proxy"}}
    with Darkroom(Settings.model_validate(told)) as room:
        found = problem(room, LABELLED | {"model": "gemini-3-pro-image"})

    assert "takes no labels" in found.message
    assert "Choose vertex;" in (found.hint or "")


def test_where_a_tier_is_chosen_it_is_one_that_has_labels(room: Darkroom) -> None:
    (draft,) = drafts(room, LABELLED | {"tier": "auto"})

    assert {bid.tier.provider for bid in draft.bids} == {Provider.VERTEX}


def test_tags_and_settings_label_nothing_where_there_is_no_such_bill(tmp_path: Path) -> None:
    told = {**BOTH, "vertex": VERTEX | {"label_tags": ["season"]}, "home": tmp_path}
    row = {"id": "a", "prompt": "a lamp", "tags": {"season": "ss27"}, "tier": "aistudio"}
    with Darkroom(Settings.model_validate(told)) as room:
        assert room.plan([row]).problems == []


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"label.team": "Two Words"}, "label.team"),
        ({"label.team": ""}, None),
        ({"label.Team": "shop"}, "label.Team"),
        ({f"label.k{n}": "v" for n in range(63)}, "label.k0"),
    ],
)
def test_a_label_that_google_does_not_take_makes_a_bad_row(
    room: Darkroom, row: dict[str, object], column: str | None
) -> None:
    problems = room.plan([{"id": "a", "prompt": "a lamp"} | row]).problems

    assert [(each.code, each.column) for each in problems] == (
        [] if column is None else [(Code.LABEL, column)]
    )


@pytest.mark.parametrize("labels", [{"Team": "shop"}, {"team": "Two Words"}, {"team": 7}])
def test_a_job_with_a_label_that_google_does_not_take_is_refused(
    room: Darkroom, labels: dict[str, Any]
) -> None:
    with pytest.raises(ConfigInvalid, match="no key or value of a label"):
        room.plan([{"id": "a", "prompt": "a lamp"}], choices=Choices(labels=labels))


def test_a_label_of_too_many_values_is_warned_of_once(room: Darkroom) -> None:
    rows = [{"id": f"r{n}", "prompt": f"lamp {n}", "label.sku": str(n)} for n in range(1_010)]

    plan = room.plan(rows, choices=Choices(labels={"team": "shop"}))

    assert [(w.code, w.line, w.column) for w in plan.warnings] == [(Code.LABEL, 1_000, "label.sku")]
    assert "1,000 values" in plan.warnings[0].message


def test_labels_of_a_job_go_with_its_renders(room: Darkroom) -> None:
    job = room.submit([LABELLED], labels={"team": "shop"})

    (made,) = job.results()
    assert json.loads(made.request)["labels"] == [["team", "shop"], ["season", "ss27"]]


@pytest.mark.parametrize("label", ["Team", "two words", "", "x" * 64])
def test_what_google_takes_for_no_label_is_refused(label: str) -> None:
    with pytest.raises(ValidationError, match=r"vertex\.labels"):
        Settings.model_validate({"vertex": {"labels": {"team": label}}})
