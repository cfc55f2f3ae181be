from __future__ import annotations

import json

import pybase64
import pytest

from darkroom.models import AttemptState
from darkroom.registry import Level
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.reading import read_body

IMAGE = bytes(range(256)) * 3
TEXT = pybase64.b64encode(IMAGE).decode()


def answer(*parts: dict[str, object], reason: str = "STOP", **more: object) -> str:
    candidate = {"content": {"parts": list(parts)}, "finishReason": reason}
    return json.dumps({"candidates": [candidate], **more})


def picture(text: str = TEXT, **more: object) -> dict[str, object]:
    return {"inlineData": {"mimeType": "image/png", "data": text}, **more}


def read(body: str) -> Outcome:
    return read_body(body.encode(), {})


def test_a_picture_is_decoded_to_the_very_bytes() -> None:
    assert read(answer(picture())).image == IMAGE


def test_the_last_picture_that_is_no_thought_is_the_result() -> None:
    draft = pybase64.b64encode(b"draft").decode()
    first = pybase64.b64encode(b"first").decode()

    outcome = read(answer(picture(draft, thought=True), picture(first), picture(), {"text": "!"}))

    assert outcome.image == IMAGE


def test_a_picture_is_the_result_even_if_it_alone_is_marked_a_thought() -> None:
    assert read(answer(picture(thought=True))).image == IMAGE


@pytest.mark.parametrize("escaped", [TEXT.replace("/", r"\/"), TEXT.replace("=", r"\u003d")])
def test_base64_that_a_json_writer_escaped_is_read(escaped: str) -> None:
    body = answer(picture("HERE")).replace("HERE", escaped)

    assert read(body).image == IMAGE


def test_words_that_look_like_a_key_are_words() -> None:
    outcome = read(answer({"text": 'I would send "data": "x" but may not'}))

    assert outcome.ended is AttemptState.NO_IMAGE
    assert outcome.message == 'I would send "data": "x" but may not'


@pytest.mark.parametrize("part", [{"inlineData": {}}, {"inlineData": {"data": ""}}, {}])
def test_a_picture_without_data_is_no_picture(part: dict[str, object]) -> None:
    outcome = read(answer(part))

    assert (outcome.ended, outcome.finish_reason) == (AttemptState.NO_IMAGE, "EMPTY")


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", '{"candidates":', '{"candidates":[{"content":']
)
def test_what_google_would_not_answer_is_lost(body: str) -> None:
    assert read(body).ended is AttemptState.LOST


def test_a_byte_that_is_no_text_spoils_a_word_and_not_the_picture() -> None:
    body = answer({"text": "a cafe!"}, picture()).encode().replace(b"cafe!", b"caf\xe9")

    assert read_body(body, {}).image == IMAGE


def test_thoughts_are_not_part_of_the_candidates() -> None:
    usage = {
        "promptTokenCount": 533,
        "candidatesTokenCount": 1120,
        "thoughtsTokenCount": 217,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
        "trafficType": "ON_DEMAND_PRIORITY",
    }

    outcome = read(answer(picture(), usageMetadata=usage))

    assert outcome.usage is not None
    assert (outcome.usage.image_tokens, outcome.usage.text_tokens) == (1120, 0)
    assert outcome.usage.thought_tokens == 217
    assert outcome.level is Level.PRIORITY


@pytest.mark.parametrize("counts", [{"promptTokenCount": -5}, {"promptTokenCount": "many"}])
def test_usage_that_makes_no_sense_never_becomes_a_negative_charge(
    counts: dict[str, object],
) -> None:
    outcome = read(answer(picture(), usageMetadata=counts))

    assert outcome.usage is None or outcome.usage.prompt_tokens == 0
