"""The simulator's Files API, by Google's own SDK and by hand."""

from __future__ import annotations

import http.client
import io
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.genai import Client, errors, types

from darkroom_simulator.child import running

KEY = {"x-goog-api-key": "k"}
GRAIN = 256 << 10
LINE = b'{"key": "a", "request": {"contents": [{"parts": [{"text": "a mug"}]}]}}\n'


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running("--pictures", "cached", "--body-bytes", "300000", "--batch-run", "0") as ready:
        yield ready.url


@pytest.fixture
def studio(url: str) -> Iterator[Client]:
    retries = types.HttpRetryOptions(attempts=1)
    http_options = types.HttpOptions(base_url=url, retry_options=retries)
    with Client(api_key="k", http_options=http_options) as client:
        yield client


def ask(method: str, url: str, body: bytes = b"", headers: dict[str, str] = KEY) -> Answer:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=20)
    try:
        connection.request(method, f"{place.path}?{place.query}", body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def start(url: str, size: int | None = None, **file: str) -> str:
    command = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    length = {} if size is None else {"X-Goog-Upload-Header-Content-Length": str(size)}
    body = json.dumps({"file": file}).encode()
    answer = ask("POST", f"{url}/upload/v1beta/files", body, {**KEY, **command, **length})
    assert answer.status == 200, answer.body
    assert answer.headers["x-goog-upload-status"] == "active"
    return answer.headers["x-goog-upload-url"]


def send(place: str, command: str, offset: int = 0, body: bytes = b"") -> Answer:
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    return ask("POST", place, body, headers)


def generated(client: Client, lines: int = 1) -> str:
    """Let a batch make a file; its name."""
    source = client.files.upload(file=io.BytesIO(LINE * lines), config={"mime_type": "jsonl"})
    assert source.name is not None
    job = client.batches.create(model="gemini-3-pro-image", src=source.name)
    while not job.done:
        job = client.batches.get(name=str(job.name))
    assert job.dest is not None
    return str(job.dest.file_name)


def test_the_sdk_uploads_in_chunks_and_finds_the_file_again(studio: Client) -> None:
    data = LINE * 120_000  # more than one of the SDK's chunks
    file = studio.files.upload(
        file=io.BytesIO(data),
        config={"mime_type": "jsonl", "display_name": "rows", "name": "files/rows-1"},
    )

    assert (file.name, file.display_name, file.size_bytes) == ("files/rows-1", "rows", len(data))
    assert file.create_time is not None
    assert file.expiration_time is not None
    assert (file.expiration_time - file.create_time).total_seconds() == 48 * 3600
    assert studio.files.get(name="rows-1") == file
    assert [each.name for each in studio.files.list(config={"page_size": 1})].count(file.name) == 1
    studio.files.delete(name="files/rows-1")
    with pytest.raises(errors.ClientError, match="may not exist") as refused:
        studio.files.get(name="rows-1")
    assert refused.value.code == 403


def test_a_name_is_taken_once(studio: Client) -> None:
    config = types.UploadFileConfig(mime_type="jsonl", name="files/taken")
    first = studio.files.upload(file=io.BytesIO(b"one"), config=config)

    with pytest.raises(errors.ClientError, match="'taken' already exists") as refused:
        studio.files.upload(file=io.BytesIO(b"two"), config=config)
    assert (refused.value.code, refused.value.status) == (409, "ALREADY_EXISTS")
    assert studio.files.get(name="taken") == first


def test_an_upload_is_taken_up_where_it_broke(url: str) -> None:
    data = bytes(2 * GRAIN) + b"end"
    session = start(url, len(data), mimeType="jsonl")
    place = urlsplit(session)
    head = f"POST {place.path}?{place.query} HTTP/1.1\r\nHost: h\r\nContent-Length: {2 * GRAIN}\r\n"
    more = "X-Goog-Upload-Command: upload\r\nX-Goog-Upload-Offset: 0\r\n\r\n"
    with socket.create_connection((str(place.hostname), place.port or 0)) as half:
        half.sendall((head + more).encode() + data[:GRAIN])

    come = 0
    while come < GRAIN:  # what was sent arrives a little later
        come = int(send(session, "query").headers["x-goog-upload-size-received"])
    assert send(session, "upload, finalize", 0, data).status == 400
    made = send(session, "upload, finalize", come, data[come:])
    assert made.headers["x-goog-upload-status"] == "final"
    assert made.json["file"]["sizeBytes"] == str(len(data))
    assert send(session, "query").headers["x-goog-upload-status"] == "final"


def test_what_no_client_of_google_sends_is_refused(url: str) -> None:
    assert send(start(url), "upload", 0, b"odd").status == 400
    assert send(start(url, 4), "upload, finalize", 0, b"odd").status == 400
    assert send(start(url), "shout", 0, b"odd").status == 400
    assert send(f"{url}/upload/v1/files?upload_id=x", "query").status == 404
    command = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    place = f"{url}/upload/v1/files"
    assert ask("POST", place, b'{"file": {"size": 3}}', {**KEY, **command}).status == 400
    assert ask("POST", place, b'{"file": {"name": "files/A"}}', {**KEY, **command}).status == 400
    assert ask("POST", place, b"", command).status == 403


def test_a_cancelled_upload_is_gone(url: str) -> None:
    session = start(url)

    assert send(session, "cancel").headers["x-goog-upload-status"] == "cancelled"
    assert send(session, "query").status == 404


def test_results_are_downloaded_whole_or_in_ranges(url: str, studio: Client) -> None:
    name = generated(studio)
    whole = studio.files.download(file=name)
    assert isinstance(whole, bytes)
    about = studio.files.get(name=name)

    place = f"{url}/download/v1beta/{name}:download?alt=media"
    middle = ask("GET", place, headers={**KEY, "Range": "bytes=100000-199999"})
    rest = ask("GET", place, headers={**KEY, "Range": "bytes=200000-"})
    assert json.loads(whole)["key"] == "a"
    assert (about.size_bytes, about.source) == (len(whole), types.FileSource.GENERATED)
    assert studio.files.download(file=about) == whole
    assert (middle.status, rest.status) == (206, 206)
    assert middle.headers["content-range"] == f"bytes 100000-199999/{len(whole)}"
    assert whole[:100_000] + middle.body + rest.body == whole
    assert ask("GET", place, headers={**KEY, "Range": f"bytes={len(whole)}-"}).status == 416
    assert ask("GET", place, headers={}).status == 403


def test_what_was_uploaded_cannot_be_downloaded(studio: Client) -> None:
    file = studio.files.upload(file=io.BytesIO(LINE), config={"mime_type": "jsonl"})

    with pytest.raises(errors.ClientError, match="Only generated files can be downloaded"):
        studio.files.download(file=str(file.name))


def test_files_are_listed_in_pages_the_newest_first(url: str, studio: Client) -> None:
    names = [
        studio.files.upload(file=io.BytesIO(LINE), config={"mime_type": "jsonl"}).name
        for _ in range(3)
    ]
    place = f"{url}/v1/files?pageSize=2"
    first = ask("GET", place).json
    newer = studio.files.upload(file=io.BytesIO(LINE), config={"mime_type": "jsonl"})
    second = ask("GET", f"{place}&pageToken={first['nextPageToken']}").json

    assert [file["name"] for file in first["files"]] == names[:0:-1]
    assert second["files"][0]["name"] == names[0]
    assert str(newer.name) not in json.dumps(second)
    assert ask("GET", f"{place}&pageToken=x").status == 400
