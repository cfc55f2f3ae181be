"""Larger reference images on Vertex: put into the bucket once, or sent along without one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from tests.conftest import ObjectStorage

from darkroom.models import AttemptState
from darkroom.request import Reference, Request
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends.base import Backend, Outcome
from darkroom_worker.backends.gemini import open_vertex

# google-genai 3.4.0 hands aiohttp a body of any size at once, which aiohttp warns of from 1 MB
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")

MODEL = "gemini-3-pro-image"


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ready]:
    buckets = tmp_path / "buckets"
    (buckets / "stage").mkdir(parents=True)
    with running("--pictures", "cached", "--buckets", str(buckets)) as ready:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", ready.url)
        yield ready


def image(path: Path, size: int, colour: str) -> Reference:
    Image.new("RGB", (32, 32), colour).save(path, "PNG")
    with path.open("ab") as file:
        file.truncate(size)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Reference(uri=str(path), mime="image/png", sha256=digest, size=size)


def sent(
    url: str, staging: str | None, request: Request, times: int, tier: Tier = Tier.VERTEX
) -> list[Outcome]:
    """Let two workers send the same request as often, all at once."""
    vertex = {"project": "p", "access_token": "t", "base_url": url}
    told = {"vertex": vertex} | ({} if staging is None else {"staging_url": staging})
    settings = Settings.model_validate(told)

    async def one(backend: Backend) -> Outcome:
        return backend.read(await backend.send(request, MODEL, 20))

    async def go() -> list[Outcome]:
        workers = [open_vertex(settings, tier) for _ in range(2)]
        try:
            return await asyncio.gather(*(one(each) for each in workers for _ in range(times)))
        finally:
            await asyncio.gather(*(each.close() for each in workers))

    return asyncio.run(go())


def shown(url: str) -> list[list[str]]:
    with urllib.request.urlopen(f"{url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        return [sorted(json.loads(line)["references"]) for line in answer]


def test_a_larger_image_lies_in_the_bucket_once_for_many_requests_and_workers(
    google: Ready, tmp_path: Path
) -> None:
    large = image(tmp_path / "a.png", 2_000_000, "red")
    small = image(tmp_path / "b.png", 900_000, "blue")
    request = Request(prompt="a lamp", references=(large, small))

    outcomes = sent(google.url, "gs://stage/desk", request, 4)

    assert {each.ended for each in outcomes} == {AttemptState.DELIVERED}
    found = ObjectStorage(google.url, tmp_path / "buckets").objects("gs://stage")
    assert [each["name"] for each in found] == [f"desk/references/{large.sha256}.png"]
    assert shown(google.url) == [sorted([str(large.sha256), str(small.sha256)])] * 8


@pytest.mark.parametrize("staging", [None, "gs://nobodys/desk"])
def test_without_a_bucket_that_answers_images_go_along(
    google: Ready, tmp_path: Path, staging: str | None
) -> None:
    large = image(tmp_path / "a.png", 2_000_000, "red")

    outcomes = sent(google.url, staging, Request(prompt="a lamp", references=(large,)), 2)

    assert {each.ended for each in outcomes} == {AttemptState.DELIVERED}
    assert shown(google.url) == [[large.sha256]] * 4


def test_an_image_that_no_request_could_hold_goes_through_the_bucket(
    google: Ready, tmp_path: Path
) -> None:
    huge = image(tmp_path / "a.png", 29_000_000, "red")
    request = Request(prompt="in blue", edits="f" * 32, shown=1, canvas=huge, references=(huge,))

    outcomes = sent(google.url, "gs://stage/desk", request, 1)

    assert {each.ended for each in outcomes} == {AttemptState.DELIVERED}
    assert shown(google.url) == [[huge.sha256, huge.sha256]] * 2


@pytest.mark.parametrize(
    ("tier", "count", "size"), [(Tier.VERTEX, 1, 9_000_000), (Tier.VERTEX_FLEX, 3, 6_000_000)]
)
@pytest.mark.parametrize("staging", ["gs://nobodys/desk", "gs://"])
def test_nothing_is_sent_while_the_bucket_of_what_is_too_large_does_not_answer(
    google: Ready, tmp_path: Path, staging: str, tier: Tier, count: int, size: int
) -> None:
    large = image(tmp_path / "a.png", size, "red")

    outcomes = sent(
        google.url, staging, Request(prompt="a lamp", references=(large,) * count), 1, tier
    )

    assert {each.ended for each in outcomes} == {AttemptState.TRANSIENT}
    assert "could not be uploaded" in str(outcomes[0].message)
    assert shown(google.url) == []


def test_an_image_that_is_to_be_changed_goes_along_with_its_only_request(
    google: Ready, tmp_path: Path
) -> None:
    made = image(tmp_path / "a.png", 2_000_000, "red")
    request = Request(prompt="in blue", edits="f" * 32, shown=1, canvas=made)

    outcomes = sent(google.url, "gs://stage/desk", request, 1)

    assert {each.ended for each in outcomes} == {AttemptState.DELIVERED}
    assert ObjectStorage(google.url, tmp_path / "buckets").objects("gs://stage") == []
