"""Vertex's batches in the simulator: by Google's own SDK, and by hand where Google is strict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.genai import errors, types
from tests.contract.test_simulator_batches import JOBS, PRO, Google, line, row, simulated


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with simulated(tmp_path_factory.mktemp("buckets")) as google:
        yield google


@pytest.fixture
def google(process: Google) -> Google:
    assert process.ask("POST", "/_sim/reset")[0] == 204
    return process


def test_vertex_reads_a_bucket_and_writes_to_it_in_an_order_of_its_own(google: Google) -> None:
    rows = [row(f"k{number}") for number in range(8)] + [row("bad", "[[sim:500]]")]
    source = google.put("in.jsonl", *({**each, "id": 7, "list": [7]} for each in rows))
    job = google.vertex.batches.create(
        model=PRO, src=source, config={"display_name": "run 2", "dest": "gs://shelf/out/"}
    )
    states = [google.vertex.batches.get(name=str(job.name)).state]
    for seconds in (6, 5, 100):
        google.advance(seconds)
        states.append(google.vertex.batches.get(name=str(job.name)).state)

    done = google.vertex.batches.get(name=str(job.name))
    assert [str(state).rpartition("_")[2] for state in states] == [
        "QUEUED",
        "PENDING",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert done.completion_stats is not None
    assert (done.completion_stats.successful_count, done.completion_stats.failed_count) == (8, 1)
    results = google.predictions(done)
    keys = [result["request"]["labels"]["id"] for result in results]
    assert sorted(keys) == sorted(each["request"]["labels"]["id"] for each in rows)
    assert keys != [each["request"]["labels"]["id"] for each in rows]
    assert {(result["id"], *result["list"]) for result in results} == {(7,)}
    failed = next(result for result in results if result["status"])
    assert failed["status"].startswith('Internal Server Error: {"error":{"code":500')
    assert failed["response"] == {}
    [part] = failed["request"]["contents"][0]["parts"]
    assert part == {"fileData": None, "inlineData": None, "text": "[[sim:500]]"}
    assert all(each["batch"] == job.name and each["service"] == "batch" for each in google.bill())


@pytest.mark.parametrize(
    ("request_fields", "sentence"),
    [
        ({"contents": [{"parts": [{"text": "a mug"}]}]}, "Please use a valid role"),
        ({"generationConfig": {"imageConfig": {"imageSize": "2K"}}}, "2K is not supported"),
        ({"thinkingConfig": {}}, "Cannot find field"),
        ({"labels": {"id": "Upper"}}, "labels"),
        ({"contents": [{"role": "user", "parts": [{"text": "a"}, {"fileData": {
            "mimeType": "image/png", "fileUri": "gs://shelf/none.png"}}]}]}, "none.png"),
    ],
)  # fmt: skip
def test_vertex_refuses_a_line_and_works_the_others(
    google: Google, request_fields: dict[str, Any], sentence: str
) -> None:
    source = google.put("in.jsonl", row("bad", **request_fields), row("good"))
    job = google.vertex.batches.create(model=PRO, src=source)
    google.advance(110)

    results = google.predictions(google.vertex.batches.get(name=str(job.name)))
    [failed] = [result for result in results if result["status"]]
    assert failed["status"].startswith('Bad Request: {"error":{"code":400')
    assert sentence in failed["status"]
    assert [each["billed"] for each in google.bill()].count(True) == 1


def test_an_input_that_is_not_there_fails_the_job(google: Google) -> None:
    job = google.vertex.batches.create(model=PRO, src="gs://shelf/never.jsonl")
    google.advance(110)

    done = google.vertex.batches.get(name=str(job.name))
    assert done.state == types.JobState.JOB_STATE_FAILED
    assert done.error is not None
    assert (done.error.code, "never.jsonl" in str(done.error.message)) == (5, True)


def test_vertex_lists_by_display_name_and_deletes_what_is_over(google: Google) -> None:
    source = google.put("in.jsonl", row("a"))
    jobs = [
        google.vertex.batches.create(model=PRO, src=source, config={"display_name": name})
        for name in ("one", "two", "one")
    ]
    wanted = 'displayName="one"'

    found = list(google.vertex.batches.list(config={"filter": wanted, "page_size": 1}))
    assert [job.name for job in found] == [jobs[2].name, jobs[0].name]
    assert google.ask("GET", f"{JOBS}?filter=state=1")[0] == 400
    with pytest.raises(errors.ClientError, match="cannot be deleted"):
        google.vertex.batches.delete(name=str(jobs[0].name))
    google.advance(110)
    google.vertex.batches.delete(name=str(jobs[0].name))
    assert google.ask("GET", f"/v1/{jobs[0].name}")[0] == 404


def test_what_waits_too_long_expires(google: Google) -> None:
    google.ask("PUT", "/_sim/batches/rules", [{"fault": "stuck-pending"}])
    studio = google.studio.batches.create(model=PRO, src=google.upload(line("a")))
    vertex = google.vertex.batches.create(model=PRO, src=google.put("in.jsonl", row("a")))
    google.ask("PUT", "/_sim/batches/rules", b"[]")
    google.advance(49 * 3600)
    states = [google.ask("GET", f"/v1/{job.name}")[1] for job in (studio, vertex)]
    google.advance(24 * 3600)

    assert states[0]["metadata"]["state"] == "BATCH_STATE_EXPIRED"
    assert (states[0]["done"], states[0]["error"]["code"]) == (True, 4)
    assert states[1]["state"] == "JOB_STATE_PENDING"
    assert google.ask("GET", f"/v1/{vertex.name}")[1]["state"] == "JOB_STATE_EXPIRED"
    assert google.bill() == []
