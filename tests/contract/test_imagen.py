"""Imagen's own: what its requests say, what its filters mean, how strict the other end is."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import google.auth.credentials
import pytest
from pydantic import SecretStr

from darkroom.models import AttemptState
from darkroom.request import Reference, Request
from darkroom.settings import Imagen as Wishes
from darkroom.settings import Settings, Vertex
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running
from darkroom_worker.backends import open_backend
from darkroom_worker.backends.base import Outcome, Unavailable
from darkroom_worker.backends.imagen import Signature, spelled

FAST = "imagen-4.0-fast-generate-001"
MODEL = "imagen-4.0-generate-001"
ULTRA = "imagen-4.0-ultra-generate-001"
PATH = "/v1/projects/p/locations/{place}/publishers/google/models/{model}:predict"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Ready]:
    with running("--pictures", "cached") as ready:
        yield ready


def ask(
    url: str, request: Request, *, model: str = MODEL, location: str = "global", **said: Any
) -> Outcome:
    vertex = Vertex(project="p", access_token=SecretStr("t"), base_url=url, location=location)
    settings = Settings(vertex=vertex, imagen=Wishes(**said))

    async def once() -> Outcome:
        backend = open_backend(Tier.IMAGEN, settings)
        try:
            return backend.read(await backend.send(request, model, 20))
        finally:
            await backend.close()

    return asyncio.run(once())


def post(
    url: str, parameters: dict[str, Any], *, model: str = MODEL, place: str = "global", **body: Any
) -> tuple[int, dict[str, Any]]:
    """Ask as anybody may: no code of ours between us and the simulator."""
    whole = {"instances": [{"prompt": "a lamp"}], "parameters": parameters, **body}
    call = urllib.request.Request(  # noqa: S310  # loopback
        url + PATH.format(place=place, model=model),
        json.dumps(whole).encode(),
        {"Authorization": "Bearer t", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(call) as answer:  # noqa: S310  # loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def last_line(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        line: dict[str, Any] = json.loads(answer.read().splitlines()[-1])
        return line


@pytest.mark.parametrize(
    ("fault", "reason", "code"),
    [
        ("refuse", "RAI_VIOLENCE", "56562880"),
        ("refuse=39322892", "RAI_PEOPLE_OR_FACE", "39322892"),
        ("refuse=17301594", "RAI_CHILD", "17301594"),
        ("prohibited", "RAI_PROHIBITED_CONTENT", "49114662"),
        ("refuse=11111111", "RAI_FILTERED", "11111111"),
    ],
)
def test_a_filtered_picture_is_refused_with_its_category_and_code(
    simulator: Ready, fault: str, reason: str, code: str
) -> None:
    outcome = ask(simulator.url, Request(prompt=f"a lamp [[sim:{fault}]]"))

    assert outcome.ended is AttemptState.REFUSED
    assert (outcome.finish_reason, outcome.block_reason) == (reason, None)
    assert code in (outcome.message or "")
    assert last_line(simulator.url)["cost_nusd"] == 0


def test_a_blocked_prompt_is_refused_though_its_answer_is_an_error(simulator: Ready) -> None:
    outcome = ask(simulator.url, Request(prompt="a lamp [[sim:block=58061214]]"))

    assert outcome.ended is AttemptState.REFUSED
    assert (outcome.http_status, outcome.block_reason) == (400, "RAI_CHILD")
    assert outcome.finish_reason is None


def test_every_parameter_that_can_be_set_is_one_that_predict_takes(simulator: Ready) -> None:
    request = Request(
        prompt="a lamp", negative_prompt="text", aspect_ratio="4:3", image_size="2K", seed=7
    )

    outcome = ask(
        simulator.url,
        request,
        person_generation="allow_adult",
        safety_setting="block_only_high",
        output_mime_type="image/jpeg",
        compression_quality=90,
        language="en",
        enhance_prompt=True,
    )

    assert outcome.ended is AttemptState.DELIVERED
    assert outcome.image is not None
    assert outcome.image.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    "request_", [Request(prompt="p", seed=7), Request(prompt="p", negative_prompt="q")]
)
def test_what_only_holds_for_the_prompt_as_it_is_keeps_google_from_rewriting_it(
    request_: Request,
) -> None:
    parameters = spelled(request_, Wishes(enhance_prompt=True))["parameters"]

    assert parameters["enhancePrompt"] is False
    assert parameters.get("addWatermark") is (None if request_.seed is None else False)


@pytest.mark.parametrize(
    "request_",
    [
        Request(prompt="p", temperature=1.0),
        Request(prompt="p", thinking="high"),
        Request(prompt="p", references=(Reference(uri="gs://b/a.png", mime="image/png"),)),
    ],
)
def test_what_imagen_has_no_word_for_is_invalid_and_never_sent(
    simulator: Ready, request_: Request
) -> None:
    with urllib.request.urlopen(f"{simulator.url}/_sim/ledger") as answer:  # noqa: S310  # loopback
        before = json.load(answer)["requests"]

    outcome = ask(simulator.url, request_)

    assert outcome.ended is AttemptState.INVALID
    with urllib.request.urlopen(f"{simulator.url}/_sim/ledger") as answer:  # noqa: S310  # loopback
        assert json.load(answer)["requests"] == before


@pytest.mark.parametrize(
    ("model", "place", "nusd"),
    [
        (FAST, "global", 20_000_000),
        (MODEL, "global", 40_000_000),
        (ULTRA, "global", 60_000_000),
        (ULTRA, "us-central1", 66_000_000),
    ],
)
def test_the_simulator_bills_by_the_picture_and_a_tenth_more_in_a_region(
    simulator: Ready, model: str, place: str, nusd: int
) -> None:
    outcome = ask(simulator.url, Request(prompt="a lamp"), model=model, location=place)

    assert outcome.ended is AttemptState.DELIVERED
    assert last_line(simulator.url)["cost_nusd"] == nusd


def test_up_to_four_samples_are_drawn_and_billed(simulator: Ready) -> None:
    status, answer = post(simulator.url, {"sampleCount": 4})

    assert status == 200
    assert [each["mimeType"] for each in answer["predictions"]] == ["image/png"] * 4
    assert last_line(simulator.url)["images"] == 4
    assert last_line(simulator.url)["cost_nusd"] == 160_000_000


def test_without_the_wish_to_know_why_filtered_pictures_are_just_not_there(
    simulator: Ready,
) -> None:
    status, answer = post(simulator.url, {}, instances=[{"prompt": "a lamp [[sim:refuse]]"}])

    assert (status, answer) == (200, {})


@pytest.mark.parametrize(
    ("parameters", "model", "said"),
    [
        ({"sampleCount": 5}, MODEL, "sampleCount"),
        ({"samples": 1}, MODEL, "Unknown name"),
        ({"seed": 7}, MODEL, "watermark"),
        ({"seed": 0, "addWatermark": False}, MODEL, "Seed"),
        ({"sampleImageSize": "4K"}, MODEL, "sampleImageSize"),
        ({"sampleImageSize": "1K"}, FAST, "sampleImageSize"),
        ({"aspectRatio": "21:9"}, MODEL, "Aspect ratio"),
        ({"personGeneration": "everybody"}, MODEL, "Invalid value"),
        ({"safetySetting": "none"}, MODEL, "Invalid value"),
        ({"language": "tlh"}, MODEL, "Invalid value"),
        ({"outputOptions": {"mimeType": "image/webp"}}, MODEL, "MIME"),
        ({"outputOptions": {"compressionQuality": 90}}, MODEL, "compressionQuality"),
    ],
)
def test_the_simulator_refuses_what_predict_does_not_take(
    simulator: Ready, parameters: dict[str, Any], model: str, said: str
) -> None:
    status, answer = post(simulator.url, parameters, model=model)

    assert status == 400
    assert said in answer["error"]["message"]


@pytest.mark.parametrize("instances", [[], [{"prompt": ""}], [{"prompt": "a"}, {"prompt": "b"}]])
def test_the_simulator_takes_one_prompt_a_request(
    simulator: Ready, instances: list[dict[str, str]]
) -> None:
    assert post(simulator.url, {}, instances=instances)[0] == 400


def test_each_model_answers_to_its_own_method_alone(simulator: Ready) -> None:
    status, answer = post(simulator.url, {}, model="gemini-nano-banana-2.1")

    assert status == 404
    assert "is not supported for predict" in answer["error"]["message"]


def test_a_strict_simulator_has_shut_imagen_down() -> None:
    with running("--strict-retirement") as strict:
        outcome = ask(strict.url, Request(prompt="a lamp"))

    assert outcome.ended is AttemptState.GONE


def test_the_quota_of_the_simulator_holds_for_imagen_too() -> None:
    with running("--quota-rpm", "1", "--pictures", "cached") as tight:
        first = ask(tight.url, Request(prompt="a lamp"))
        second = ask(tight.url, Request(prompt="a cup"))

    assert first.ended is AttemptState.DELIVERED
    assert second.ended is AttemptState.BUSY
    assert second.wait is not None


@pytest.mark.parametrize("body", [b'{"error": "nope"}', b"[]", b"<p>nope", b"\xff"])
def test_a_gateway_that_says_no_in_its_own_words_rests_the_tier(body: bytes) -> None:
    class Gateway(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        outcome = ask(f"http://127.0.0.1:{server.server_port}", Request(prompt="a lamp"))
        server.shutdown()
        thread.join()

    assert outcome.ended is AttemptState.DENIED
    assert outcome.rest is not None
    assert outcome.rest.whole_tier


def test_without_a_project_the_tier_says_what_to_set() -> None:
    with pytest.raises(Unavailable) as missing:
        open_backend(Tier.IMAGEN, Settings())

    assert "GOOGLE_CLOUD_PROJECT" in (missing.value.rest.hint or "")


class Lapsing(google.auth.credentials.Credentials):
    """Credentials whose token has to be fetched first; they count how often."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fetched = 0

    def refresh(self, request: object) -> None:
        del request
        self.fetched += 1
        self.token = f"token {self.fetched}"


def test_a_token_is_fetched_once_for_all_who_wait_for_it() -> None:
    credentials = Lapsing()

    async def many() -> list[dict[str, str]]:
        signature = Signature(credentials)
        return await asyncio.gather(*(signature.headers() for _ in range(20)))

    signed = asyncio.run(many())

    assert credentials.fetched == 1
    assert {each["Authorization"] for each in signed} == {"Bearer token 1"}
