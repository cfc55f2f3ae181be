"""The simulator's object storage is strict where Google's is: preconditions, checksums, chunks."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from darkroom_simulator.child import running

GRAIN = 256 << 10
SCENARIO = """
seed = 3
[[storage]]
fault = "503"
deeds = ["list"]
times = 1
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("storage")
    (folder / "buckets/shelf").mkdir(parents=True)
    (folder / "scenario.toml").write_text(SCENARIO)
    flags = ["--buckets", str(folder / "buckets"), "--scenario", str(folder / "scenario.toml")]
    with running(*flags) as simulator:
        yield simulator.url


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


def ask(method: str, url: str, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(url, body, named, method=method), timeout=20) as reply:  # noqa: S310
            return Answer(reply.status, dict(reply.headers), reply.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def create(url: str, query: str, metadata: dict[str, object], media: bytes = b"image") -> Answer:
    body = b"\r\n".join(
        [
            b"--edge",
            b"content-type: application/json",
            b"",
            json.dumps(metadata).encode(),
            b"--edge",
            b"content-type: image/png",
            b"",
            media,
            b"--edge--",
        ]
    )
    place = f"{url}/upload/storage/v1/b/shelf/o?uploadType=multipart{query}"
    return ask("POST", place, body, Content_Type='multipart/related; boundary="edge"')


def begin(url: str, name: str, query: str = "") -> Answer:
    place = f"{url}/upload/storage/v1/b/shelf/o?uploadType=resumable{query}"
    return ask("POST", place, json.dumps({"name": name}).encode())


def test_an_object_is_created_once_under_a_precondition(url: str) -> None:
    first = create(url, "&ifGenerationMatch=0", {"name": "once"})
    second = create(url, "&ifGenerationMatch=0", {"name": "once"}, b"other")
    replaced = create(url, f"&ifGenerationMatch={first.json['generation']}", {"name": "once"})

    assert (first.status, second.status, replaced.status) == (200, 412, 200)
    assert int(str(replaced.json["generation"])) > int(str(first.json["generation"]))


def test_what_a_typo_would_lose_is_refused(url: str) -> None:
    assert create(url, "&ifGenerationmatch=0", {"name": "typo"}).status == 400
    assert create(url, "", {"name": "typo", "metaData": {}}).status == 400
    assert create(url, "", {}).status == 400
    assert create(url, "", {"name": "typo", "crc32c": "AAAAAA=="}).status == 400
    assert ask("GET", f"{url}/storage/v1/b/shelf/o/typo").status == 404


def test_a_session_takes_chunks_in_order_and_says_how_far_it_is(url: str) -> None:
    session = begin(url, "large", "&ifGenerationMatch=0").headers["Location"]
    data = bytes(GRAIN) + b"end"

    assert "Range" not in ask("PUT", session, Content_Range="bytes */*").headers
    part = ask("PUT", session, data[:GRAIN], Content_Range=f"bytes 0-{GRAIN - 1}/*")
    hole = ask("PUT", session, b"end", Content_Range=f"bytes {GRAIN + 1}-{GRAIN + 3}/{GRAIN + 4}")
    whole = ask("PUT", session, data, Content_Range=f"bytes 0-{GRAIN + 2}/{GRAIN + 3}")
    again = ask("PUT", session, Content_Range="bytes */*")

    assert (part.status, part.headers["Range"]) == (308, f"bytes=0-{GRAIN - 1}")
    assert hole.status == 416
    assert (whole.status, whole.json["size"]) == (200, str(GRAIN + 3))
    assert again.json == whole.json
    assert begin(url, "large", "&ifGenerationMatch=0").status == 412


def test_a_cut_chunk_stays_as_far_as_it_came(url: str) -> None:
    session = begin(url, "cut").headers["Location"]
    place, data = urlsplit(session), bytes(2 * GRAIN) + b"end"
    head = f"PUT {place.path}?{place.query} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(data)}\r\n"
    with socket.create_connection((str(place.hostname), place.port or 0)) as half:
        half.sendall(f"{head}Content-Range: bytes 0-{len(data) - 1}/{len(data)}\r\n\r\n".encode())
        half.sendall(data[:GRAIN])

    come = 0
    while come < GRAIN:  # what was sent arrives a little later
        status = ask("PUT", session, Content_Range="bytes */*").headers
        come = int(status.get("Range", "0-0").rpartition("-")[2]) + 1 if "Range" in status else 0
    rest = f"bytes {come}-{len(data) - 1}/{len(data)}"
    assert ask("PUT", session, data[come:], Content_Range=rest).json["size"] == str(len(data))
    assert ask("GET", f"{url}/storage/v1/b/shelf/o/cut?alt=media").body == data


def test_a_range_of_an_object_is_read(url: str) -> None:
    create(url, "", {"name": "ranged"}, b"0123456789")
    place = f"{url}/storage/v1/b/shelf/o/ranged?alt=media"

    middle, end = ask("GET", place, Range="bytes=2-4"), ask("GET", place, Range="bytes=-3")
    rest, behind = ask("GET", place, Range="bytes=7-99"), ask("GET", place, Range="bytes=10-")

    assert (middle.status, middle.body) == (206, b"234")
    assert middle.headers["Content-Range"] == "bytes 2-4/10"
    assert (end.body, rest.body, behind.status) == (b"789", b"789", 416)
    assert middle.headers["X-Goog-Hash"].startswith("crc32c=")


def test_a_body_that_is_not_two_parts_is_refused(url: str) -> None:
    place = f"{url}/upload/storage/v1/b/shelf/o?uploadType=multipart"
    kind = "multipart/related; boundary=edge"
    one = b'--edge\r\n\r\n{"name": "one"}\r\n--edge--'
    open_end = b'--edge\r\n\r\n{"name": "one"}\r\n--edge\r\n\r\nimage'

    assert ask("POST", place, one, Content_Type=kind).status == 400
    assert ask("POST", place, open_end, Content_Type=kind).status == 400
    assert ask("POST", place, one, Content_Type="application/json").status == 400
    assert ask("GET", f"{url}/storage/v1/b/shelf/o/one").status == 404


def test_a_chunk_of_odd_size_in_the_middle_is_refused(url: str) -> None:
    session = begin(url, "odd").headers["Location"]

    assert ask("PUT", session, b"odd", Content_Range="bytes 0-2/*").status == 400


def test_a_listing_comes_in_pages_in_the_order_of_names(url: str) -> None:
    for name in ("page/b", "page/c", "page/a", "pagx"):
        assert create(url, "", {"name": name}).status == 200
    place = f"{url}/storage/v1/b/shelf/o?prefix=page/&maxResults=2"

    assert ask("GET", place).status == 503  # the scenario's
    first = ask("GET", place).json
    second = ask("GET", f"{place}&pageToken={first['nextPageToken']}").json

    items = [*first["items"], *second["items"]]  # type: ignore[misc]  # JSON
    assert [each["name"] for each in items] == ["page/a", "page/b", "page/c"]
    assert "nextPageToken" not in second


def test_a_generation_is_deleted_and_no_other(url: str) -> None:
    generation = create(url, "", {"name": "a/ü b"}).json["generation"]
    place = f"{url}/storage/v1/b/shelf/o/a%2F%C3%BC%20b"

    assert ask("DELETE", f"{place}?ifGenerationMatch=1").status == 412
    assert ask("GET", f"{place}?alt=media").body == b"image"
    assert ask("DELETE", f"{place}?ifGenerationMatch={generation}").status == 204
    assert ask("DELETE", place).status == 404


def test_a_listing_with_a_delimiter_leaves_folders_out(url: str) -> None:
    for name in ("deep/a", "deep/b/c"):
        assert create(url, "", {"name": name}).status == 200

    place = f"{url}/storage/v1/b/shelf/o?prefix=deep/&delimiter=/"
    answers = [ask("GET", place) for _ in range(2)]  # the first may be the scenario's 503

    assert [each["name"] for each in answers[-1].json["items"]] == ["deep/a"]  # type: ignore[attr-defined]


def test_a_generation_is_copied_once_to_a_free_name(url: str) -> None:
    generation = create(url, "", {"name": "in/ü", "metadata": {"k": "v"}}).json["generation"]
    place = f"{url}/storage/v1/b/shelf/o/in%2F%C3%BC/rewriteTo/b/shelf/o/out%2F%C3%BC"
    asked = f"{place}?sourceGeneration={generation}&ifGenerationMatch=0"

    first, second = (ask("POST", asked) for _ in range(2))
    gone = ask("POST", f"{place}?sourceGeneration=1")

    assert (first.status, second.status, gone.status) == (200, 412, 404)
    assert (first.json["done"], first.json["objectSize"]) == (True, "5")
    copied = f"{url}/storage/v1/b/shelf/o/out%2F%C3%BC"
    assert ask("GET", f"{copied}?alt=media").body == b"image"
    assert ask("GET", copied).json["metadata"] == {"k": "v"}


def test_harm_that_nobody_knows_is_refused(url: str) -> None:
    rules = f"{url}/_sim/storage/rules"

    assert ask("PUT", rules, b'[{"fault": "earthquake"}]').status == 400


def test_without_buckets_there_are_none(tmp_path: Path) -> None:
    with running() as simulator:
        answer = ask("GET", f"{simulator.url}/storage/v1/b/shelf/o")

    assert answer.status == 404
    assert not list(tmp_path.iterdir())
