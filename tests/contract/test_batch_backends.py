"""Both batch backends pass this suite: real HTTP, the simulator at the other end."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contract.test_simulator_batches import NANO, PRO, Google, line, simulated

from darkroom.ids import new_id
from darkroom.models import AttemptState
from darkroom.request import Reference, Request, Wishes
from darkroom.router.wished import unheard
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import open_backend, open_batch_backend
from darkroom_worker.backends.base import Unavailable
from darkroom_worker.backends.batch import (
    BatchBackend,
    Doubt,
    Input,
    Kept,
    NotDone,
    Phase,
    Remote,
    Result,
)

TIERS = (Tier.AISTUDIO_BATCH, Tier.VERTEX_BATCH)
BY_FILE = 10  # lines: with more than eight, AI Studio's input is a file
LAMP = Request(prompt="a lamp", image_size="1K")


def settings_for(url: str, **more: object) -> Settings:
    return Settings.model_validate(
        {
            "vertex": {"project": "p", "access_token": "t", "base_url": url},
            "aistudio": {"api_key": "k", "base_url": url},
            "staging_url": "gs://shelf/desk",
            **more,
        }
    )


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with (
        simulated(tmp_path_factory.mktemp("buckets")) as google,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("STORAGE_EMULATOR_HOST", google.url)
        yield google


@pytest.fixture
def google(process: Google) -> Google:
    process.ask("PUT", "/_sim/batches/rules", b"[]")
    assert process.ask("POST", "/_sim/reset")[0] == 204
    return process


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> Tier:
    return Tier(request.param)


@pytest.fixture
def backend(google: Google, tier: Tier) -> Iterator[BatchBackend]:
    opened = open_batch_backend(tier, settings_for(google.url))
    yield opened
    opened.close()


class Sent:
    """A batch that a backend was asked to make, as its carrier would."""

    def __init__(
        self, backend: BatchBackend, folder: Path, requests: Sequence[Request], model: str = PRO
    ) -> None:
        self.backend = backend
        self.id = new_id("bat")
        self.attempts = [new_id("att") for _ in requests]
        self.file = folder / f"{self.id}.jsonl"
        backend.place_references(requests)
        lines = map(backend.line, self.attempts, requests)
        self.file.write_bytes(b"".join(lines))
        self.uri = uploaded(backend, self.id, self.file)
        self.remote = backend.create(self.id, model, Input(self.uri, self.file))

    def look(self) -> Remote:
        remote = self.backend.look(self.remote.name)
        assert remote is not None
        return remote

    def results(self) -> list[Result]:
        return [*map(self.backend.read, self.backend.results(self.look()))]

    def ends(self) -> list[AttemptState]:
        """How each line ended, in the order of the input."""
        by_id = {result.attempt_id: result.outcome.ended for result in self.results()}
        return [by_id[each] for each in self.attempts]


def uploaded(backend: BatchBackend, batch_id: str, file: Path) -> str:
    """Upload as the carrier does, which comes again where the provider cannot."""
    for _ in range(5):
        try:
            return backend.upload(batch_id, file)
        except NotDone as error:
            if error.outcome.ended is not AttemptState.BUSY:
                raise
    raise AssertionError("it could not be uploaded")


def lamps(how_many: int = BY_FILE) -> list[Request]:
    return [Request(prompt=f"a lamp {number}") for number in range(how_many)]


def play(google: Google, *rules: dict[str, Any]) -> None:
    assert google.ask("PUT", "/_sim/batches/rules", list(rules))[0] == 204


def created(google: Google) -> list[str]:
    """The display names of all jobs that the simulator made."""
    return [each["displayName"] for each in google.ask("GET", "/_sim/batches")[1]["jobs"]]


class Ear(http.server.BaseHTTPRequestHandler):
    """Hears one request, and refuses it."""

    heard: bytes = b""

    def do_POST(self) -> None:
        type(self).heard = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def said_on_demand(tier: Tier, request: Request) -> dict[str, Any]:
    """What the real SDK sends for a request to the same provider on demand."""
    with http.server.HTTPServer(("127.0.0.1", 0), Ear) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()

        async def send() -> None:
            settings = settings_for(f"http://127.0.0.1:{server.server_port}")
            backend = open_backend(tier.on_demand, settings)
            await backend.send(request, PRO, 20)
            await backend.close()
            await asyncio.sleep(0)

        asyncio.run(send())
        thread.join()
    body: dict[str, Any] = in_camel_case(json.loads(Ear.heard))
    return body


def in_camel_case(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """The SDK writes some names with underscores; Google takes both."""
    if isinstance(value, list):
        return [in_camel_case(each) for each in value]
    if isinstance(value, dict):
        return {
            re.sub("_(.)", lambda letter: letter[1].upper(), name): in_camel_case(each)
            for name, each in value.items()
        }
    return value


def said_in_a_line(backend: BatchBackend, request: Request) -> dict[str, Any]:
    spelled: dict[str, Any] = json.loads(backend.line("att_1", request))["request"]
    spelled.pop("labels", None)
    return spelled


WISHES = [
    Request(prompt="a lamp"),
    Request(prompt="eine Lampe, “weiß”\n\\ \U0001f4a1"),
    Request(prompt="a lamp", aspect_ratio="16:9"),
    Request(prompt="a lamp", image_size="4K"),
    Request(prompt="a lamp", aspect_ratio="21:9", image_size="2K", thinking="high"),
    Request(prompt="a lamp", seed=7, temperature=0.5),
    Request(prompt="a lamp", seed=0, temperature=0.0, thinking="minimal"),
    Request(prompt="like this", references=(Reference("gs://shelf/a.png", "image/png"),)),
    Request(prompt="her", references=(Reference("gs://a/b.png", "image/png", role="character"),)),
    Request(prompt="a lamp", wishes=Wishes(system_instruction="Draw.", safety="BLOCK_ONLY_HIGH")),
    Request(prompt="the moon tonight", wishes=Wishes(grounding="web")),
    Request(prompt="a quetzal", wishes=Wishes(grounding="image")),
    Request(prompt="a quetzal", wishes=Wishes(grounding="web+image", safety="OFF")),
]
ON_VERTEX = [
    Request(prompt="a lamp", wishes=Wishes(person_generation="ALLOW_NONE")),
    Request(
        prompt="a lamp",
        aspect_ratio="16:9",
        wishes=Wishes(output_mime_type="image/jpeg", compression_quality=80),
    ),
]


@pytest.mark.parametrize("request_", WISHES, ids=range(len(WISHES)))
def test_a_line_asks_what_the_sdk_asks_on_demand(
    backend: BatchBackend, tier: Tier, request_: Request
) -> None:
    assert said_in_a_line(backend, request_) == said_on_demand(tier, request_)


@pytest.mark.parametrize("request_", ON_VERTEX, ids=range(len(ON_VERTEX)))
def test_what_vertex_alone_takes_is_said_alike(
    backend: BatchBackend, tier: Tier, request_: Request
) -> None:
    if tier is Tier.VERTEX_BATCH:
        assert said_in_a_line(backend, request_) == said_on_demand(tier, request_)
    else:
        assert request_.wishes is not None
        assert unheard(request_.wishes.told, tier) is not None, "it is refused when it is planned"


@pytest.mark.parametrize("how_many", [2, BY_FILE])
def test_what_is_wished_of_a_line_arrives_and_its_queries_are_counted(
    google: Google, backend: BatchBackend, tier: Tier, tmp_path: Path, how_many: int
) -> None:
    wishes = Wishes(system_instruction="Draw.", safety="BLOCK_NONE", grounding="web")
    if tier is Tier.VERTEX_BATCH:
        wishes = msgspec.structs.replace(wishes, person_generation="ALLOW_NONE")
    requests = [msgspec.structs.replace(each, wishes=wishes) for each in lamps(how_many)]

    sent = Sent(backend, tmp_path, requests)
    google.advance(110)

    heard = {"systemInstruction": "Draw.", "safetySettings": "BLOCK_NONE", "googleSearch": "web"}
    heard |= {"personGeneration": "ALLOW_NONE"} if tier is Tier.VERTEX_BATCH else {}
    usages = [result.outcome.usage for result in sent.results()]
    assert [line["told"] for line in google.bill()] == [heard] * how_many
    assert all(usage is not None and usage.searches > 0 for usage in usages)
    assert sum(usage.searches for usage in usages if usage) == sum(
        line["usage"]["searches"] for line in google.bill()
    )


def test_a_local_reference_is_pointed_to_where_the_sdk_would_send_its_bytes(
    backend: BatchBackend, tier: Tier, tmp_path: Path
) -> None:
    request = Request(prompt="like this", references=(local(tmp_path, b"this"),))
    backend.place_references([request])

    line, sent = said_in_a_line(backend, request), said_on_demand(tier, request)

    pointer, data = line["contents"][0]["parts"][0], sent["contents"][0]["parts"][0]
    assert pointer["fileData"]["mimeType"] == data["inlineData"]["mimeType"]
    line["contents"][0]["parts"][0] = sent["contents"][0]["parts"][0] = {}
    assert line == sent


def test_a_reference_that_changed_since_it_was_planned_is_not_uploaded_as_what_it_was(
    backend: BatchBackend, tmp_path: Path
) -> None:
    reference = local(tmp_path, b"planned")
    Path(reference.uri).write_bytes(b"changed")

    with pytest.raises(OSError, match="changed since it was planned"):
        backend.place_references([Request(prompt="p", references=(reference,))])


def local(folder: Path, data: bytes) -> Reference:
    file = folder / "reference.png"
    file.write_bytes(data)
    return Reference(str(file), "image/png", sha256=hashlib.sha256(data).hexdigest())


def stored(google: Google) -> list[str]:
    """What lies at the provider: files of AI Studio, objects of the bucket."""
    files = google.ask("GET", "/v1/files?pageSize=100")[1].get("files", [])
    return [each["name"] for each in files] + google.objects("desk")


def test_a_reference_of_many_rows_is_uploaded_once_and_is_whole(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    reference = local(tmp_path, b"several rows name this")
    rows = [Request(prompt=f"like this {n}", references=(reference,)) for n in range(2)]
    before = stored(google)

    backend.place_references(rows)
    backend.place_references(rows)

    [placed] = {*stored(google)} - {*before}
    if placed.startswith("files/"):
        size = google.ask("GET", f"/v1/{placed}")[1]["sizeBytes"]
    else:
        found = google.ask("GET", f"/storage/v1/b/shelf/o?prefix={placed}")[1]
        size = found["items"][0]["size"]
    assert int(size) == len(b"several rows name this")


def test_an_input_that_is_uploaded_twice_is_stored_once(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    file, batch_id, before = tmp_path / "in.jsonl", new_id("bat"), stored(google)
    file.write_bytes(b"".join(backend.line(new_id("att"), each) for each in lamps()))

    first = backend.upload(batch_id, file)
    second = backend.upload(batch_id, file)

    assert first == second
    assert len({*stored(google)} - {*before}) == 1


def test_an_upload_that_breaks_goes_on(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    play(google, {"fault": "upload-503", "times": 3})

    sent = Sent(backend, tmp_path, lamps())
    google.advance(110)

    assert sent.ends() == [AttemptState.DELIVERED] * BY_FILE


@pytest.mark.parametrize("how_many", [2, BY_FILE])
def test_a_batch_is_made_by_one_post_and_found_by_its_name_alone(
    google: Google, backend: BatchBackend, tmp_path: Path, how_many: int
) -> None:
    first, second = (Sent(backend, tmp_path, lamps(how_many)) for _ in range(2))

    [found] = backend.find(first.id)

    assert sorted(created(google)) == sorted([first.id, second.id])
    assert (found.name, found.display_name) == (first.remote.name, first.id)
    assert backend.find(new_id("bat")) == []
    assert backend.find(first.id[:-1]) == []


@pytest.mark.parametrize("how_many", [2, BY_FILE])
def test_it_is_watched_from_waiting_to_its_results(
    google: Google, backend: BatchBackend, tmp_path: Path, how_many: int
) -> None:
    sent = Sent(backend, tmp_path, lamps(how_many))

    seen = [sent.remote.phase]
    google.advance(60)
    seen.append(sent.look().phase)
    google.advance(50)

    remote, results = sent.look(), sent.results()
    assert [*seen, remote.phase] == [Phase.WAITING, Phase.RUNNING, Phase.SUCCEEDED]
    assert (remote.succeeded, remote.failed) == (how_many, 0)
    assert {result.attempt_id for result in results} == {*sent.attempts}
    assert all(result.outcome.image for result in results)
    assert all(result.outcome.usage for result in results)


def test_an_echo_comes_to_the_fingerprint_of_its_request(
    google: Google, backend: BatchBackend, tier: Tier, tmp_path: Path
) -> None:
    reference = local(tmp_path, b"echoed")
    rows = [LAMP, Request(prompt="b", seed=3), Request(prompt="c", references=(reference,))]
    sent = Sent(backend, tmp_path, rows)
    google.advance(110)

    found = {result.attempt_id: result.asked for result in sent.results()}

    told = [backend.fingerprint(row) if tier is Tier.VERTEX_BATCH else None for row in rows]
    assert [found[each] for each in sent.attempts] == told


def test_what_the_provider_does_not_know_is_none(backend: BatchBackend, tier: Tier) -> None:
    jobs = "projects/p/locations/global/batchPredictionJobs"
    name = "batches/never" if tier is Tier.AISTUDIO_BATCH else f"{jobs}/404404"

    assert backend.look(name) is None
    backend.cancel(name)


def test_a_cancelled_batch_hands_out_what_it_finished(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    sent = Sent(backend, tmp_path, lamps())
    google.advance(60)

    backend.cancel(sent.remote.name)
    google.advance(0)
    backend.cancel(sent.remote.name)

    remote, results = sent.look(), sent.results()
    assert remote.phase is Phase.CANCELLED
    assert 0 < len(results) < BY_FILE
    assert remote.succeeded == len(results)


def test_strangers_are_listed_beside_ours_page_by_page(
    google: Google, backend: BatchBackend, tier: Tier, tmp_path: Path
) -> None:
    before = len([*backend.listing()])
    ours = Sent(backend, tmp_path, [LAMP])
    if tier is Tier.AISTUDIO_BATCH:
        source = google.upload(line("a"))
        job = google.studio.batches.create(model=PRO, src=source, config={"display_name": "x"})
    else:
        source = google.put("stranger.jsonl", {"request": line("a")["request"]})
        job = google.vertex.batches.create(model=PRO, src=source, config={"display_name": "x"})

    listed = {remote.name: remote.display_name for remote in backend.listing()}

    assert len(listed) == before + 2
    assert (listed[ours.remote.name], listed[str(job.name)]) == (ours.id, "x")


# google-cloud-storage leaves the socket of a piece that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("fault", ["download-503", "download-reset", "download-truncated"])
def test_a_broken_download_goes_on_where_it_broke(
    google: Google, backend: BatchBackend, tmp_path: Path, fault: str
) -> None:
    sent = Sent(backend, tmp_path, lamps())
    google.advance(110)
    whole = [*backend.results(sent.look())]
    play(google, {"fault": fault, "times": 3})

    assert [*backend.results(sent.look())] == whole
    gc.collect()


WORDS = [
    ("a lamp", AttemptState.DELIVERED),
    ("a lamp [[sim:refuse]]", AttemptState.REFUSED),
    ("a lamp [[sim:block]]", AttemptState.REFUSED),
    ("a lamp [[sim:no-image]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:text-only]]", AttemptState.NO_IMAGE),
    ("a lamp [[sim:bad-base64]]", AttemptState.SPOILED),
    ("a lamp [[sim:429]]", AttemptState.BUSY),
    ("a lamp [[sim:503]]", AttemptState.BUSY),
    ("a lamp [[sim:500]]", AttemptState.TRANSIENT),
    ("a lamp [[sim:504]]", AttemptState.TRANSIENT),
]


def test_each_line_has_its_end(google: Google, backend: BatchBackend, tmp_path: Path) -> None:
    sent = Sent(backend, tmp_path, [Request(prompt=prompt) for prompt, _ in WORDS])
    google.advance(110)

    assert sent.ends() == [ended for _, ended in WORDS]
    assert sent.look().succeeded == 6


def test_a_line_that_asks_too_much_is_invalid_with_googles_words(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    sent = Sent(backend, tmp_path, [Request(prompt="a", seed=1), Request(prompt="b")], NANO)
    google.advance(110)

    outcome = next(r for r in sent.results() if r.attempt_id == sent.attempts[0]).outcome
    assert sent.ends() == [AttemptState.INVALID, AttemptState.DELIVERED]
    assert "seed" in (outcome.message or "")


CODES = [
    (400, AttemptState.INVALID),
    (403, AttemptState.INVALID),
    (404, AttemptState.INVALID),
    (429, AttemptState.BUSY),
    (500, AttemptState.TRANSIENT),
    (503, AttemptState.BUSY),
    (504, AttemptState.TRANSIENT),
]


@pytest.mark.parametrize(("code", "ended"), CODES)
def test_a_line_fails_alone_by_its_code(
    google: Google, backend: BatchBackend, tmp_path: Path, code: int, ended: AttemptState
) -> None:
    play(google, {"fault": "line-errors", "share": 0.1, "code": code})
    sent = Sent(backend, tmp_path, lamps())
    google.advance(110)

    ends = sent.ends()

    assert ends.count(ended) == 1
    assert ends.count(AttemptState.DELIVERED) == BY_FILE - 1


def test_a_picture_that_is_no_base64_is_spoiled(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    play(google, {"fault": "corrupt-line", "share": 0.1})
    sent = Sent(backend, tmp_path, lamps())
    google.advance(110)

    assert sent.ends().count(AttemptState.SPOILED) == 1


def test_a_failed_batch_says_why(google: Google, backend: BatchBackend, tmp_path: Path) -> None:
    play(google, {"fault": "fail"})
    sent = Sent(backend, tmp_path, lamps())
    google.advance(110)

    remote = sent.look()
    assert (remote.phase, remote.message) == (Phase.FAILED, "INTERNAL")
    assert remote.succeeded == BY_FILE // 2
    assert sent.results() == []


@pytest.mark.parametrize("fault", ["create-reset-after", "create-reset-before"])
def test_a_creation_without_an_answer_is_in_doubt(
    google: Google, backend: BatchBackend, tmp_path: Path, fault: str
) -> None:
    play(google, {"fault": fault, "times": 1})

    with pytest.raises(Doubt):
        Sent(backend, tmp_path, lamps())

    names = created(google)
    assert len(names) == (fault == "create-reset-after")
    assert [[found.display_name for found in backend.find(name)] for name in names] == [
        [name] for name in names
    ]


def test_a_creation_that_is_said_to_have_failed_left_one_post(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    play(google, {"fault": "create-503-after", "times": 1})

    with pytest.raises(NotDone) as refused:
        Sent(backend, tmp_path, lamps())

    assert refused.value.outcome.http_status == 503
    assert len(created(google)) == 1


def test_a_creation_that_is_refused_had_no_effect(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    with pytest.raises(NotDone) as refused:
        Sent(backend, tmp_path, lamps(), model="gemini-9-image")

    assert refused.value.outcome.ended in {AttemptState.GONE, AttemptState.INVALID}
    assert created(google) == []


def test_nobody_at_the_other_end_means_that_nothing_was_created(
    tier: Tier, google: Google, tmp_path: Path
) -> None:
    nobody = open_batch_backend(tier, settings_for("http://127.0.0.1:9"))
    file = tmp_path / "in.jsonl"
    file.write_bytes(nobody.line("att_1", LAMP))
    uri = "inline:" if tier is Tier.AISTUDIO_BATCH else "gs://shelf/in.jsonl"

    with pytest.raises(NotDone) as refused:
        nobody.create("bat_1", PRO, Input(uri, file))
    nobody.close()

    assert refused.value.outcome.ended is AttemptState.NOT_SENT
    assert created(google) == []


def test_a_page_that_is_not_googles_does_not_make_a_batch_unknown(tier: Tier) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), NotFound) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        backend = open_batch_backend(tier, settings_for(f"http://127.0.0.1:{server.server_port}"))

        with pytest.raises(NotDone):
            backend.look("batches/ours")

        thread.join()
        backend.close()


class NotFound(http.server.BaseHTTPRequestHandler):
    """A proxy that knows no such page."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_what_was_needed_is_deleted_and_deleting_it_again_is_no_error(
    google: Google, backend: BatchBackend, tmp_path: Path
) -> None:
    before = {*stored(google)}
    sent = Sent(backend, tmp_path, lamps())
    google.advance(110)
    kept = Kept(sent.id, sent.uri, sent.look().results)
    between = {*stored(google)} - before

    backend.tidy(kept)
    backend.tidy(kept)

    assert between
    assert {*stored(google)} <= before


@pytest.mark.parametrize(
    ("tier", "missing", "word"),
    [
        (Tier.AISTUDIO_BATCH, {"aistudio": {}}, "API key"),
        (Tier.VERTEX_BATCH, {"vertex": {}}, "project"),
        (Tier.VERTEX_BATCH, {"staging_url": None}, "bucket"),
        (Tier.VERTEX_BATCH, {"staging_url": "gs://"}, "bucket"),
    ],
)
def test_what_is_missing_rests_the_tier_with_a_remedy(
    tier: Tier, missing: dict[str, object], word: str
) -> None:
    with pytest.raises(Unavailable) as without:
        open_batch_backend(tier, settings_for("http://127.0.0.1:9", **missing))

    assert word in without.value.rest.reason
    assert "resume" in (without.value.rest.hint or "")
