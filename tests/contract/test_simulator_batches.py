"""The simulator's two batch APIs: by Google's own SDK, and by hand where Google is strict."""

from __future__ import annotations

import contextlib
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import Credentials
from google.genai import Client, errors, types

from darkroom_simulator.child import running

PRO = "gemini-3-pro-image"
NANO = "gemini-nano-banana-2.1"
IMAGE = types.GenerateContentConfig(response_modalities=["IMAGE"])
BOTH = {"x-goog-api-key": "k", "authorization": "Bearer t"}
JOBS = "/v1/projects/p/locations/global/batchPredictionJobs"


class Token(Credentials):
    """Credentials that never ask anybody."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = "t"

    def refresh(self, _request: object) -> None:
        self.token = "t"


class Google:
    """A simulator whose jobs run for 100 seconds of a clock that only tests put forward."""

    def __init__(self, url: str) -> None:
        self.url = url
        retries = types.HttpRetryOptions(attempts=1)
        http = types.HttpOptions(base_url=url, api_version="v1", retry_options=retries)
        self.studio = Client(api_key="k", http_options=http)
        self.vertex = Client(
            enterprise=True, project="p", location="global", credentials=Token(), http_options=http
        )

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.url + path, data, BOTH, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310 - loopback
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def advance(self, seconds: float) -> None:
        assert self.ask("POST", "/_sim/clock", {"advance": seconds})[0] == 200

    def upload(self, *lines: object) -> str:
        data = b"".join(
            line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
        )
        file = self.studio.files.upload(file=io.BytesIO(data), config={"mime_type": "jsonl"})
        return str(file.name)

    def put(self, name: str, *lines: object) -> str:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        session = f"{self.url}/upload/storage/v1/b/shelf/o?uploadType=resumable&name={name}"
        begin = urllib.request.Request(session, b"{}", method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(begin, timeout=20) as reply:  # noqa: S310 - loopback
            place = reply.headers["Location"]
        span = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        end = urllib.request.Request(place, data, span, method="PUT")  # noqa: S310 - loopback
        urllib.request.urlopen(end, timeout=20).close()  # noqa: S310 - loopback
        return f"gs://shelf/{name}"

    def objects(self, prefix: str) -> list[str]:
        found = self.ask("GET", f"/storage/v1/b/shelf/o?prefix={prefix}")[1].get("items", [])
        return [each["name"] for each in found]

    def predictions(self, job: types.BatchJob) -> list[dict[str, Any]]:
        assert job.output_info is not None
        folder = str(job.output_info.gcs_output_directory).removeprefix("gs://shelf/")
        [name] = self.objects(folder)
        place = f"{self.url}/storage/v1/b/shelf/o/{name.replace('/', '%2F')}?alt=media"
        with urllib.request.urlopen(place, timeout=20) as reply:  # noqa: S310 - loopback
            return [json.loads(line) for line in reply]

    def bill(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/_sim/ledger/lines", timeout=20) as reply:  # noqa: S310
            return [json.loads(line) for line in reply]


@contextlib.contextmanager
def simulated(folder: Path) -> Iterator[Google]:
    """Run a simulator with one bucket, `shelf`."""
    Path(folder, "shelf").mkdir()
    slow = ["--batch-queue", "10", "--batch-run", "100", "--batch-speed", "0.001"]
    flags = ["--pictures", "cached", "--body-bytes", "40000", "--buckets", str(folder)]
    with running(*flags, *slow) as ready:
        yield Google(ready.url)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with simulated(tmp_path_factory.mktemp("buckets")) as google:
        yield google


@pytest.fixture
def google(process: Google) -> Google:
    assert process.ask("POST", "/_sim/reset")[0] == 204
    return process


def line(key: str, prompt: str = "a mug", **request: Any) -> dict[str, Any]:
    contents = [{"role": "user", "parts": [{"text": prompt}]}]
    return {"key": key, "request": {"contents": contents, **request}}


def row(key: str, prompt: str = "a mug", **request: Any) -> dict[str, Any]:
    return {"request": {**line(key, prompt)["request"], "labels": {"id": key}, **request}}


def test_a_file_of_requests_becomes_a_file_of_results_in_its_order(google: Google) -> None:
    lines = [line("a"), line("b", "[[sim:503]]"), line("c", "[[sim:refuse]]"), line("d")]
    job = google.studio.batches.create(
        model=NANO, src=google.upload(*lines), config={"display_name": "run 1"}
    )
    waiting = google.ask("GET", f"/v1/{job.name}")[1]
    google.advance(110)

    done = google.studio.batches.get(name=str(job.name))
    assert job.state == types.JobState.JOB_STATE_PENDING
    assert waiting["metadata"]["batchStats"] == {"requestCount": "4", "pendingRequestCount": "4"}
    assert (done.state, done.display_name) == (types.JobState.JOB_STATE_SUCCEEDED, "run 1")
    assert done.dest is not None
    text = google.studio.files.download(file=str(done.dest.file_name))
    results = [json.loads(each) for each in text.splitlines()]
    assert [result["key"] for result in results] == ["a", "b", "c", "d"]
    assert results[1]["error"] == {"code": 14, "message": results[1]["error"]["message"]}
    assert results[2]["response"]["candidates"][0]["finishReason"] == "IMAGE_SAFETY"
    wire = google.ask("GET", f"/v1beta/{job.name}")[1]
    assert wire["metadata"]["batchStats"]["failedRequestCount"] == "1"
    assert wire["response"]["responsesFile"] == wire["metadata"]["output"]["responsesFile"]


def test_every_worked_line_is_billed_at_the_batch_price_under_its_job(google: Google) -> None:
    lines = [line("a", "1234" * 25), line("b", "[[sim:429]]"), line("c", "[[sim:text-only]]")]
    job = google.studio.batches.create(model=NANO, src=google.upload(*lines))
    google.advance(110)

    bill = google.bill()
    assert {(each["batch"], each["service"]) for each in bill} == {(job.name, "batch")}
    assert [(each["outcome"], each["status"], each["billed"]) for each in bill] == [
        ("image", 200, True),
        ("429", 429, False),
        ("text-only", 200, True),
    ]
    usage = bill[0]["usage"]
    assert (usage["prompt_text"], usage["image"]) == (25, 1120)
    words = usage["thoughts"] + usage["text"]
    assert bill[0]["cost_nusd"] == 25 * 750 + words * 3750 + 1120 * 15_000
    assert bill[1]["cost_nusd"] == 0


def test_requests_in_the_body_are_answered_in_the_body(google: Google) -> None:
    requests = [
        types.InlinedRequest(contents="a mug", metadata={"key": key}, config=IMAGE) for key in "ab"
    ]
    job = google.studio.batches.create(model=PRO, src=requests)
    google.advance(110)

    done = google.studio.batches.get(name=str(job.name))
    assert done.dest is not None
    responses = done.dest.inlined_responses or []
    assert [each.metadata for each in responses] == [{"key": "a"}, {"key": "b"}]
    assert all(each.response and each.response.parts for each in responses)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"key": "b", "request": {"contents": [], "thinking_config": {}}}, "'thinking_config'"),
        ({"key": "b", "body": {}}, "no such field: 'body'"),
        ({"key": "b", "request": {"contents": [{"parts": "text"}]}}, "expected an object"),
        ({"key": "b"}, "request must be set"),
        (b"{oops\n", "Error on line 2: invalid JSON, near column"),
    ],
)
def test_one_line_of_a_wrong_shape_refuses_the_whole_file(
    google: Google, wrong: object, sentence: str
) -> None:
    source = google.upload(line("a"), wrong)

    with pytest.raises(errors.ClientError, match="Error on line 2") as refused:
        google.studio.batches.create(model=NANO, src=source)
    assert refused.value.code == 400
    assert sentence in str(refused.value)
    assert google.ask("GET", "/_sim/batches")[1]["jobs"] == []


def test_a_line_that_asks_the_impossible_fails_alone(google: Google) -> None:
    impossible = line("a", generationConfig={"imageConfig": {"aspectRatio": "7:5"}})
    job = google.studio.batches.create(model=NANO, src=google.upload(impossible, line("b")))
    google.advance(110)

    [witness] = google.ask("GET", "/_sim/batches")[1]["jobs"]
    assert (witness["name"], witness["state"]) == (job.name, "SUCCEEDED")
    assert (witness["succeeded"], witness["failed"]) == (1, 1)


def test_ai_studio_takes_a_hundred_open_jobs(google: Google) -> None:
    source = google.upload(line("a"))
    body = {"batch": {"displayName": "d", "inputConfig": {"fileName": source}}}
    place = f"/v1beta/models/{NANO}:batchGenerateContent"
    statuses = [google.ask("POST", place, body)[0] for _ in range(101)]

    assert statuses == [200] * 100 + [429]
    assert google.ask("GET", "/_sim/batches")[1]["creates"] == {"d": 100}
    first = google.ask("GET", "/v1/batches?pageSize=60")[1]
    second = google.ask("GET", f"/v1/batches?pageSize=60&pageToken={first['nextPageToken']}")[1]
    names = [each["name"] for each in first["operations"] + second["operations"]]
    assert (len(names), len(set(names))) == (100, 100)
    assert "nextPageToken" not in second


@pytest.mark.parametrize("platform", ["studio", "vertex"])
def test_a_cancelled_job_hands_out_and_bills_what_is_worked(google: Google, platform: str) -> None:
    client = getattr(google, platform)
    lines = [(line if platform == "studio" else row)(f"k{number}") for number in range(10)]
    source = google.upload(*lines) if platform == "studio" else google.put("in.jsonl", *lines)
    job = client.batches.create(model=PRO, src=source)
    google.advance(10 + 45)
    running_job = client.batches.get(name=job.name)
    client.batches.cancel(name=job.name)
    google.advance(0)

    done = client.batches.get(name=job.name)
    assert running_job.state == types.JobState.JOB_STATE_RUNNING
    assert done.state == types.JobState.JOB_STATE_CANCELLED
    assert len(google.bill()) == 4
    with pytest.raises(errors.ClientError) as refused:
        client.batches.cancel(name=job.name)
    assert (refused.value.code, refused.value.status) == (400, "FAILED_PRECONDITION")
    if platform == "vertex":
        assert len(google.predictions(done)) == 4
    else:
        assert len(client.files.download(file=done.dest.file_name).splitlines()) == 4


def test_a_create_must_say_what_google_asks_for(google: Google) -> None:
    place = f"/v1/models/{NANO}:batchGenerateContent"

    assert google.ask("POST", place, {"batch": {"inputConfig": {}}})[0] == 400
    assert google.ask("POST", place, {"batch": {"input": {}}})[0] == 400
    assert (
        google.ask("POST", place, {"batch": {"input_config": {"file_name": "files/x"}}})[0] == 403
    )
    assert google.ask("POST", "/v1/models/none:batchGenerateContent", {"batch": {}})[0] == 404
    assert google.ask("POST", JOBS, {"displayName": "d"})[0] == 400
    assert google.ask("GET", "/v1/batches/none")[0] == 404
