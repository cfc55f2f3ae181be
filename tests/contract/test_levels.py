"""Service levels: how each is asked for, which one served, and what that costs.

The real SDK sends to the simulator, and the simulator's ledger is the witness.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from darkroom.models import AttemptState
from darkroom.registry import Ask, Level, Registry
from darkroom.request import Reference, Request
from darkroom.settings import AIStudio, ServiceTier, Settings, Vertex
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends import open_backend
from darkroom_worker.backends.base import Outcome
from darkroom_worker.costing import Cost, cost_of

NEWEST = "gemini-nano-banana-2.1"
FLASH = "gemini-3.1-flash-image"
PRO = "gemini-3-pro-image"
TYPE = "x-vertex-ai-llm-request-type"
SHARED = "x-vertex-ai-llm-shared-request-type"
REGISTRY = Registry.load()


@pytest.fixture(scope="module")
def process() -> Iterator[Ready]:
    with running("--pictures", "cached") as ready:
        yield ready


@pytest.fixture
def google(process: Ready) -> str:
    with urllib.request.urlopen(f"{process.url}/_sim/reset", b""):  # noqa: S310  # loopback
        return process.url


def bill(url: str) -> list[dict[str, Any]]:
    """Every request since the last reset."""
    with urllib.request.urlopen(f"{url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        return [json.loads(line) for line in answer]


def ask(
    url: str,
    tier: Tier,
    request: Request,
    *,
    model: str = PRO,
    seconds: float = 20,
    named: ServiceTier | None = None,
    location: str = "global",
) -> Outcome:
    settings = Settings(
        aistudio=AIStudio(api_key=SecretStr("key"), base_url=url, service_tier=named),
        vertex=Vertex(
            project="p", access_token=SecretStr("token"), base_url=url, location=location
        ),
    )

    async def once() -> Outcome:
        backend = open_backend(tier, settings)
        outcome = backend.read(await backend.send(request, model, seconds))
        await backend.close()
        await asyncio.sleep(0)  # let transports close before the loop does
        return outcome

    return asyncio.run(once())


def priced(outcome: Outcome, tier: Tier, model: str = PRO, location: str = "global") -> Cost:
    now = datetime.now(UTC)
    return cost_of(outcome, Ask(model=model), tier, now, REGISTRY, location)


@pytest.mark.parametrize(
    ("tier", "headers"),
    [
        (Tier.VERTEX, {}),
        (Tier.VERTEX_FLEX, {TYPE: "shared", SHARED: "flex"}),
        (Tier.VERTEX_PRIORITY, {TYPE: "shared", SHARED: "priority"}),
        (Tier.VERTEX_PROVISIONED, {TYPE: "dedicated"}),
    ],
)
def test_vertex_is_told_the_level_by_headers_alone(
    google: str, tier: Tier, headers: dict[str, str]
) -> None:
    outcome = ask(google, tier, Request(prompt="a lamp"), seconds=1_800)

    (line,) = bill(google)
    assert outcome.ended is AttemptState.DELIVERED  # a field in the body would be refused
    assert line["headers"] == {**headers, "x-server-timeout": "1800"}


@pytest.mark.parametrize("named", [None, ServiceTier.STANDARD, ServiceTier.PRIORITY])
def test_ai_studio_is_told_the_level_in_the_body_and_only_if_one_is_set(
    google: str, named: ServiceTier | None
) -> None:
    outcome = ask(google, Tier.AISTUDIO, Request(prompt="a lamp"), named=named)

    (line,) = bill(google)
    assert outcome.ended is AttemptState.DELIVERED
    assert line["service"] == (named or ServiceTier.STANDARD)
    assert line["headers"].keys() == {"x-server-timeout"}


SERVED = [
    (Tier.VERTEX, "", "ON_DEMAND", Level.STANDARD),
    (Tier.VERTEX, "bought", "PROVISIONED_THROUGHPUT", Level.PROVISIONED),
    (Tier.VERTEX_FLEX, "", "ON_DEMAND_FLEX", Level.FLEX),
    (Tier.VERTEX_FLEX, "bought", "ON_DEMAND_FLEX", Level.FLEX),
    (Tier.VERTEX_PRIORITY, "", "ON_DEMAND_PRIORITY", Level.PRIORITY),
    (Tier.VERTEX_PRIORITY, "bought", "ON_DEMAND_PRIORITY", Level.PRIORITY),
    (Tier.VERTEX_PRIORITY, "downgrade", "ON_DEMAND", Level.STANDARD),
    (Tier.VERTEX_PROVISIONED, "", "PROVISIONED_THROUGHPUT", Level.PROVISIONED),
    (Tier.VERTEX_PROVISIONED, "spill", "ON_DEMAND", Level.STANDARD),
]


@pytest.mark.parametrize("location", ["global", "eu"])
@pytest.mark.parametrize("fault", ["", "refuse"])
@pytest.mark.parametrize(("tier", "told", "said", "level"), SERVED)
def test_what_served_is_what_is_charged(
    google: str, tier: Tier, told: str, said: str, level: Level, fault: str, location: str
) -> None:
    place = "global" if tier is Tier.VERTEX_FLEX else location
    words = "".join(f" [[sim:{word}]]" for word in (told, fault) if word)

    outcome = ask(google, tier, Request(prompt=f"a lamp{words}"), location=place)

    (line,) = bill(google)
    assert (outcome.traffic_type, outcome.level) == (said, level)
    assert line["service"] == level
    assert priced(outcome, tier, location=place).charged_nusd == line["cost_nusd"]


@pytest.mark.parametrize(
    ("named", "told", "level"),
    [
        (None, "", Level.STANDARD),
        (ServiceTier.STANDARD, "", Level.STANDARD),
        (ServiceTier.PRIORITY, "", Level.PRIORITY),
        (ServiceTier.PRIORITY, "[[sim:downgrade]]", Level.STANDARD),
    ],
)
def test_ai_studio_is_charged_by_the_level_that_its_answer_names(
    google: str, named: ServiceTier | None, told: str, level: Level
) -> None:
    outcome = ask(google, Tier.AISTUDIO, Request(prompt=f"a lamp {told}"), named=named)

    (line,) = bill(google)
    assert (outcome.traffic_type, outcome.level) == (level.value, level)
    assert priced(outcome, Tier.AISTUDIO).charged_nusd == line["cost_nusd"]


def test_without_a_word_in_the_usage_ai_studios_header_names_the_level(google: str) -> None:
    request = Request(prompt="a lamp [[sim:no-usage]] [[sim:downgrade]]")

    outcome = ask(google, Tier.AISTUDIO, request, named=ServiceTier.PRIORITY)

    assert outcome.level is Level.STANDARD


def test_no_image_model_has_flex_on_ai_studio(google: str) -> None:
    outcome = ask(google, Tier.AISTUDIO, Request(prompt="a lamp"), named=ServiceTier.FLEX)

    assert outcome.ended is AttemptState.INVALID
    assert "flex service tier" in (outcome.message or "")


@pytest.mark.parametrize(("tier", "told"), [(tier, told) for tier, told, *_ in SERVED])
def test_the_reservation_covers_whatever_served(google: str, tier: Tier, told: str) -> None:
    prompt = f"a lamp [[sim:{told}]]" if told else "a lamp"
    wish = Ask(model=PRO, prompt_chars=len(prompt))
    estimate = REGISTRY.estimate(wish, tier, datetime.now(UTC))

    outcome = ask(google, tier, Request(prompt=prompt))

    assert estimate is not None
    assert priced(outcome, tier).charged_nusd <= estimate.high


@pytest.fixture
def large(tmp_path: Path) -> Reference:
    """A picture whose base64 has 7 MB; three of them are too large for flex, two are not."""
    path = tmp_path / "large.png"
    Image.new("RGB", (8, 8)).save(path)
    with path.open("ab") as file:
        file.truncate(5_250_000)
    return Reference(str(path), "image/png")


def test_a_flex_request_of_more_than_20_mb_is_refused_before_it_is_sent(
    google: str, large: Reference
) -> None:
    request = Request(prompt="a lamp", references=(large,) * 3)

    outcome = ask(google, Tier.VERTEX_FLEX, request)

    assert outcome.ended is AttemptState.INVALID
    assert outcome.message == "The request has 21.0 MB, and vertex-flex takes 20 MB at most."
    assert bill(google) == []


@pytest.mark.filterwarnings("ignore:Sending a large body directly")  # as the SDK does
@pytest.mark.parametrize(
    ("tier", "references"),
    [(Tier.VERTEX_FLEX, 2), (Tier.VERTEX, 3), (Tier.VERTEX_PRIORITY, 3)],
)
def test_a_request_that_the_level_takes_is_sent_with_all_its_references(
    google: str, large: Reference, tier: Tier, references: int
) -> None:
    request = Request(prompt="a lamp", references=(large,) * references)

    assert ask(google, tier, request).ended is AttemptState.DELIVERED


def test_the_simulator_takes_no_flex_request_of_more_than_20_mb(google: str) -> None:
    path = f"/v1/projects/p/locations/global/publishers/google/models/{PRO}:generateContent"
    headers = {"authorization": "Bearer t", SHARED: "flex"}
    request = urllib.request.Request(google + path, b" " * 20_000_001, headers)  # noqa: S310

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)  # noqa: S310  # loopback
    with refused.value as answer:
        assert (answer.code, b"payload size" in answer.read()) == (400, True)


@pytest.mark.parametrize(
    ("tier", "model", "location"),
    [
        (Tier.VERTEX_FLEX, NEWEST, "global"),
        (Tier.VERTEX_FLEX, FLASH, "eu"),
        (Tier.VERTEX_PRIORITY, FLASH, "us-central1"),
        (Tier.VERTEX_PRIORITY, "gemini-2.5-flash-image", "global"),
    ],
)
def test_a_level_that_is_not_to_be_had_is_invalid(
    google: str, tier: Tier, model: str, location: str
) -> None:
    outcome = ask(google, tier, Request(prompt="a lamp"), model=model, location=location)

    assert outcome.ended is AttemptState.INVALID
    assert REGISTRY.problems(Ask(model=model), tier, datetime.now(UTC).date(), location=location)


def test_bought_throughput_that_is_used_up_waits_and_rests_nobody(google: str) -> None:
    request = Request(prompt="a lamp [[sim:429-provisioned]]")

    outcome = ask(google, Tier.VERTEX_PROVISIONED, request)

    assert (outcome.ended, outcome.rest) == (AttemptState.BUSY, None)
