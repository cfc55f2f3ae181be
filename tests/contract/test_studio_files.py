"""Larger reference images on AI Studio: uploaded once, and sent along where that fails."""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pydantic import SecretStr

from darkroom.models import AttemptState
from darkroom.request import Reference, Request
from darkroom.settings import AIStudio
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends.base import Backend, Outcome
from darkroom_worker.backends.gemini import open_aistudio

# google-genai 3.4.0 hands aiohttp a body of any size at once, which aiohttp warns of from 1 MB
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")

MODEL = "gemini-3-pro-image"
BROKEN = """[[batch]]
fault = "upload-503"
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Ready]:
    with running("--pictures", "cached", "--body-bytes", "60000") as ready:
        yield ready


def image(path: Path, size: int, colour: str = "red") -> Reference:
    Image.new("RGB", (32, 32), colour).save(path, "PNG")
    with path.open("ab") as file:
        file.truncate(size)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Reference(uri=str(path), mime="image/png", sha256=digest, size=size)


def opened(url: str) -> Backend:
    return open_aistudio(AIStudio(api_key=SecretStr("key"), base_url=url))


async def send(backend: Backend, prompt: str, *references: Reference) -> Outcome:
    request = Request(prompt=prompt, references=references)
    return backend.read(await backend.send(request, MODEL, 20))


def got(url: str, path: str) -> bytes:
    asked = urllib.request.Request(f"{url}{path}", headers={"x-goog-api-key": "key"})  # noqa: S310
    with urllib.request.urlopen(asked) as answer:  # noqa: S310  # loopback
        body: bytes = answer.read()
        return body


def files(url: str) -> list[str]:
    return [each["name"] for each in json.loads(got(url, "/v1beta/files")).get("files", [])]


def seen(url: str, prompt: str) -> list[list[str]]:
    lines = [json.loads(line) for line in got(url, "/_sim/ledger/lines").splitlines()]
    name = hashlib.sha256(prompt.encode()).hexdigest()
    return [line["references"] for line in lines if line["prompt_sha256"] == name]


def forget(url: str, name: str) -> None:
    asked = urllib.request.Request(  # noqa: S310  # loopback
        f"{url}/v1beta/{name}", method="DELETE", headers={"x-goog-api-key": "key"}
    )
    urllib.request.urlopen(asked).close()  # noqa: S310  # loopback


def test_a_larger_image_is_uploaded_once_for_many_requests_and_workers(
    simulator: Ready, tmp_path: Path
) -> None:
    large, small = image(tmp_path / "a", 2_000_000), image(tmp_path / "b", 900_000, "blue")
    before = len(files(simulator.url))

    async def go() -> list[Outcome]:
        workers = [opened(simulator.url) for _ in range(2)]
        try:
            asked = [send(each, "a lamp", large, small) for each in workers for _ in range(4)]
            return await asyncio.gather(*asked)
        finally:
            await asyncio.gather(*(each.close() for each in workers))

    outcomes = asyncio.run(go())

    assert {each.ended for each in outcomes} == {AttemptState.DELIVERED}
    assert len(files(simulator.url)) == before + 1
    expected = sorted([str(large.sha256), str(small.sha256)])
    assert [sorted(each) for each in seen(simulator.url, "a lamp")] == [expected] * 8


def test_an_image_larger_than_a_request_may_hold_is_pointed_to(
    simulator: Ready, tmp_path: Path
) -> None:
    huge = image(tmp_path / "a", 9_000_000)

    [outcome] = asked(simulator.url, "a barn", huge)

    assert outcome.ended is AttemptState.DELIVERED
    assert seen(simulator.url, "a barn") == [[huge.sha256]]


def asked(url: str, prompt: str, *references: Reference, gone_before: int = 0) -> list[Outcome]:
    """Send one after the other; before the first so many after the first, the file is lost."""

    async def go() -> list[Outcome]:
        backend = opened(url)
        try:
            outcomes = [await send(backend, prompt, *references)]
            for _ in range(gone_before):
                for name in files(url):
                    forget(url, name)
                outcomes.append(await send(backend, prompt, *references))
                outcomes.append(await send(backend, prompt, *references))
            return outcomes
        finally:
            await backend.close()

    return asyncio.run(go())


def test_a_file_that_went_is_uploaded_again_for_the_next_attempt_and_costs_none(
    tmp_path: Path,
) -> None:
    with running("--pictures", "cached", "--body-bytes", "60000") as own:
        outcomes = asked(own.url, "a jug", image(tmp_path / "a", 2_000_000), gone_before=1)
        billed = json.loads(got(own.url, "/_sim/ledger"))["images"]

    ended = [each.ended for each in outcomes]
    assert ended == [AttemptState.DELIVERED, AttemptState.NOT_SENT, AttemptState.DELIVERED]
    assert billed == 2
    assert "may not exist" in (outcomes[1].message or "")


def test_a_file_that_gets_lost_again_and_again_goes_along(tmp_path: Path) -> None:
    with running("--pictures", "cached", "--body-bytes", "60000") as own:
        one = image(tmp_path / "a", 2_000_000)
        outcomes = asked(own.url, "a jug", one, gone_before=3)
        shown = seen(own.url, "a jug")

    unsent = [each.ended for each in outcomes].count(AttemptState.NOT_SENT)
    assert unsent == 2
    assert outcomes[-1].ended is AttemptState.DELIVERED
    assert shown[-1] == [one.sha256]


def test_what_cannot_be_uploaded_goes_along_or_is_tried_again(tmp_path: Path) -> None:
    small, huge = image(tmp_path / "a", 2_000_000), image(tmp_path / "b", 9_000_000)
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(BROKEN, encoding="utf-8")
    with running("--pictures", "cached", "--scenario", str(scenario)) as own:
        [along], [later] = asked(own.url, "a jug", small), asked(own.url, "a barn", huge)
        shown = seen(own.url, "a jug"), seen(own.url, "a barn")

    assert along.ended is AttemptState.DELIVERED
    assert later.ended is AttemptState.TRANSIENT
    assert "could not be uploaded" in (later.message or "")
    assert shown == ([[small.sha256]], [])
