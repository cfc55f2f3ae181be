"""Each mishap of the simulator's batches as a client meets it, and what the bill says of it."""

from __future__ import annotations

import binascii
import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.contract.test_simulator_batches import BOTH, PRO, Google, line, row, simulated

LINES = 10


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with simulated(tmp_path_factory.mktemp("buckets")) as google:
        yield google


@pytest.fixture
def google(process: Google) -> Google:
    process.ask("PUT", "/_sim/batches/rules", b"[]")
    assert process.ask("POST", "/_sim/reset")[0] == 204
    return process


def play(google: Google, *rules: dict[str, Any]) -> None:
    assert google.ask("PUT", "/_sim/batches/rules", list(rules))[0] == 204


def studio(google: Google, *, run: bool = True) -> str:
    """Make a job of ten lines on AI Studio; its name."""
    source = google.upload(*(line(f"k{number}", f"mug {number}") for number in range(LINES)))
    job = google.studio.batches.create(model=PRO, src=source)
    if run:
        google.advance(110)
    return str(job.name)


def vertex(google: Google, *, run: bool = True) -> str:
    """The same on Vertex."""
    rows = [row(f"k{number}", f"mug {number}") for number in range(LINES)]
    job = google.vertex.batches.create(model=PRO, src=google.put("in.jsonl", *rows))
    if run:
        google.advance(110)
    return str(job.name)


def state(google: Google, name: str) -> str:
    body = google.ask("GET", f"/v1/{name}")[1]
    return str(body.get("state") or body["metadata"]["state"]).rpartition("STATE_")[2]


def read(google: Google, path: str, **headers: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(google.url).netloc, timeout=20)
    try:
        connection.request("GET", path, headers={**BOTH, **headers})
        answer = connection.getresponse()
        assert answer.status in {200, 206}, answer.read()
        return answer.read()
    finally:
        connection.close()


def places(google: Google, name: str) -> list[str]:
    """Where a job's results are downloaded."""
    body = google.ask("GET", f"/v1/{name}")[1]
    if "metadata" in body:
        return [f"/v1/{body['response']['responsesFile']}:download?alt=media"]
    folder = body["outputInfo"]["gcsOutputDirectory"].removeprefix("gs://shelf/")
    found = google.objects(folder)
    return [f"/storage/v1/b/shelf/o/{quote(each, safe='')}?alt=media" for each in found]


def raw(google: Google, name: str) -> list[bytes]:
    return [each for place in places(google, name) for each in read(google, place).splitlines()]


def results(google: Google, name: str) -> list[tuple[str, dict[str, Any]]]:
    """What a job says of which line; "" where it does not say of which."""
    found = [json.loads(each) for each in raw(google, name)]
    return [
        (each.get("key") or each.get("request", {}).get("labels", {}).get("id", ""), each)
        for each in found
    ]


def keys(google: Google, name: str) -> list[str]:
    return [key for key, _ in results(google, name)]


Make = Callable[..., str]
EVERY = [f"k{number}" for number in range(LINES)]
MAKERS = pytest.mark.parametrize("make", [studio, vertex])


@MAKERS
def test_a_stuck_job_waits_until_it_is_cancelled(google: Google, make: Make) -> None:
    play(google, {"fault": "stuck-pending"})
    name = make(google)
    waiting = state(google, name)
    google.ask("POST", f"/v1/{name}:cancel", {})
    google.advance(0)

    assert (waiting, state(google, name), google.bill()) == ("PENDING", "CANCELLED", [])


@MAKERS
def test_a_failed_job_has_a_code_and_no_results_and_is_billed(google: Google, make: Make) -> None:
    play(google, {"fault": "fail", "share": 0.3})
    name = make(google)

    body = google.ask("GET", f"/v1/{name}")[1]
    assert state(google, name) == "FAILED"
    assert body["error"] == {"code": 13, "message": "INTERNAL"}
    assert "response" not in body
    assert "outputInfo" not in body
    assert len(google.bill()) == 3


def test_an_expired_job_keeps_what_is_worked_on_vertex_only(google: Google) -> None:
    play(google, {"fault": "expire", "share": 0.6})
    there, here = vertex(google), studio(google)

    assert state(google, there) == state(google, here) == "EXPIRED"
    assert len(keys(google, there)) == 6
    assert "response" not in google.ask("GET", f"/v1/{here}")[1]
    assert Counter(each["batch"] for each in google.bill()) == {there: 6, here: 6}


def test_a_part_of_the_lines_is_not_done(google: Google) -> None:
    play(google, {"fault": "partial", "share": 0.3})
    name = vertex(google)

    stats = google.ask("GET", f"/v1/{name}")[1]["completionStats"]
    assert state(google, name) == "PARTIALLY_SUCCEEDED"
    assert stats == {"successfulCount": "7", "incompleteCount": "3"}
    assert (len(keys(google, name)), len(google.bill())) == (7, 7)
    assert state(google, studio(google)) == "SUCCEEDED"


def test_a_paused_job_stays_until_it_is_cancelled(google: Google) -> None:
    play(google, {"fault": "paused", "share": 0.2})
    name = vertex(google)
    paused = state(google, name)
    google.ask("POST", f"/v1/{name}:cancel", {})
    google.advance(0)

    assert (paused, state(google, name), len(keys(google, name))) == ("PAUSED", "CANCELLED", 2)


@MAKERS
def test_a_share_of_the_lines_fails_with_a_code(google: Google, make: Make) -> None:
    play(google, {"fault": "line-errors", "share": 0.4, "code": 429})
    name = make(google)

    failed = [each for _, each in results(google, name) if each.get("error") or each.get("status")]
    assert len(failed) == 4
    assert [each["status"] for each in google.bill()].count(429) == 4
    if make is studio:
        assert {each["error"]["code"] for each in failed} == {8}
    else:
        assert failed[0]["status"].startswith('Too Many Requests: {"error":{"code":429')


@MAKERS
def test_lines_come_in_another_order(google: Google, make: Make) -> None:
    play(google, {"fault": "shuffled"})
    found = keys(google, make(google))

    assert found != EVERY
    assert sorted(found) == EVERY


@MAKERS
def test_two_lines_carry_each_others_label(google: Google, make: Make) -> None:
    straight = keys(google, make(google))
    play(google, {"fault": "swapped-labels", "share": 0.2})
    name = make(google)

    found = keys(google, name)
    assert sorted(found) == EVERY
    if make is studio:
        assert sum(one != other for one, other in zip(straight, found, strict=True)) == 2
    else:
        told = [each["request"] for _, each in results(google, name)]
        texts = [each["contents"][0]["parts"][0]["text"].split()[1] for each in told]
        assert sum(f"k{text}" != key for text, key in zip(texts, found, strict=True)) == 2


@MAKERS
@pytest.mark.parametrize(
    ("fault", "lines", "unknown", "distinct"),
    [
        ("missing-labels", 10, 3, 8),
        ("duplicate-lines", 13, 0, 10),
        ("stranger-lines", 13, 3, 13),
        ("dropped-lines", 7, 0, 7),
    ],
)
def test_lines_lose_their_label_or_come_twice_or_never_or_unasked(
    google: Google, make: Make, fault: str, lines: int, unknown: int, distinct: int
) -> None:
    play(google, {"fault": fault, "share": 0.3})
    found = keys(google, make(google))

    assert (len(found), len(set(found))) == (lines, distinct)
    assert sum(key not in EVERY for key in found) == unknown
    assert [each["billed"] for each in google.bill()] == [True] * LINES


@MAKERS
def test_a_line_ends_in_its_middle(google: Google, make: Make) -> None:
    play(google, {"fault": "truncated-line", "share": 0.1})
    found = raw(google, make(google))

    assert len(found) == LINES
    assert sum(not each.endswith(b"}") for each in found) == 1


@MAKERS
def test_a_picture_is_no_base64(google: Google, make: Make) -> None:
    play(google, {"fault": "corrupt-line", "share": 0.2})
    broken = 0
    for _, each in results(google, make(google)):
        data = each["response"]["candidates"][0]["content"]["parts"][-1]["inlineData"]["data"]
        try:
            binascii.a2b_base64(data, strict_mode=True)
        except binascii.Error:
            broken += 1

    assert broken == 2


def test_results_are_split_over_two_files(google: Google) -> None:
    play(google, {"fault": "two-files"})
    name = vertex(google)

    first, second = places(google, name)
    assert ("predictions_0001.jsonl" in first, "predictions_0002.jsonl" in second) == (True, True)
    assert sorted(keys(google, name)) == EVERY
