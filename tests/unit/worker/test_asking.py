from __future__ import annotations

from typing import Any

import pytest

from darkroom.request import Reference, Request, Wishes
from darkroom_worker.backends.asking import asked, fingerprint


def spelled(**wishes: Any) -> dict[str, Any]:
    return asked(Request(prompt="a lamp", **wishes), lambda reference: f"there:{reference.uri}")


def test_what_is_not_wished_for_is_not_spelled() -> None:
    assert spelled()["generationConfig"] == {"responseModalities": ["IMAGE"]}


def test_zero_is_a_wish() -> None:
    config = spelled(seed=0, temperature=0.0)["generationConfig"]

    assert (config["seed"], config["temperature"]) == (0, 0.0)


def test_references_come_before_the_prompt_and_lie_where_they_were_put() -> None:
    references = (Reference("/a.png", "image/png"), Reference("gs://b/c.jpg", "image/jpeg"))

    [content] = spelled(references=references)["contents"]

    assert content["parts"] == [
        {"fileData": {"mimeType": "image/png", "fileUri": "there:/a.png"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "there:gs://b/c.jpg"}},
        {"text": "a lamp"},
    ]


ASKED = spelled(aspect_ratio="16:9", seed=7)
[CONTENT] = ASKED["contents"]
[PART] = CONTENT["parts"]
SAME = [
    {**ASKED, "labels": {"darkroom_attempt": "att_1"}},
    dict(reversed(ASKED.items())),
    {**ASKED, "contents": [{**CONTENT, "parts": [{"fileData": None, "inlineData": None, **PART}]}]},
    {**ASKED, "systemInstruction": None, "tools": [], "safetySettings": {}},
    {**ASKED, "generationConfig": {**ASKED["generationConfig"], "thinkingConfig": {}}},
]
GROUNDED = spelled(wishes=Wishes(grounding="web"))
OTHER = [
    GROUNDED,
    spelled(wishes=Wishes(grounding="image")),
    spelled(wishes=Wishes(grounding="web+image")),
    spelled(aspect_ratio="16:9", seed=8),
    spelled(aspect_ratio="9:16", seed=7),
    spelled(seed=7),
    {**ASKED, "contents": [{**CONTENT, "parts": [{"text": "a  lamp"}]}]},
    {**ASKED, "contents": [{**CONTENT, "parts": [PART, PART]}]},
    {**ASKED, "contents": []},
    {},
]


@pytest.mark.parametrize("echo", SAME, ids=range(len(SAME)))
def test_an_echo_comes_to_the_same_whatever_travels_with_it(echo: dict[str, Any]) -> None:
    assert fingerprint(echo) == fingerprint(ASKED)


@pytest.mark.parametrize("echo", OTHER, ids=range(len(OTHER)))
def test_another_request_comes_to_something_else(echo: dict[str, Any]) -> None:
    assert fingerprint(echo) != fingerprint(ASKED)


@pytest.mark.parametrize("grounding", ["image", "web+image", None])
def test_another_search_is_another_request(grounding: str | None) -> None:
    wishes = None if grounding is None else Wishes(grounding=grounding)

    assert fingerprint(spelled(wishes=wishes)) != fingerprint(GROUNDED)


def test_the_order_of_parts_counts() -> None:
    two = (Reference("/a", "image/png"), Reference("/b", "image/png"))

    assert fingerprint(spelled(references=two)) != fingerprint(spelled(references=two[::-1]))
