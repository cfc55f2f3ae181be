"""A proxy's own: each shape an answer may have, each wire, each fault, and what it is booked at."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fleet.telephone import heic

from darkroom.jobs.close import Picture
from darkroom.models import AttemptState, CostSource
from darkroom.price_list import registry_of
from darkroom.references.fitting import fitted
from darkroom.registry import Ask
from darkroom.request import Reference, Request
from darkroom.settings import Mode, Proxy, Settings
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends import open_backend
from darkroom_worker.backends.attempt import named
from darkroom_worker.backends.base import Outcome, Unavailable
from darkroom_worker.costing import Cost, cost_of
from darkroom_worker.picture import examine

MODEL = "gemini-nano-banana-2.1"
LOOPBACK = ("127.0.0.1",)
BY_CALL = {MODEL: {"per_call": "0.05"}}
BY_TOKENS = {MODEL: {"text_in": "1.5", "text_out": "7.5", "image_out": "30"}}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Ready]:
    with running("--pictures", "cached", "--body-bytes", "60000") as ready:
        yield ready


@pytest.fixture(params=list(Mode))
def mode(request: pytest.FixtureRequest) -> Mode:
    return Mode(request.param)


def settings(url: str, mode: Mode = Mode.CHAT, **told: Any) -> Settings:
    proxy = {"base_url": url, "api_key": "secret-key", "mode": mode, "allow_hosts": LOOPBACK}
    return Settings(proxy=Proxy.model_validate(proxy | told))


def ask(given: Settings, request: Request | str, *, attempt: str = "att_1") -> Outcome:
    wish = Request(prompt=request) if isinstance(request, str) else request

    async def once() -> Outcome:
        backend = open_backend(Tier.PROXY, given)
        try:
            with named(attempt):
                return backend.read(await backend.send(wish, MODEL, 20))
        finally:
            await backend.close()

    return asyncio.run(once())


def cost(outcome: Outcome, given: Settings) -> Cost:
    wish = Ask(model=MODEL, image_size="1K", prompt_chars=30)
    return cost_of(outcome, wish, Tier.PROXY, datetime.now(UTC), registry_of(given), "global")


def bill(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sim/ledger") as answer:  # noqa: S310  # loopback
        found: dict[str, Any] = json.load(answer)
        return found


def last_line(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        line: dict[str, Any] = json.loads(answer.read().splitlines()[-1])
        return line


SHAPES = [
    *((Mode.CHAT, shape) for shape in ("images", "parts", "output-image", "markdown")),
    *((Mode.CHAT, shape) for shape in ("data-uri", "hosted", "hosted-markdown")),
    *((Mode.IMAGES, shape) for shape in ("b64", "url", "data-url")),
    *((Mode.NATIVE, shape) for shape in ("markdown", "data-uri", "hosted", "hosted-markdown")),
]


@pytest.mark.parametrize(("mode", "shape"), SHAPES)
def test_the_picture_is_found_in_each_shape_of_answer(
    simulator: Ready, mode: Mode, shape: str
) -> None:
    before = bill(simulator.url)["requests"]

    outcome = ask(settings(simulator.url, mode), f"a lamp [[sim:shape={shape}]]")

    assert outcome.ended is AttemptState.DELIVERED
    assert outcome.image is not None
    assert isinstance(examine(outcome.image, (1024, 1024)), Picture)
    assert bill(simulator.url)["requests"] == before + 1


ODD = [
    ("garbage", AttemptState.LOST),
    ("302", AttemptState.DENIED),
    ("empty-list", AttemptState.NO_IMAGE),
    ("error-200", AttemptState.TRANSIENT),
    ("error-200=429", AttemptState.BUSY),
    ("error-200=401", AttemptState.DENIED),
    ("error-200=504", AttemptState.LOST),
    ("error-200=insufficient_quota", AttemptState.BUSY),
    ("error-200=content_policy_violation", AttemptState.REFUSED),
    ("error-200=model_not_found", AttemptState.GONE),
]


@pytest.mark.parametrize(("fault", "ended"), ODD, ids=[fault for fault, _ in ODD])
def test_what_is_no_answer_has_a_class_and_no_picture(
    simulator: Ready, mode: Mode, fault: str, ended: AttemptState
) -> None:
    before = bill(simulator.url)["requests"]

    outcome = ask(settings(simulator.url, mode), f"a lamp [[sim:{fault}]]")

    assert outcome.ended is ended
    assert outcome.image is None
    assert outcome.message
    assert bill(simulator.url)["requests"] == before + 1


@pytest.mark.parametrize(
    ("mode", "ended"), [(Mode.CHAT, AttemptState.NO_IMAGE), (Mode.IMAGES, AttemptState.LOST)]
)
def test_twenty_megabytes_of_text_are_no_picture_and_a_short_message(
    simulator: Ready, mode: Mode, ended: AttemptState
) -> None:
    outcome = ask(settings(simulator.url, mode), "a lamp [[sim:long-text]]")

    assert outcome.ended is ended
    assert 0 < len(outcome.message or "") <= 2_000


def test_why_google_made_no_picture_is_kept(simulator: Ready) -> None:
    outcome = ask(settings(simulator.url), "a lamp [[sim:image-other]]")

    assert (outcome.ended, outcome.finish_reason) == (AttemptState.NO_IMAGE, "IMAGE_OTHER")


def test_a_hosted_picture_that_is_late_is_fetched_again_and_drawn_once(simulator: Ready) -> None:
    before = bill(simulator.url)

    outcome = ask(settings(simulator.url), "a lamp [[sim:shape=hosted]] [[sim:hosted=once]]")

    assert outcome.ended is AttemptState.DELIVERED
    assert bill(simulator.url)["requests"] == before["requests"] + 1


def test_a_hosted_picture_that_is_gone_is_booked_and_not_had(simulator: Ready) -> None:
    given = settings(simulator.url, prices=BY_TOKENS)
    before = bill(simulator.url)

    outcome = ask(given, "a lamp [[sim:shape=hosted]] [[sim:hosted=404]]")

    assert (outcome.ended, outcome.finish_reason) == (AttemptState.SPOILED, "HOSTED_IMAGE")
    assert "HTTP 404" in (outcome.message or "")
    assert outcome.rest is None
    after = bill(simulator.url)
    assert cost(outcome, given).charged_nusd == after["cost_nusd"] - before["cost_nusd"] > 0


@pytest.mark.parametrize("hosts", [(), ("elsewhere.example",)])
def test_a_private_host_is_not_fetched_from_unless_it_is_named(
    simulator: Ready, hosts: tuple[str, ...]
) -> None:
    given = settings(simulator.url, allow_hosts=hosts)

    outcome = ask(given, "a lamp [[sim:shape=hosted]]")

    assert outcome.ended is AttemptState.SPOILED
    assert outcome.rest is not None
    assert outcome.rest.whole_tier
    assert "proxy.allow_hosts" in (outcome.rest.hint or "")


def test_a_machines_metadata_is_never_fetched(simulator: Ready) -> None:
    outcome = ask(settings(simulator.url), "a lamp [[sim:shape=hosted]] [[sim:hosted=private]]")

    assert outcome.ended is AttemptState.SPOILED
    assert "169.254.169.254" in (outcome.message or "")


def test_a_page_where_a_picture_should_hang_is_no_picture(simulator: Ready) -> None:
    outcome = ask(settings(simulator.url), "a lamp [[sim:shape=hosted]] [[sim:hosted=html]]")

    assert outcome.image is not None
    assert not isinstance(examine(outcome.image, None), Picture)


def test_the_amount_that_the_proxy_names_counts_before_any_list(simulator: Ready) -> None:
    given = settings(simulator.url, prices=BY_CALL)

    found = cost(ask(given, "a lamp [[sim:cost]]"), given)

    assert found.charged_nusd == last_line(simulator.url)["cost_nusd"] > 0
    assert found.source is CostSource.REPORTED
    assert found.price_version is None
    assert found.tokens.image == 1120


@pytest.mark.parametrize("fault", ["", "[[sim:no-usage]]", "[[sim:text-only]]"])
def test_a_price_by_the_call_is_charged_for_each_answer(mode: Mode, fault: str) -> None:
    with running("--pictures", "cached", "--per-call", "0.05") as proxy:
        given = settings(proxy.url, mode, prices=BY_CALL)
        found = cost(ask(given, f"a lamp {fault}"), given)
        billed = bill(proxy.url)["cost_nusd"]

    assert found.charged_nusd == billed == 50_000_000
    assert (found.source, found.price_version) == (CostSource.LISTED, "proxy.prices")


@pytest.mark.parametrize("fault", ["503", "error-200", "302", "402"])
def test_an_error_is_no_call(simulator: Ready, fault: str) -> None:
    given = settings(simulator.url, prices=BY_CALL)

    assert cost(ask(given, f"a lamp [[sim:{fault}]]"), given).charged_nusd == 0


def test_a_picture_without_usage_costs_an_estimate_by_the_own_list(simulator: Ready) -> None:
    given = settings(simulator.url, prices=BY_TOKENS)

    found = cost(ask(given, "a lamp [[sim:no-usage]]"), given)

    assert (found.source, found.price_version) == (CostSource.ESTIMATED, "proxy.prices")
    assert found.charged_nusd == 1120 * 30_000 + 8 * 1_500


@pytest.mark.parametrize("how_many", [1, 2])
def test_references_go_along_on_each_wire(
    simulator: Ready, mode: Mode, tmp_path: Path, how_many: int
) -> None:
    path = tmp_path / "shoe.png"
    Image.new("RGB", (64, 36), "red").save(path)
    shoe = Reference(uri=str(path), mime="image/png")
    request = Request(prompt="on a table", references=(shoe,) * how_many, image_size="2K")

    outcome = ask(settings(simulator.url, mode), request)

    assert outcome.ended is AttemptState.DELIVERED
    assert last_line(simulator.url)["usage"]["prompt_image"] == how_many * 1120


def test_heic_becomes_jpeg_on_its_way_to_a_proxy(
    simulator: Ready, mode: Mode, tmp_path: Path
) -> None:
    path = tmp_path / "shoe.heic"
    path.write_bytes(heic())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    shoe = Reference(uri=str(path), mime="image/heic", sha256=digest)

    outcome = ask(settings(simulator.url, mode), Request(prompt="on a table", references=(shoe,)))

    assert outcome.ended is AttemptState.DELIVERED
    sent = fitted(path.read_bytes(), 7_000_000) or b""
    assert last_line(simulator.url)["references"] == [hashlib.sha256(sent).hexdigest()]


def test_roles_are_told_on_each_wire_and_nothing_is_said_without_one(
    simulator: Ready, mode: Mode, tmp_path: Path
) -> None:
    path = tmp_path / "shoe.png"
    Image.new("RGB", (64, 36), "red").save(path)
    bare = Reference(uri=str(path), mime="image/png")
    styled = Reference(uri=str(path), mime="image/png", role="style")
    said = []

    for references in ((bare, bare), (bare, styled), (styled, styled)):
        ask(settings(simulator.url, mode), Request(prompt="a mug", references=references))
        said.append(last_line(simulator.url)["prompt_sha256"])

    told = ["a mug", "Image 2, style:\na mug", "Image 1, style:\nImage 2, style:\na mug"]
    assert said == [hashlib.sha256(each.encode()).hexdigest() for each in told]


def test_a_reference_that_went_is_invalid_and_nothing_is_sent(simulator: Ready, mode: Mode) -> None:
    before = bill(simulator.url)["requests"]
    gone = Reference(uri="/nowhere/shoe.png", mime="image/png")

    outcome = ask(settings(simulator.url, mode), Request(prompt="a", references=(gone,)))

    assert outcome.ended is AttemptState.INVALID
    assert bill(simulator.url)["requests"] == before


def test_a_wish_that_the_wire_has_no_word_for_is_invalid_and_nothing_is_sent(
    simulator: Ready,
) -> None:
    before = bill(simulator.url)["requests"]

    outcome = ask(settings(simulator.url, Mode.IMAGES), Request(prompt="a lamp", seed=7))

    assert outcome.ended is AttemptState.INVALID
    assert bill(simulator.url)["requests"] == before


def test_wishes_that_a_conversation_can_carry_arrive(simulator: Ready) -> None:
    given = settings(simulator.url, models={MODEL: "gemini-3-pro-image"})
    request = Request(
        prompt="a lamp", seed=7, temperature=0.5, thinking="high", aspect_ratio="16:9"
    )

    outcome = ask(given, request)

    assert outcome.ended is AttemptState.DELIVERED
    assert last_line(simulator.url)["model"] == "gemini-3-pro-image"
    assert last_line(simulator.url)["usage"]["thoughts"] >= 300


def test_fields_of_ones_own_are_laid_over_each_request(simulator: Ready) -> None:
    given = settings(simulator.url, extra_body={"image_config": {"image_size": "2K"}, "user": "me"})

    outcome = ask(given, Request(prompt="a lamp", aspect_ratio="1:1"))

    assert outcome.image is not None
    assert isinstance(examine(outcome.image, (2048, 2048)), Picture)


def test_the_attempt_is_named_to_the_proxy(simulator: Ready, mode: Mode) -> None:
    ask(settings(simulator.url, mode), "a lamp", attempt="att_named")

    assert last_line(simulator.url)["headers"]["idempotency-key"] == "att_named"


def test_a_wrong_key_rests_the_tier(mode: Mode) -> None:
    with running("--api-key", "right") as strict:
        outcome = ask(settings(strict.url, mode), "a lamp")

    assert outcome.ended is AttemptState.DENIED
    assert outcome.rest is not None
    assert outcome.rest.whole_tier


def test_without_an_address_the_tier_says_what_to_set() -> None:
    with pytest.raises(Unavailable) as caught:
        open_backend(Tier.PROXY, Settings())

    assert "proxy.base_url" in (caught.value.rest.hint or "")


class Relay(http.server.BaseHTTPRequestHandler):
    """Answers what it is told to, and remembers what it was asked."""

    status = 200
    body = b""
    headers_seen: list[dict[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.status, self.body.replace(b"HOST", self.headers["Host"].encode()))

    def do_GET(self) -> None:
        self._answer(200, b"a picture")

    def _answer(self, status: int, body: bytes) -> None:
        self.headers_seen.append({"method": self.command, **dict(self.headers)})
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/login")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def relay(status: int, body: object) -> Iterator[tuple[str, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"status": status, "body": data, "headers_seen": seen}
    handler = type("Told", (Relay,), told)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/v1", seen
        finally:
            server.shutdown()
            thread.join()


def error(message: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, **more}}


SAID = [
    (400, error("bad size", code="invalid_value"), AttemptState.INVALID),
    (400, error("no", code="moderation_blocked"), AttemptState.REFUSED),
    (403, error("flagged", metadata={"reasons": ["violence"]}), AttemptState.REFUSED),
    (403, error("no balance", code="insufficient_user_quota"), AttemptState.BUSY),
    (403, error("no access"), AttemptState.DENIED),
    (404, error("The model `x` does not exist"), AttemptState.GONE),
    (404, error("Invalid URL (POST /v1/images)"), AttemptState.DENIED),
    (404, {"detail": "Not Found"}, AttemptState.DENIED),
    (404, b"<html>", AttemptState.DENIED),
    (405, {"detail": "Method Not Allowed"}, AttemptState.DENIED),
    (422, {"detail": "field required"}, AttemptState.INVALID),
    (429, error("slow down"), AttemptState.BUSY),
    (429, b"", AttemptState.BUSY),
    (500, error("do request failed", type="new_api_error"), AttemptState.TRANSIENT),
    (500, error("context deadline exceeded"), AttemptState.LOST),
    (500, b"oops", AttemptState.LOST),
    (502, error("bad upstream"), AttemptState.TRANSIENT),
    (503, error("No available channel for model x"), AttemptState.GONE),
    (524, b"<html>", AttemptState.LOST),
    (529, error("overloaded"), AttemptState.BUSY),
    (200, b"", AttemptState.LOST),
    (200, b"null", AttemptState.LOST),
    (200, b"[" * 100_000, AttemptState.LOST),
    (200, {}, AttemptState.NO_IMAGE),
    (200, {"choices": None, "data": None}, AttemptState.NO_IMAGE),
    (200, {"choices": [None, 3, {"message": "words"}]}, AttemptState.NO_IMAGE),
    (200, {"data": [{"url": None}, 7]}, AttemptState.NO_IMAGE),
    (200, {"success": False, "message": "queue is full", "data": []}, AttemptState.TRANSIENT),
    (200, {"choices": [{"error": {"code": 502, "message": "gone"}}]}, AttemptState.TRANSIENT),
    (200, {"choices": [{"message": {"refusal": "I will not."}}]}, AttemptState.REFUSED),
    (200, {"choices": [{"finish_reason": "content_filter"}]}, AttemptState.REFUSED),
]


@pytest.mark.parametrize(("status", "body", "ended"), SAID)
def test_each_way_of_saying_no_has_its_class(
    status: int, body: object, ended: AttemptState
) -> None:
    with relay(status, body) as (url, seen):
        outcome = ask(settings(url), "a lamp")

    assert outcome.ended is ended
    assert outcome.image is None
    assert [each["method"] for each in seen] == ["POST"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(status: int) -> None:
    with relay(status, b"") as (url, seen):
        outcome = ask(settings(url), "a lamp")

    assert outcome.ended is AttemptState.DENIED
    assert "a redirect to /login" in (outcome.message or "")
    assert [each["method"] for each in seen] == ["POST"]


def test_an_error_that_names_its_cost_is_booked() -> None:
    body = {**error("cut off"), "usage": {"cost": 0.02}}
    with relay(200, body) as (url, _):
        outcome = ask(settings(url), "a lamp")

    assert outcome.ended is AttemptState.NO_IMAGE
    assert outcome.cost_nusd == 20_000_000


def test_the_key_does_not_go_to_the_host_of_a_picture() -> None:
    with relay(200, {"data": [{"url": "http://HOST/picture.png"}]}) as (url, seen):
        outcome = ask(settings(url), "a lamp")

    assert outcome.image == b"a picture"
    assert [each["method"] for each in seen] == ["POST", "GET"]
    assert seen[0]["Authorization"] == "Bearer secret-key"
    assert "secret-key" not in str(seen[1])
