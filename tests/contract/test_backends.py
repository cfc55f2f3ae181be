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
from enum import StrEnum
from typing import Any

import pytest
from pydantic import SecretStr

from darkroom.jobs.close import Picture
from darkroom.models import AttemptState, CostSource
from darkroom.price_list import registry_of
from darkroom.registry import Ask
from darkroom.request import Request, Wishes
from darkroom.router.wished import unheard
from darkroom.settings import AIStudio, Mode, Proxy, ProxyPrice, Settings, Vertex
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends.base import Backend, Outcome
from darkroom_worker.backends.gemini import open_aistudio, open_vertex
from darkroom_worker.backends.imagen import open_imagen
from darkroom_worker.backends.proxy import open_proxy
from darkroom_worker.costing import cost_of
from darkroom_worker.picture import Damage, examine


class Door(StrEnum):
    """A tier, or one of the wires by which a proxy is spoken to."""

    AISTUDIO = "aistudio"
    VERTEX = "vertex"
    VERTEX_FLEX = "vertex-flex"
    VERTEX_PRIORITY = "vertex-priority"
    VERTEX_PROVISIONED = "vertex-provisioned"
    IMAGEN = "imagen"
    PROXY_IMAGES = "proxy images"
    PROXY_CHAT = "proxy chat"
    PROXY_NATIVE = "proxy native"

    @property
    def tier(self) -> Tier:
        return Tier(self.value.partition(" ")[0])


def model_of(tier: Tier) -> str:
    """The newest, which flex does not serve."""
    if tier is Tier.IMAGEN:
        return "imagen-4.0-generate-001"
    return "gemini-3-pro-image" if tier is Tier.VERTEX_FLEX else "gemini-nano-banana-2.1"


def on_vertex(tier: Tier) -> Callable[[str], Backend]:
    token = SecretStr("token")
    return lambda url: open_vertex(
        Settings(vertex=Vertex(project="p", access_token=token, base_url=url)), tier
    )


def on_imagen(url: str) -> Backend:
    vertex = Vertex(project="p", access_token=SecretStr("token"), base_url=url)
    return open_imagen(Settings(vertex=vertex))


def on_proxy(mode: Mode) -> Callable[[str], Backend]:
    return lambda url: open_proxy(through(url, mode))


def through(url: str, mode: Mode = Mode.CHAT) -> Settings:
    """A proxy that charges what Google does."""
    price = ProxyPrice.model_validate({"text_in": "1.5", "text_out": "7.5", "image_out": "30"})
    prices = {model_of(Tier.PROXY): price}
    key = SecretStr("key")
    return Settings(proxy=Proxy(base_url=url, api_key=key, mode=mode, prices=prices))


OPENERS: dict[Door, Callable[[str], Backend]] = {
    Door.AISTUDIO: lambda url: open_aistudio(AIStudio(api_key=SecretStr("key"), base_url=url)),
    Door.VERTEX: on_vertex(Tier.VERTEX),
    Door.VERTEX_FLEX: on_vertex(Tier.VERTEX_FLEX),
    Door.VERTEX_PRIORITY: on_vertex(Tier.VERTEX_PRIORITY),
    Door.VERTEX_PROVISIONED: on_vertex(Tier.VERTEX_PROVISIONED),
    Door.IMAGEN: on_imagen,
    Door.PROXY_IMAGES: on_proxy(Mode.IMAGES),
    Door.PROXY_CHAT: on_proxy(Mode.CHAT),
    Door.PROXY_NATIVE: on_proxy(Mode.NATIVE),
}
BY_TOKENS = [door for door in OPENERS if door is not Door.IMAGEN]
REGISTRY = registry_of(through("http://127.0.0.1"))


@pytest.fixture(scope="module")
def simulator() -> Iterator[Ready]:
    with running() as ready:
        yield ready


@pytest.fixture(params=list(OPENERS))
def door(request: pytest.FixtureRequest) -> Door:
    return Door(request.param)


def ask(
    url: str,
    door: Door,
    prompt: str,
    *,
    model: str | None = None,
    seconds: float = 20,
    **wishes: object,
) -> Outcome:
    request = Request(prompt=prompt, **wishes)  # type: ignore[arg-type]

    async def once() -> Outcome:
        backend = OPENERS[door](url)
        try:
            return backend.read(await backend.send(request, model or model_of(door.tier), seconds))
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
    simulator: Ready, door: Door, prompt: str, ended: AttemptState
) -> None:
    before = billed(simulator.url)["requests"]

    outcome = ask(simulator.url, door, prompt)

    assert outcome.ended is ended
    assert billed(simulator.url)["requests"] == before + 1


def test_an_answer_that_takes_too_long_is_lost_after_one_post(simulator: Ready, door: Door) -> None:
    before = billed(simulator.url)["requests"]

    outcome = ask(simulator.url, door, "a lamp [[sim:slow=30]]", seconds=0.5)

    assert outcome.ended is AttemptState.LOST
    assert billed(simulator.url)["requests"] == before + 1


def test_nobody_at_the_other_end_means_that_nothing_was_sent(door: Door) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        assert ask(url, door, "a lamp").ended is AttemptState.NOT_SENT


def test_the_picture_has_the_pixels_that_the_registry_expects(simulator: Ready, door: Door) -> None:
    wishes: dict[str, Any] = {"aspect_ratio": "16:9", "image_size": "2K"}

    outcome = ask(simulator.url, door, "a lamp", **wishes)

    expected = REGISTRY.expected(Ask(model=model_of(door.tier), **wishes))
    assert outcome.image is not None
    assert expected.width is not None
    assert expected.height is not None
    found = examine(outcome.image, (expected.width, expected.height))
    assert isinstance(found, Picture)
    assert found.mime == ("image/png" if door is Door.IMAGEN else "image/jpeg")


@pytest.mark.parametrize("fault", ["wrong-size", "corrupt", "truncated-image"])
def test_a_damaged_picture_is_found_out(simulator: Ready, door: Door, fault: str) -> None:
    outcome = ask(simulator.url, door, f"a lamp [[sim:{fault}]]", image_size="1K")

    assert outcome.image is not None
    assert isinstance(examine(outcome.image, (1024, 1024)), Damage)


def test_the_wait_that_google_asks_for_is_heard(simulator: Ready, door: Door) -> None:
    assert ask(simulator.url, door, "a lamp [[sim:429=7]]").wait == 7.0


def test_a_used_up_day_rests_the_model_until_pacific_midnight(simulator: Ready, door: Door) -> None:
    rest = ask(simulator.url, door, "a lamp [[sim:429-day]]").rest

    assert rest is not None
    assert rest.seconds is not None
    assert 0 < rest.seconds <= 25 * 3600 + 5
    assert not rest.whole_tier


@pytest.mark.parametrize("fault", ["402", "429-credits"])
def test_used_up_credits_rest_the_tier_until_a_person_acts(
    simulator: Ready, door: Door, fault: str
) -> None:
    rest = ask(simulator.url, door, f"a lamp [[sim:{fault}]]").rest

    assert rest is not None
    assert rest.whole_tier
    assert rest.seconds is None


def test_a_model_that_does_not_exist_is_gone(simulator: Ready, door: Door) -> None:
    outcome = ask(simulator.url, door, "a lamp", model="gemini-9-image")

    assert outcome.ended is AttemptState.GONE
    assert outcome.rest is not None


def test_what_the_model_refuses_is_invalid_with_googles_words(simulator: Ready, door: Door) -> None:
    outcome = ask(simulator.url, door, "a lamp", aspect_ratio="3:17")

    assert outcome.ended is AttemptState.INVALID
    assert outcome.message


def test_a_wrong_key_is_denied_and_rests_the_tier() -> None:
    with running("--api-key", "right") as strict:
        outcome = ask(strict.url, Door.AISTUDIO, "a lamp")

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
        outcome = ask(f"http://127.0.0.1:{server.server_port}", Door.AISTUDIO, "a lamp")
        server.shutdown()
        thread.join()

    assert outcome.ended is AttemptState.DENIED


def last_told(url: str) -> dict[str, str]:
    """What the latest request said beside its prompt, as the simulator understood it."""
    with urllib.request.urlopen(f"{url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        told: dict[str, str] = json.loads([*answer][-1])["told"]
        return told


WISHES = Wishes(
    system_instruction="Draw in ink.",
    safety="BLOCK_ONLY_HIGH",
    person_generation="ALLOW_NONE",
    output_mime_type="image/jpeg",
    compression_quality=0,
    grounding="web",
)
HEARD = {
    "system_instruction": ("systemInstruction", "Draw in ink."),
    "safety": ("safetySettings", "BLOCK_ONLY_HIGH"),
    "person_generation": ("personGeneration", "ALLOW_NONE"),
    "output_mime_type": ("mimeType", "image/jpeg"),
    "compression_quality": ("compressionQuality", "0"),
    "grounding": ("googleSearch", "web"),
}
BY_PROXY = {  # by its wire: the first words of what it hears
    Door.PROXY_IMAGES: (),
    Door.PROXY_CHAT: ("system_instruction",),
    Door.PROXY_NATIVE: ("system_instruction", "safety"),
}
BY_IMAGEN = {
    "safety": ("safetySetting", "block_only_high"),
    "person_generation": ("personGeneration", "dont_allow"),
}


def test_all_that_a_tier_hears_arrives(simulator: Ready, door: Door) -> None:
    names = [name for name in WISHES.told if unheard((name,), door.tier) is None]
    heard = BY_PROXY.get(door, WISHES.told)
    names = [name for name in names if name in heard]
    wishes = Wishes(**{name: getattr(WISHES, name) for name in names})

    outcome = ask(simulator.url, door, "a lamp", wishes=wishes)

    words = HEARD | (BY_IMAGEN if door is Door.IMAGEN else {})
    assert outcome.ended is AttemptState.DELIVERED
    assert len(names) == {Door.AISTUDIO: 3, Door.IMAGEN: 4}.get(door, len(heard))
    assert last_told(simulator.url) == dict(words[name] for name in names)


@pytest.mark.parametrize("door", BY_PROXY)
def test_a_proxy_is_not_asked_for_what_would_be_lost_on_the_way(
    simulator: Ready, door: Door
) -> None:
    before = billed(simulator.url)["requests"]

    for name in {*WISHES.told} - {*BY_PROXY[door]}:
        outcome = ask(simulator.url, door, "a lamp", wishes=Wishes(**{name: getattr(WISHES, name)}))
        assert outcome.ended is AttemptState.INVALID

    assert billed(simulator.url)["requests"] == before


GOOGLES = [door for door in OPENERS if door.tier not in {Tier.PROXY, Tier.IMAGEN}]


@pytest.mark.parametrize("door", GOOGLES)
@pytest.mark.parametrize("fault", ["", "[[sim:refuse]]", "[[sim:block]]", "[[sim:no-usage]]"])
def test_queries_are_charged_as_the_simulators_own_bill_says(
    simulator: Ready, door: Door, fault: str
) -> None:
    before = billed(simulator.url)["cost_nusd"]
    prompt = f"the moon {fault}"

    outcome = ask(simulator.url, door, prompt, wishes=Wishes(grounding="web"))

    wish = Ask(model=model_of(door.tier), grounding="web", prompt_chars=len(prompt))
    cost = cost_of(outcome, wish, door.tier, datetime.now(UTC), REGISTRY, "global")
    if fault == "[[sim:no-usage]]":
        assert cost.source is CostSource.ESTIMATED
        assert cost.charged_nusd >= 14_000_000
    else:
        assert cost.charged_nusd == billed(simulator.url)["cost_nusd"] - before
        assert outcome.usage is not None
        assert outcome.usage.searches == (0 if "block" in fault else outcome.usage.searches or 1)


@pytest.mark.parametrize("door", [Door.AISTUDIO, Door.VERTEX])
@pytest.mark.parametrize(
    ("model", "grounding", "ended"),
    [
        ("gemini-nano-banana-2.1", "web+image", AttemptState.DELIVERED),
        ("gemini-3-pro-image", "web", AttemptState.DELIVERED),
        ("gemini-3-pro-image", "image", AttemptState.INVALID),
        ("gemini-3.1-flash-lite-image", "web", AttemptState.INVALID),
    ],
)
def test_a_model_searches_only_what_it_can(
    simulator: Ready, door: Door, model: str, grounding: str, ended: AttemptState
) -> None:
    outcome = ask(simulator.url, door, "a quetzal", model=model, wishes=Wishes(grounding=grounding))

    wish = Ask(model=model, grounding=grounding)
    refused = [r.column for r in REGISTRY.problems(wish, door.tier, datetime.now(UTC).date())]
    assert outcome.ended is ended
    assert refused == ([] if ended is AttemptState.DELIVERED else ["grounding"])


@pytest.mark.parametrize("fault", ["", "[[sim:refuse]]", "[[sim:text-only]]", "[[sim:two-images]]"])
def test_the_charge_is_what_the_simulators_own_bill_says(
    simulator: Ready, door: Door, fault: str
) -> None:
    before = billed(simulator.url)["cost_nusd"]

    wishes: dict[str, Any] = {}
    if door in BY_TOKENS:
        wishes = {"image_size": "4K"}
    if door in BY_TOKENS and door is not Door.PROXY_IMAGES:
        wishes["thinking"] = "high"
    outcome = ask(simulator.url, door, f"a lamp {fault}", **wishes)
    wish = Ask(model=model_of(door.tier), **wishes)
    cost = cost_of(outcome, wish, door.tier, datetime.now(UTC), REGISTRY, "global")

    assert cost.charged_nusd == billed(simulator.url)["cost_nusd"] - before
    usual = CostSource.LISTED if door.tier is Tier.PROXY else CostSource.METERED
    assert cost.source is (usual if outcome.usage else None)


@pytest.mark.parametrize("door", BY_TOKENS)
def test_a_picture_without_usage_is_charged_as_expected_and_marked_estimated(
    simulator: Ready, door: Door
) -> None:
    outcome = ask(simulator.url, door, "a lamp [[sim:no-usage]]", image_size="1K")

    wish = Ask(model=model_of(door.tier), image_size="1K", prompt_chars=26)
    registry, now = REGISTRY, datetime.now(UTC)
    cost = cost_of(outcome, wish, door.tier, now, registry, "global")
    expected = registry.estimate(wish, door.tier, now)

    assert cost.source is CostSource.ESTIMATED
    assert expected is not None
    assert cost.charged_nusd == expected.low
