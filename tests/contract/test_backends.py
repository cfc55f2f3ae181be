"""Every backend passes this suite: real HTTP, the real SDK, the simulator at the other end."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from darkroom.jobs.close import Picture
from darkroom.models import AttemptState, CostSource
from darkroom.registry import Ask, Registry
from darkroom.request import Request
from darkroom.settings import AIStudio, Vertex
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends.base import Backend, Outcome
from darkroom_worker.backends.gemini import open_aistudio, open_vertex
from darkroom_worker.costing import cost_of
from darkroom_worker.picture import Damage, examine


def model_of(tier: Tier) -> str:
    """The newest, which flex does not serve."""
    return "gemini-3-pro-image" if tier is Tier.VERTEX_FLEX else "gemini-nano-banana-2.1"


def on_vertex(tier: Tier) -> Callable[[str], Backend]:
    token = SecretStr("token")
    return lambda url: open_vertex(Vertex(project="p", access_token=token, base_url=url), tier)


OPENERS: dict[Tier, Callable[[str], Backend]] = {
    Tier.AISTUDIO: lambda url: open_aistudio(AIStudio(api_key=SecretStr("key"), base_url=url)),
    Tier.VERTEX: on_vertex(Tier.VERTEX),
    Tier.VERTEX_FLEX: on_vertex(Tier.VERTEX_FLEX),
    Tier.VERTEX_PRIORITY: on_vertex(Tier.VERTEX_PRIORITY),
    Tier.VERTEX_PROVISIONED: on_vertex(Tier.VERTEX_PROVISIONED),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Ready]:
    with running() as ready:
        yield ready


@pytest.fixture(params=list(OPENERS))
def tier(request: pytest.FixtureRequest) -> Tier:
    return Tier(request.param)


def ask(
    url: str,
    tier: Tier,
    prompt: str,
    *,
    model: str | None = None,
    seconds: float = 20,
    **wishes: object,
) -> Outcome:
    request = Request(prompt=prompt, **wishes)  # type: ignore[arg-type]

    async def once() -> Outcome:
        backend = OPENERS[tier](url)
        try:
            return backend.read(await backend.send(request, model or model_of(tier), seconds))
        finally:
            await backend.close()

    return asyncio.run(settled(once))


async def settled(work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    outcome = await work()
    await asyncio.sleep(0)  # let transports close before the loop does
    return outcome


def billed(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/_sim/ledger") as answer:  # noqa: S310  # loopback
        found: dict[str, int] = json.load(answer)
        return found


OUTCOMES = [
    ("a lamp", AttemptState.DELIVERED),
    ("a lamp [[sim:thought-first]]", AttemptState.DELIVERED),
    ("a lamp [[sim:only-thought]]", AttemptState.DELIVERED),
    ("a lamp [[sim:two-images]]", AttemptState.DELIVERED),
    ("a lamp [[sim:no-usage]]", AttemptState.DELIVERED),
    ("a lamp [[sim:wrong-mime]]", AttemptState.DELIVERED),
    ("a lamp [[sim:429=7]]", AttemptState.BUSY),
    ("a lamp [[sim:429-day]]", AttemptState.BUSY),
    ("a lamp [[sim:429-spend]]", AttemptState.BUSY),
    ("a lamp [[sim:429-credits]]", AttemptState.BUSY),
    ("a lamp [[sim:402]]", AttemptState.BUSY),
    ("a lamp [[sim:503]]", AttemptState.BUSY),
    ("a lamp [[sim:500]]", AttemptState.TRANSIENT),
    ("a lamp [[sim:504]]", AttemptState.LOST),
    ("a lamp [[sim:502-html]]", AttemptState.LOST),
    ("a lamp [[sim:garbage]]", AttemptState.LOST),
    ("a lamp [[sim:drop-before]]", AttemptState.LOST),
    ("a lamp [[sim:drop-after]]", AttemptState.LOST),
    ("a lamp [[sim:reset]]", AttemptState.LOST),
    ("a lamp [[sim:truncated]]", AttemptState.LOST),
    ("a lamp [[sim:refuse]]", AttemptState.REFUSED),
    ("a lamp [[sim:prohibited]]", AttemptState.REFUSED),
    ("a lamp [[sim:recitation]]", AttemptState.REFUSED),
    ("a lamp [[sim:block]]", AttemptState.REFUSED),
    ("a lamp [[sim:text-only]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:no-image]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:image-other]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:max-tokens]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:empty]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:no-candidates]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:bad-base64]]", AttemptState.SPOILED),
]


@pytest.mark.parametrize(("prompt", "ended"), OUTCOMES, ids=[p for p, _ in OUTCOMES])
def test_each_answer_has_its_class_and_costs_exactly_one_post(
    simulator: Ready, tier: Tier, prompt: str, ended: AttemptState
) -> None:
    before = billed(simulator.url)["requests"]

    outcome = ask(simulator.url, tier, prompt)

    assert outcome.ended is ended
    assert billed(simulator.url)["requests"] == before + 1


def test_an_answer_that_takes_too_long_is_lost_after_one_post(simulator: Ready, tier: Tier) -> None:
    before = billed(simulator.url)["requests"]

    outcome = ask(simulator.url, tier, "a lamp [[sim:slow=30]]", seconds=0.5)

    assert outcome.ended is AttemptState.LOST
    assert billed(simulator.url)["requests"] == before + 1


def test_nobody_at_the_other_end_means_that_nothing_was_sent(tier: Tier) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        assert ask(url, tier, "a lamp").ended is AttemptState.NOT_SENT


def test_the_picture_has_the_pixels_that_the_registry_expects(simulator: Ready, tier: Tier) -> None:
    outcome = ask(simulator.url, tier, "a lamp", aspect_ratio="16:9", image_size="2K")

    assert outcome.image is not None
    found = examine(outcome.image, (2752, 1536))
    assert isinstance(found, Picture)
    assert found.mime == "image/jpeg"


@pytest.mark.parametrize("fault", ["wrong-size", "corrupt", "truncated-image"])
def test_a_damaged_picture_is_found_out(simulator: Ready, tier: Tier, fault: str) -> None:
    outcome = ask(simulator.url, tier, f"a lamp [[sim:{fault}]]", image_size="1K")

    assert outcome.image is not None
    assert isinstance(examine(outcome.image, (1024, 1024)), Damage)


def test_the_wait_that_google_asks_for_is_heard(simulator: Ready, tier: Tier) -> None:
    assert ask(simulator.url, tier, "a lamp [[sim:429=7]]").wait == 7.0


def test_a_used_up_day_rests_the_model_until_pacific_midnight(simulator: Ready, tier: Tier) -> None:
    rest = ask(simulator.url, tier, "a lamp [[sim:429-day]]").rest

    assert rest is not None
    assert rest.seconds is not None
    assert 0 < rest.seconds <= 25 * 3600 + 5
    assert not rest.whole_tier


@pytest.mark.parametrize("fault", ["402", "429-credits"])
def test_used_up_credits_rest_the_tier_until_a_person_acts(
    simulator: Ready, tier: Tier, fault: str
) -> None:
    rest = ask(simulator.url, tier, f"a lamp [[sim:{fault}]]").rest

    assert rest is not None
    assert rest.whole_tier
    assert rest.seconds is None


def test_a_model_that_does_not_exist_is_gone(simulator: Ready, tier: Tier) -> None:
    outcome = ask(simulator.url, tier, "a lamp", model="gemini-9-image")

    assert outcome.ended is AttemptState.GONE
    assert outcome.rest is not None


def test_what_the_model_refuses_is_invalid_with_googles_words(simulator: Ready, tier: Tier) -> None:
    outcome = ask(simulator.url, tier, "a lamp", temperature=2.5)

    assert outcome.ended is AttemptState.INVALID
    assert outcome.message


def test_a_wrong_key_is_denied_and_rests_the_tier() -> None:
    with running("--api-key", "right") as strict:
        outcome = ask(strict.url, Tier.AISTUDIO, "a lamp")

    assert outcome.ended is AttemptState.DENIED
    assert outcome.rest is not None
    assert outcome.rest.whole_tier


def test_a_proxy_that_is_not_google_is_denied_not_invalid() -> None:
    class NotFound(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), NotFound) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        outcome = ask(f"http://127.0.0.1:{server.server_port}", Tier.AISTUDIO, "a lamp")
        server.shutdown()
        thread.join()

    assert outcome.ended is AttemptState.DENIED


@pytest.mark.parametrize("fault", ["", "[[sim:refuse]]", "[[sim:text-only]]", "[[sim:two-images]]"])
def test_the_charge_is_what_the_simulators_own_bill_says(
    simulator: Ready, tier: Tier, fault: str
) -> None:
    before = billed(simulator.url)["cost_nusd"]

    outcome = ask(simulator.url, tier, f"a lamp {fault}", thinking="high", image_size="4K")
    wish = Ask(model=model_of(tier), image_size="4K", thinking="high")
    cost = cost_of(outcome, wish, tier, datetime.now(UTC), Registry.load(), "global")

    assert cost.charged_nusd == billed(simulator.url)["cost_nusd"] - before
    assert cost.source is CostSource.METERED


def test_a_picture_without_usage_is_charged_as_expected_and_marked_estimated(
    simulator: Ready, tier: Tier
) -> None:
    outcome = ask(simulator.url, tier, "a lamp [[sim:no-usage]]", image_size="1K")

    wish = Ask(model=model_of(tier), image_size="1K", prompt_chars=26)
    registry, now = Registry.load(), datetime.now(UTC)
    cost = cost_of(outcome, wish, tier, now, registry, "global")
    expected = registry.estimate(wish, tier, now)

    assert cost.source is CostSource.ESTIMATED
    assert expected is not None
    assert cost.charged_nusd == expected.low
