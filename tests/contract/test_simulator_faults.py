"""Each fault of the simulator as a client meets it, and what the ledger says of it."""

from __future__ import annotations

import binascii
import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image, UnidentifiedImageError

from darkroom_simulator.child import running

FLASH = "gemini-3.1-flash-image"
STUDIO = f"/v1/models/{FLASH}:generateContent"
VERTEX = f"/v1/projects/p/locations/global/publishers/google/models/{FLASH}:generateContent"
REGION = f"/v1/projects/p/locations/us/publishers/google/models/{FLASH}:generateContent"


class Door:
    """One connection at a time to a simulator, without a client library's opinions."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def ask(self, prompt: str, path: str = STUDIO) -> tuple[int, dict[str, str], bytes]:
        contents = [{"role": "user", "parts": [{"text": prompt}]}]
        generation = {"responseModalities": ["IMAGE"], "imageConfig": {"imageSize": "512"}}
        payload = json.dumps({"contents": contents, "generationConfig": generation}).encode()
        keys = {"x-goog-api-key": "k", "authorization": "Bearer t"}
        return self.send("POST", path, payload, **keys)

    def answer(self, prompt: str) -> dict[str, Any]:
        status, _, body = self.ask(prompt)
        assert status == 200
        answer: dict[str, Any] = json.loads(body)
        return answer

    def image(self, prompt: str) -> bytes:
        [part] = parts(self.answer(prompt))
        return binascii.a2b_base64(part["inlineData"]["data"], strict_mode=True)

    def ledger(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self.send("GET", "/_sim/ledger")[2])
        return summary

    def reset(self) -> None:
        self.send("POST", "/_sim/reset")


def parts(answer: dict[str, Any]) -> list[dict[str, Any]]:
    [candidate] = answer["candidates"]
    found: list[dict[str, Any]] = candidate["content"]["parts"]
    return found


@pytest.fixture(scope="module")
def process() -> Iterator[Door]:
    with running() as ready:
        yield Door(ready.url)


@pytest.fixture
def door(process: Door) -> Door:
    process.reset()
    return process


ERRORS = [
    ("429=7", 429, "RESOURCE_EXHAUSTED"),
    ("429-day", 429, "RESOURCE_EXHAUSTED"),
    ("429-spend", 429, "RESOURCE_EXHAUSTED"),
    ("429-credits", 429, "RESOURCE_EXHAUSTED"),
    ("402", 402, "FAILED_PRECONDITION"),
    ("500", 500, "INTERNAL"),
    ("503", 503, "UNAVAILABLE"),
    ("504", 504, "DEADLINE_EXCEEDED"),
]


@pytest.mark.parametrize(("fault", "code", "status"), ERRORS)
def test_an_error_wears_googles_clothes_and_is_not_billed(
    door: Door, fault: str, code: int, status: str
) -> None:
    answered, headers, body = door.ask(f"a mug [[sim:{fault}]]")

    error = json.loads(body)["error"]
    assert (answered, error["code"], error["status"]) == (code, code, status)
    assert error["message"]
    assert headers["Content-Type"].startswith("application/json")
    assert door.ledger()["billed"] == 0
    assert door.ledger()["outcomes"] == {fault.partition("=")[0]: 1}


def details(body: bytes) -> dict[str, dict[str, Any]]:
    found = json.loads(body)["error"].get("details", [])
    return {detail["@type"].rpartition(".")[2]: detail for detail in found}


def test_a_throttled_minute_names_the_wait_and_the_quota(door: Door) -> None:
    _, _, body = door.ask("[[sim:429=7.5]]")

    assert details(body)["RetryInfo"]["retryDelay"] == "7.5s"
    assert "PerMinute" in details(body)["QuotaFailure"]["violations"][0]["quotaId"]


def test_a_spent_day_names_the_quota_but_no_wait(door: Door) -> None:
    _, _, body = door.ask("[[sim:429-day]]")

    assert "RetryInfo" not in details(body)
    assert "PerDay" in details(body)["QuotaFailure"]["violations"][0]["quotaId"]


def test_vertexs_shared_pool_names_no_wait(door: Door) -> None:
    status, _, body = door.ask("[[sim:429]]", VERTEX)

    assert status == 429
    assert details(body) == {}


def test_a_bad_gateway_is_a_page_without_googles_json(door: Door) -> None:
    status, headers, body = door.ask("[[sim:502-html]]")

    assert (status, headers["Content-Type"]) == (502, "text/html; charset=UTF-8")
    assert body.startswith(b"<!DOCTYPE html>")


def test_a_fault_once_strikes_the_first_sight_of_a_prompt_alone(door: Door) -> None:
    prompts = ["a [[sim:429-once]]", "a [[sim:429-once]]", "b [[sim:429-once]]"]

    assert [door.ask(prompt)[0] for prompt in prompts] == [429, 200, 429]


FINISHES = [
    ("refuse", "IMAGE_SAFETY"),
    ("prohibited", "IMAGE_PROHIBITED_CONTENT"),
    ("recitation", "IMAGE_RECITATION"),
    ("no-image", "NO_IMAGE"),
    ("image-other", "IMAGE_OTHER"),
    ("max-tokens", "MAX_TOKENS"),
]


@pytest.mark.parametrize(("fault", "reason"), FINISHES)
def test_a_picture_withheld_is_billed_for_its_prompt_only(
    door: Door, fault: str, reason: str
) -> None:
    answer = door.answer(f"[[sim:{fault}]]".ljust(40))

    [candidate] = answer["candidates"]
    assert candidate["finishReason"] == reason
    assert "content" not in candidate
    assert "candidatesTokenCount" not in answer["usageMetadata"]
    assert door.ledger()["cost_nusd"] == 10 * 500
    assert door.ledger()["images"] == 0


def test_a_blocked_prompt_has_no_candidates(door: Door) -> None:
    answer = door.answer("[[sim:block]]")

    assert "candidates" not in answer
    assert answer["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}


def test_a_block_can_name_its_reason(door: Door) -> None:
    assert door.answer("[[sim:block=SAFETY]]")["promptFeedback"] == {"blockReason": "SAFETY"}


def test_an_answer_can_lack_candidates_and_parts(door: Door) -> None:
    assert "candidates" not in door.answer("[[sim:no-candidates]]")
    assert door.answer("[[sim:empty]]")["candidates"] == [
        {"index": 0, "finishReason": "STOP", "content": {"role": "model"}}
    ]


def test_a_refusal_in_words_stops_normally(door: Door) -> None:
    answer = door.answer("[[sim:text-only]]")

    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert list(parts(answer)[0]) == ["text"]


def test_thought_images_are_marked_and_cost_nothing(door: Door) -> None:
    both = parts(door.answer("[[sim:thought-first]]"))
    only = parts(door.answer("[[sim:only-thought]]"))

    assert [part.get("thought", False) for part in both] == [True, False]
    assert [part.get("thought", False) for part in only] == [True]
    assert door.ledger()["images"] == 1


def test_two_images_are_both_billed(door: Door) -> None:
    answer = door.answer("[[sim:two-images]]")

    assert len(parts(answer)) == 2
    assert answer["usageMetadata"]["candidatesTokenCount"] == 2 * 747


def test_a_picture_can_have_the_wrong_size(door: Door) -> None:
    assert Image.open(io.BytesIO(door.image("[[sim:wrong-size]]"))).size == (256, 256)


def test_a_corrupt_picture_looks_like_its_type_but_does_not_open(door: Door) -> None:
    picture = door.image("[[sim:corrupt]]")

    assert picture.startswith(b"\xff\xd8\xff")
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(picture))


def test_a_truncated_picture_opens_but_does_not_decode(door: Door) -> None:
    image = Image.open(io.BytesIO(door.image("[[sim:truncated-image]]")))

    assert image.size == (512, 512)
    with pytest.raises(OSError, match="truncated"):
        image.load()


def test_base64_can_be_broken(door: Door) -> None:
    with pytest.raises(binascii.Error):
        door.image("[[sim:bad-base64]]")


def test_the_mime_type_can_lie(door: Door) -> None:
    [part] = parts(door.answer("[[sim:wrong-mime]]"))

    assert part["inlineData"]["mimeType"] == "image/png"
    assert binascii.a2b_base64(part["inlineData"]["data"]).startswith(b"\xff\xd8")


def test_usage_can_be_missing_from_an_answer_that_is_billed(door: Door) -> None:
    assert "usageMetadata" not in door.answer("[[sim:no-usage]]")
    assert door.ledger()["cost_nusd"] > 747 * 60_000


def test_a_drop_before_the_work_is_not_billed(door: Door) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        door.ask("[[sim:drop-before]]")

    assert door.ledger()["billed"] == 0
    assert door.ledger()["outcomes"] == {"drop-before": 1}


CUTS = [
    ("drop-after", http.client.RemoteDisconnected),
    ("reset", ConnectionResetError),
    ("truncated", http.client.IncompleteRead),
]


@pytest.mark.parametrize(("fault", "error"), CUTS)
def test_a_connection_cut_after_the_work_is_billed(
    door: Door, fault: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        door.ask(f"[[sim:{fault}]]")

    ledger = door.ledger()
    assert (ledger["requests"], ledger["billed"], ledger["images"]) == (1, 1, 1)
    assert ledger["statuses"] == {"0": 1}


def test_garbage_is_a_page_with_status_200(door: Door) -> None:
    status, headers, body = door.ask("[[sim:garbage]]")

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert body.startswith(b"<!DOCTYPE html>")


def test_slow_and_dripping_answers_are_whole(door: Door) -> None:
    [part] = parts(door.answer("[[sim:slow=0.01]] [[sim:drip=0.01]]"))

    image = Image.open(io.BytesIO(binascii.a2b_base64(part["inlineData"]["data"])))
    image.load()
    assert image.size == (512, 512)


def test_the_cost_is_the_price_list_times_the_usage_shown(door: Door) -> None:
    usage = door.answer("a" * 100)["usageMetadata"]

    prompt, image = usage["promptTokenCount"], usage["candidatesTokenCount"]
    assert (prompt, image) == (25, 747)
    assert door.ledger()["cost_nusd"] == 25 * 500 + 747 * 60_000


def test_a_vertex_region_costs_a_tenth_more(door: Door) -> None:
    door.ask("a" * 100, REGION)

    assert door.ledger()["cost_nusd"] == (25 * 500 + 747 * 60_000) * 11 // 10


def test_a_prompt_with_several_images_is_listed(door: Door) -> None:
    for prompt in ("a", "a", "b"):
        door.ask(prompt)

    assert list(door.ledger()["repeated"].values()) == [2]


def test_a_request_declined_is_a_line_too(door: Door) -> None:
    door.send("POST", STUDIO, b"{}", **{"x-goog-api-key": "k"})
    door.send("POST", STUDIO, b"{}")

    assert door.ledger()["outcomes"] == {"invalid": 1, "denied": 1}
    assert door.ledger()["cost_nusd"] == 0


SCENARIO = """
[[rule]]
fault = "503"
prompt = "^rare"
nth = 2

[[rule]]
fault = "refuse"
model = "gemini-3.1-*"
platform = "vertex"
times = 1

[[rule]]
fault = "500-once"
prompt = "flaky"
probability = 0.5
"""


def outcomes(door: Door) -> dict[str, int]:
    found: dict[str, int] = door.ledger()["outcomes"]
    return found


def test_a_scenario_strikes_whom_its_rules_name(tmp_path: Path) -> None:
    rules = tmp_path / "scenario.toml"
    rules.write_text(SCENARIO)
    with running("--scenario", str(rules)) as ready:
        door = Door(ready.url)

        rare = [door.ask("rare bird")[0] for _ in range(3)]
        vertex = [json.loads(door.ask("mug", VERTEX)[2]) for _ in range(2)]

    assert rare == [200, 503, 200]
    assert [answer["candidates"][0]["finishReason"] for answer in vertex] == [
        "IMAGE_SAFETY",
        "STOP",
    ]


def test_a_rule_of_a_scenario_ends_after_its_seconds(tmp_path: Path) -> None:
    rules = tmp_path / "scenario.toml"
    rules.write_text(
        '[[rule]]\nfault = "500"\nseconds = 1e-9\n[[rule]]\nfault = "503"\nseconds = 3600\n'
    )
    with running("--scenario", str(rules)) as ready:
        assert Door(ready.url).ask("a lamp")[0] == 503


def test_chance_in_a_scenario_does_not_hang_on_the_order_of_arrival(tmp_path: Path) -> None:
    rules = tmp_path / "scenario.toml"
    rules.write_text(SCENARIO)
    prompts = [f"flaky {number}" for number in range(40)]
    with running("--scenario", str(rules), "--pictures", "cached") as ready:
        door = Door(ready.url)

        forwards = {prompt: door.ask(prompt)[0] for prompt in prompts}
        again = [door.ask(prompt)[0] for prompt in prompts]
        door.reset()
        backwards = {prompt: door.ask(prompt)[0] for prompt in reversed(prompts)}

    assert forwards == backwards
    assert 8 <= list(forwards.values()).count(500) <= 32
    assert set(again) == {200}
