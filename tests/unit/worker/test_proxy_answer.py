"""What is found in a proxy's answer: pictures in words and tables, tokens, dollars."""

from __future__ import annotations

import json
from typing import Any

import pytest

from darkroom.models import AttemptState
from darkroom.registry import Usage
from darkroom_worker.backends.base import Fetched
from darkroom_worker.backends.proxy_answer import hosted_in, read_answer
from darkroom_worker.backends.proxy_shape import found_in
from darkroom_worker.backends.proxy_text import Found, found_in_text
from darkroom_worker.backends.proxy_usage import cost_in, cost_told, usage_in

DATA = "data:image/png;base64,aGVsbG8="
OWN_KEY = {"upstream_inference_cost": 0.04}
HELLO = Found(base64="aGVsbG8=")
PAGE = "https://cdn.example/a.png"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Here you are:\n\n![image]({DATA})", HELLO),
        (DATA, HELLO),
        (f"{DATA.replace('aGVsbG8=', 'AAAA')} and better {DATA}", HELLO),
        ("data:image/svg+xml;base64,AAAA", Found(base64="AAAA")),
        (f"![a lamp]({PAGE})", Found(url=PAGE)),
        ("![a lamp](https://cdn.example/file?id=7)", Found(url="https://cdn.example/file?id=7")),
        (f"Download it at {PAGE}.", Found(url=PAGE)),
        (f"[download]({PAGE})", Found(url=PAGE)),
        ("https://cdn.example/7", Found(url="https://cdn.example/7")),
        ("I cannot draw that; see https://policies.example/images for the rules.", None),
        ("https://a.example/1 https://b.example/2", None),
        ("ftp://cdn.example/a.png", None),
        ("no picture at all", None),
        ("![" * 100_000, None),
        ("https://" * 100_000, None),
        ("http://[::1.png", None),
        ("", None),
    ],
)
def test_a_picture_is_found_in_words_and_a_mere_link_is_none(
    text: str, found: Found | None
) -> None:
    assert found_in_text(text) == found


def message(**fields: object) -> dict[str, Any]:
    return {"choices": [{"message": fields}]}


@pytest.mark.parametrize(
    "document",
    [
        message(images=[{"image_url": {"url": DATA}, "index": 0}]),
        message(images=[{"image_url": DATA}]),
        message(images=[DATA]),
        message(images=["data:image/png;base64,AAAA", DATA]),
        message(image={"url": DATA}),
        message(content=[{"type": "text", "text": "so"}, {"image_url": {"url": DATA}}]),
        message(content=[{"type": "output_image", "image_url": DATA}]),
        message(content=[{"type": "image", "b64_json": "aGVsbG8="}]),
        message(content=[{"type": "text", "text": f"![]({DATA})"}]),
        {"data": [{"b64_json": "aGVsbG8="}]},
        {"data": [{"b64_json": DATA}]},
        {"data": [{"b64_json": None, "url": DATA}]},
        {"data": [DATA]},
    ],
)
def test_a_picture_is_found_wherever_proxies_put_it(document: dict[str, Any]) -> None:
    assert found_in(document) == HELLO


def test_a_picture_beside_a_message_counts_before_one_in_its_words() -> None:
    document = message(images=[DATA], content=f"![draft]({PAGE})")

    assert found_in(document) == HELLO


@pytest.mark.parametrize("empty", ["", "data:image/png;base64,", "data:,", None, 7, {}, []])
def test_an_empty_place_is_no_picture(empty: object) -> None:
    assert found_in(message(images=[{"image_url": {"url": empty}}], content=empty)) is None
    assert found_in({"data": [{"b64_json": empty, "url": empty}]}) is None


@pytest.mark.parametrize(
    ("usage", "drawn", "tokens"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 1337,
                "prompt_tokens_details": {"cached_tokens": 4, "image_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 200, "image_tokens": 1120},
            },
            True,
            Usage(
                prompt_tokens=10,
                cached_tokens=4,
                input_image_tokens=3,
                image_tokens=1120,
                text_tokens=17,
                thought_tokens=200,
            ),
        ),
        (
            {"input_tokens": 10, "output_tokens": 1120},
            True,
            Usage(prompt_tokens=10, image_tokens=1120),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 9},
            False,
            Usage(prompt_tokens=10, text_tokens=9),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 0}, True, None),
        ({"prompt_tokens": -1, "completion_tokens": 5}, True, None),
        ({"prompt_tokens": "10", "completion_tokens": True}, True, None),
        ({}, True, None),
        (None, True, None),
    ],
)
def test_tokens_are_read_by_either_spelling(
    usage: object,
    drawn: bool,  # noqa: FBT001  # a column of the table
    tokens: Usage | None,
) -> None:
    assert usage_in({"usage": usage}, drawn=drawn) == tokens


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        ({"cost": 0.0389}, 38_900_000),
        ({"cost": "0.05"}, 50_000_000),
        ({"cost": 0}, 0),
        ({"cost": 1e-10}, 1),
        (
            {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04}},
            41_000_000,
        ),
        ({"cost": -1}, None),
        ({"cost": "NaN"}, None),
        ({"cost": "a lot"}, None),
        ({"cost": 1e9}, None),
        ({"cost": True}, None),
        ({"cost": None}, None),
        ("free", None),
    ],
)
def test_an_amount_is_believed_where_it_can_be_one(usage: object, nano: int | None) -> None:
    assert cost_in({"usage": usage}) == nano


@pytest.mark.parametrize(
    ("told", "nano"), [("0.039", 39_000_000), ("0.0", None), ("None", None), ("", None)]
)
def test_litellms_header_is_believed_where_it_knows_a_price(told: str, nano: int | None) -> None:
    headers = {"x-litellm-response-cost": told}

    assert cost_told(headers) == nano
    assert read_answer(json.dumps({"data": [DATA]}).encode(), headers, None).cost_nusd == nano


def test_a_picture_counts_before_an_error_that_stands_beside_it() -> None:
    body = json.dumps({**message(images=[DATA]), "error": {"message": "odd"}}).encode()

    outcome = read_answer(body, {}, None)

    assert (outcome.ended, outcome.image) == (AttemptState.DELIVERED, b"hello")


def test_only_an_address_is_looked_for_elsewhere() -> None:
    assert hosted_in(json.dumps(message(content=PAGE)).encode()) == PAGE
    assert hosted_in(json.dumps(message(images=[DATA])).encode()) is None
    assert hosted_in(b"\xff no JSON") is None
    parts = [{"text": PAGE, "thought": True}, {"text": "no"}]
    native = {"candidates": [{"content": {"parts": parts}}]}
    assert hosted_in(json.dumps(native).encode()) is None


def test_what_was_fetched_is_the_picture_and_what_was_not_is_said() -> None:
    body = json.dumps({"data": [{"url": PAGE}]}).encode()

    there = read_answer(body, {}, Fetched(image=b"picture"))
    lost = read_answer(body, {}, Fetched(said="HTTP 403."))
    unseen = read_answer(body, {}, None)

    assert (there.ended, there.image) == (AttemptState.DELIVERED, b"picture")
    assert (lost.ended, unseen.ended) == (AttemptState.SPOILED, AttemptState.SPOILED)
    assert lost.message == f"The image was paid, and could not be fetched from {PAGE}: HTTP 403."
