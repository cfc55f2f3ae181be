"""Labels for the billing export: on each request to Vertex, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pydantic import ValidationError

from darkroom import Darkroom
from darkroom.models import AttemptState
from darkroom.request import Request
from darkroom.settings import Settings
from darkroom.storage.staging import Staging
from darkroom_manifests.tier import Tier
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


@pytest.mark.parametrize("label", ["Team", "two words", "", "x" * 64])
def test_what_google_takes_for_no_label_is_refused(label: str) -> None:
    with pytest.raises(ValidationError, match=r"vertex\.labels"):
        Settings.model_validate({"vertex": {"labels": {"team": label}}})
