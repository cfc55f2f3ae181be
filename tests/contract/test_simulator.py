"""The simulator against Google's own SDK, over real HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from google.auth.credentials import Credentials
from google.genai import Client, errors, types
from PIL import Image

from darkroom_simulator.child import running

NANO = "gemini-nano-banana-2.1"
FLASH = "gemini-3.1-flash-image"
LITE = "gemini-3.1-flash-lite-image"
PRO = "gemini-3-pro-image"
OLD = "gemini-2.5-flash-image"
VERTEX = "/v1/projects/p/locations/{}/publishers/google/models/{}:generateContent"
KEY = {"x-goog-api-key": "k"}
BEARER = {"authorization": "Bearer t"}


class Token(Credentials):
    """Credentials that never ask anybody."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = "t"

    def refresh(self, _request: object) -> None:
        self.token = "t"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as ready:
        yield ready.url


def options(url: str) -> types.HttpOptions:
    retries = types.HttpRetryOptions(attempts=1)
    return types.HttpOptions(base_url=url, api_version="v1", retry_options=retries)


@pytest.fixture
def studio(url: str) -> Iterator[Client]:
    with Client(api_key="k", http_options=options(url)) as client:
        yield client


@pytest.fixture
def vertex(url: str) -> Iterator[Client]:
    http = options(url)
    token = Token()
    with Client(
        enterprise=True, project="p", location="global", credentials=token, http_options=http
    ) as client:
        yield client


def config(ratio: str = "1:1", size: str | None = "1K", **more: Any) -> types.GenerateContentConfig:
    picture = types.ImageConfig(aspect_ratio=ratio, image_size=size, **more.pop("image", {}))
    return types.GenerateContentConfig(response_modalities=["IMAGE"], image_config=picture, **more)


def body(prompt: str = "a mug", **generation: Any) -> dict[str, Any]:
    contents = [{"role": "user", "parts": [{"text": prompt}]}]
    return {
        "contents": contents,
        "generationConfig": {"responseModalities": ["IMAGE"], **generation},
    }


def post(
    url: str, payload: object, model: str = NANO, path: str = "", headers: dict[str, str] = KEY
) -> tuple[int, Any]:
    """Send without the SDK, for what the SDK would refuse to send."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    request = urllib.request.Request(  # noqa: S310 - loopback
        url + (path or f"/v1/models/{model}:generateContent"), data, headers
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def sent_image(answer: types.GenerateContentResponse) -> tuple[str, Image.Image]:
    """Take the only part of an answer and decode it."""
    assert answer.parts is not None
    [part] = answer.parts
    blob = part.inline_data
    assert blob is not None
    assert blob.data is not None
    image = Image.open(io.BytesIO(blob.data))
    image.load()
    return str(blob.mime_type), image


PIXELS = [
    (NANO, "1:1", "1K", (1024, 1024)),
    (NANO, "16:9", "2K", (2752, 1536)),
    (NANO, "1:8", "1K", (384, 3072)),
    (NANO, "4:5", "4K", (3712, 4608)),
    (FLASH, "21:9", "512", (792, 336)),
    (FLASH, "8:1", "1K", (3072, 384)),
    (LITE, "3:2", None, (1264, 848)),
    (PRO, "9:16", "2K", (1536, 2752)),
    (OLD, "4:3", None, (1184, 864)),
]


@pytest.mark.parametrize(("model", "ratio", "size", "pixels"), PIXELS)
def test_the_image_has_the_published_pixels(
    studio: Client, model: str, ratio: str, size: str | None, pixels: tuple[int, int]
) -> None:
    answer = studio.models.generate_content(
        model=model, contents="A brass desk lamp", config=config(ratio, size)
    )

    mime, image = sent_image(answer)
    assert image.size == pixels
    assert (mime, image.format) == (
        ("image/png", "PNG") if model == OLD else ("image/jpeg", "JPEG")
    )


def test_ai_studio_reports_usage_and_the_tier_served(studio: Client) -> None:
    answer = studio.models.generate_content(
        model=NANO, contents="x" * 41, config=config("1:1", "2K")
    )

    usage = answer.usage_metadata
    assert usage is not None
    assert usage.prompt_token_count == 11
    assert usage.candidates_token_count == 1680
    assert 100 <= (usage.thoughts_token_count or 0) <= 400
    assert usage.total_token_count == 11 + 1680 + (usage.thoughts_token_count or 0)
    assert usage.candidates_tokens_details == [
        types.ModalityTokenCount(modality=types.MediaModality.IMAGE, token_count=1680)
    ]
    assert answer.sdk_http_response is not None
    assert answer.sdk_http_response.headers is not None
    assert answer.sdk_http_response.headers["x-gemini-service-tier"] == "standard"
    assert answer.model_version == NANO
    assert answer.response_id


def test_the_same_prompt_thinks_equally_long_each_time(studio: Client) -> None:
    counts = set()
    for _ in range(3):
        answer = studio.models.generate_content(model=PRO, contents="again", config=config())
        assert answer.usage_metadata is not None
        counts.add(answer.usage_metadata.thoughts_token_count)

    assert len(counts) == 1
    assert 300 <= (counts.pop() or 0) <= 900


def test_vertex_reports_the_traffic_type_its_header_asked_for(vertex: Client) -> None:
    types_seen = []
    for level in (None, "flex", "priority"):
        header = {"X-Vertex-AI-LLM-Shared-Request-Type": level} if level else {}
        more = config(http_options=types.HttpOptions(headers=header))
        answer = vertex.models.generate_content(model=FLASH, contents="a mug", config=more)
        assert answer.usage_metadata is not None
        types_seen.append(answer.usage_metadata.traffic_type)

    kinds = types.TrafficType
    assert types_seen == [
        kinds.ON_DEMAND,
        kinds.ON_DEMAND_FLEX,
        kinds.ON_DEMAND_PRIORITY,
    ]


def test_vertex_encodes_as_asked(vertex: Client) -> None:
    image = {"output_mime_type": "image/png", "person_generation": "ALLOW_ADULT"}

    answer = vertex.models.generate_content(
        model=NANO, contents="a mug", config=config(image=image)
    )

    mime, picture = sent_image(answer)
    assert mime == "image/png"
    assert picture.format == "PNG"


def test_everything_the_sdk_can_say_is_understood(studio: Client) -> None:
    reference = io.BytesIO()
    Image.new("RGB", (8, 8)).save(reference, "PNG")
    more = config(
        thinking_config=types.ThinkingConfig(
            thinking_level=types.ThinkingLevel.HIGH, include_thoughts=True
        ),
        system_instruction="Plain backgrounds.",
        labels={"job": "a1"},
        service_tier=types.ServiceTier.STANDARD,
        safety_settings=[
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                threshold=types.HarmBlockThreshold.BLOCK_ONLY_HIGH,
            )
        ],
    )
    more.response_modalities = ["TEXT", "IMAGE"]
    image = types.Part.from_bytes(data=reference.getvalue(), mime_type="image/png")
    contents = types.Content(role="user", parts=[types.Part(text="a mug"), image])

    answer = studio.models.generate_content(model=NANO, contents=contents, config=more)

    assert answer.parts is not None
    assert [(bool(p.thought), bool(p.text), bool(p.inline_data)) for p in answer.parts] == [
        (True, True, False),
        (False, True, False),
        (False, False, True),
    ]
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 1120 + 2


def test_without_a_ratio_the_picture_follows_the_reference(studio: Client) -> None:
    reference = io.BytesIO()
    Image.new("RGB", (320, 181)).save(reference, "PNG")
    image = types.Part.from_bytes(data=reference.getvalue(), mime_type="image/png")
    contents = types.Content(role="user", parts=[types.Part(text="bluer"), image])
    plain = types.GenerateContentConfig(response_modalities=["IMAGE"])

    answer = studio.models.generate_content(model=NANO, contents=contents, config=plain)

    assert sent_image(answer)[1].size == (1376, 768)


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
def test_the_async_client_is_served_too(url: str) -> None:
    async def render() -> types.GenerateContentResponse:
        async with Client(api_key="k", http_options=options(url)).aio as client:
            return await client.models.generate_content(
                model=NANO, contents="a mug", config=config()
            )

    answer = asyncio.run(render())

    assert sent_image(answer)[1].size == (1024, 1024)


def test_models_can_be_probed(studio: Client, vertex: Client) -> None:
    assert studio.models.get(model=NANO).name == f"models/{NANO}"
    assert vertex.models.get(model=NANO).name == f"publishers/google/models/{NANO}"
    with pytest.raises(errors.ClientError, match="404 NOT_FOUND"):
        studio.models.get(model="imagine-9")


STRICT = [
    (NANO, {"nonsense": 1}, "Unknown name \"nonsense\" at 'generation_config': Cannot find field."),
    (NANO, {"imageConfig": {"size": "1K"}}, "\"size\" at 'generation_config.image_config'"),
    (NANO, {"imageConfig": {"imageSize": "1k"}}, "Invalid image size '1k'"),
    (NANO, {"imageConfig": {"imageSize": "512"}}, "Invalid image size '512'"),
    (NANO, {"imageConfig": {"aspectRatio": "9:21"}}, "Invalid aspect ratio '9:21'"),
    (NANO, {"seed": 1}, "seed is not supported"),
    (NANO, {"temperature": 1.0}, "temperature is not supported"),
    (NANO, {"topP": 0.9}, "topP is not supported"),
    (NANO, {"top_k": 3}, "topK is not supported"),
    (FLASH, {"temperature": 2.5}, "temperature must be in the range"),
    (FLASH, {"seed": "x"}, "Invalid value at 'generation_config.seed' (TYPE_INT32), \"x\""),
    (FLASH, {"seed": True}, "Invalid value at 'generation_config.seed'"),
    (FLASH, {"thinkingConfig": {"thinkingLevel": "MEDIUM"}}, "Thinking level MEDIUM"),
    (PRO, {"thinkingConfig": {"thinking_level": "MINIMAL"}}, "Thinking level MINIMAL"),
    (OLD, {"thinkingConfig": {"thinking_level": "HIGH"}}, "Thinking is not supported"),
    (NANO, {"thinkingConfig": {"thinkingLevel": "HIGH", "thinkingBudget": 1}}, "only set one"),
    (NANO, {"thinkingConfig": {"thinkingLevel": "SOME"}}, 'ThinkingConfig.ThinkingLevel), "SOME"'),
    (LITE, {"imageConfig": {"imageSize": "1K"}}, "Image size is not supported"),
    (OLD, {"imageConfig": {"aspectRatio": "1:4"}}, "Invalid aspect ratio '1:4'"),
    (NANO, {"imageConfig": {"imageOutputOptions": {}}}, 'Unknown name "imageOutputOptions"'),
    (NANO, {"imageConfig": {"personGeneration": "ALLOW_ALL"}}, 'Unknown name "personGeneration"'),
    (NANO, {"responseModalities": ["TEXT"]}, "must contain IMAGE"),
    (NANO, {"responseModalities": ["PICTURE"]}, 'GenerationConfig.Modality), "PICTURE"'),
    (NANO, {"candidateCount": 2}, "Multiple candidates"),
]


@pytest.mark.parametrize(("model", "generation", "sentence"), STRICT)
def test_what_the_model_does_not_take_is_refused(
    url: str, model: str, generation: dict[str, Any], sentence: str
) -> None:
    status, answer = post(url, body(**generation), model)

    assert status == 400
    assert answer["error"]["status"] == "INVALID_ARGUMENT"
    assert sentence in answer["error"]["message"]


PART = {"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}
REQUESTS: list[tuple[object, str]] = [
    (b"{", "Invalid JSON payload received."),
    (b"[" * 100_000, "Invalid JSON payload received."),
    ([], "expected an object"),
    ({}, "contents is not specified"),
    ({"contents": []}, "contents is not specified"),
    ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
    ({"contents": [{"parts": [{"thought": True}]}]}, "required oneof field"),
    ({"contents": [{"parts": [{"text": "x"}]}], "prompt": "x"}, 'Unknown name "prompt": Cannot'),
    ({"contents": [{"parts": [PART] * 15}]}, "Too many images: 15, at most 14"),
    ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/bmp"}}]}]}, "MIME type"),
    (
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "a*"}}]}]},
        "'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed",
    ),
    ({"contents": [{"parts": [{"text": "x"}]}], "serviceTier": "flex"}, "flex service tier"),
    (body("[[sim:nonsense]]"), "no fault is called 'nonsense'"),
]


@pytest.mark.parametrize(("payload", "sentence"), REQUESTS)
def test_a_malformed_request_is_refused(url: str, payload: object, sentence: str) -> None:
    status, answer = post(url, payload)

    assert status == 400
    assert sentence in answer["error"]["message"]


def test_both_spellings_of_a_field_are_taken(url: str) -> None:
    image = {"aspect_ratio": "16:9", "image_size": "1K"}

    status, _ = post(url, {**body(), "generation_config": {"image_config": image}})

    assert status == 200


def test_a_missing_or_empty_credential_is_refused_in_googles_words(url: str) -> None:
    region = VERTEX.format("global", NANO)

    studio_status, studio_answer = post(url, body(), headers={})
    vertex_status, vertex_answer = post(url, body(), path=region, headers=KEY)

    assert (studio_status, studio_answer["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert (vertex_status, vertex_answer["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_an_unknown_model_is_not_found(url: str) -> None:
    status, answer = post(url, body(), "imagine-9")

    assert (status, answer["error"]["status"]) == (404, "NOT_FOUND")


def test_a_body_field_for_the_service_level_is_unknown_on_vertex(url: str) -> None:
    payload = {**body(), "serviceTier": "flex"}

    status, answer = post(url, payload, path=VERTEX.format("global", FLASH), headers=BEARER)

    assert status == 400
    assert 'Unknown name "serviceTier"' in answer["error"]["message"]
