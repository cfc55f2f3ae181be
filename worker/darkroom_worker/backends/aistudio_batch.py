"""Batches of the Gemini API: a file of lines or lines within the call, results the same way.

Facts: Google, Gemini API, Batch API, read in 2026. Plain REST: the SDK (google-genai 3.4.0) drops
a job's `error` and `batchStats`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import requests

from darkroom.models import AttemptState
from darkroom.request import Reference, Request
from darkroom.settings import AIStudio
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.asking import asked, fingerprint
from darkroom_worker.backends.base import Break, Unavailable
from darkroom_worker.backends.batch import Input, Kept, NotDone, Phase, Remote, Result
from darkroom_worker.backends.google_files import HOST, VERSION, Files
from darkroom_worker.backends.reference_bytes import read_for_batch
from darkroom_worker.backends.rest import Rest
from darkroom_worker.backends.result import read_result
from darkroom_worker.backends.studio_files import name_of
from darkroom_worker.backends.vertex_batch import moment

INLINE: Final = "inline:"
"""The address of an input that travels within the call."""

PHASES: Final = {
    "BATCH_STATE_PENDING": Phase.WAITING,
    "BATCH_STATE_RUNNING": Phase.RUNNING,
    "BATCH_STATE_PAUSED": Phase.PAUSED,
    "BATCH_STATE_SUCCEEDED": Phase.SUCCEEDED,
    "BATCH_STATE_PARTIALLY_SUCCEEDED": Phase.PARTLY,
    "BATCH_STATE_FAILED": Phase.FAILED,
    "BATCH_STATE_EXPIRED": Phase.EXPIRED,
    "BATCH_STATE_CANCELLED": Phase.CANCELLED,
}

# Within the call up to 20 MB may travel. The answer then holds all pictures at once, and a thousand
# of them made Google's own servers fail (python-genai #2519): so it is kept to a handful.
_INLINE_BYTES: Final = 4_000_000
_INLINE_LINES: Final = 8
_PAGE: Final = 100
_NOT_FOUND: Final = 404
_CREATE_SECONDS: Final = 120.0
_ENCODER: Final = msgspec.json.Encoder()


class AIStudioBatch:
    """The batches of one API key."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._files = Files(rest, VERSION)
        self._day = ""
        self._uris: dict[str, str] = {}  # of the day's reference images, by content

    def line(self, attempt_id: str, request: Request) -> bytes:
        """Spell one line; the id is its key."""
        return _ENCODER.encode({"key": attempt_id, "request": self._asked(request)}) + b"\n"

    def fingerprint(self, request: Request) -> bytes:
        """What an echo would come to; this API echoes nothing."""
        return fingerprint(self._asked(request))

    def _asked(self, request: Request) -> dict[str, Any]:
        return asked(request, self._uri_of)

    def _uri_of(self, reference: Reference) -> str:
        return self._uris.get(reference.content or "", reference.uri)

    def place_references(self, requests: Iterable[Request]) -> None:
        """Upload each content once a day: files live for two, and a batch must find them."""
        now = datetime.now(UTC)
        today = f"{now:%Y%m%d}"
        if today != self._day:
            self._day, self._uris = today, {}
        local = (ref for request in requests for ref in request.all_pictures if ref.is_here)
        for content, reference in {ref.content: ref for ref in local}.items():
            assert content is not None
            if content not in self._uris:
                name = name_of(content, now)
                data = read_for_batch(reference)
                source = io.BytesIO(data)
                self._uris[content] = self._files.put(name, source, len(data), reference.mime)

    def upload(self, batch_id: str, file: Path) -> str:
        """Store the input as a file of the batch's name; a small one travels within the call."""
        if _is_small(file):
            return INLINE
        self._files.put_file(_file_of(batch_id), file, "jsonl")
        return f"files/{_file_of(batch_id)}"

    def create(self, batch_id: str, model: str, source: Input) -> Remote:
        """Create the batch."""
        config: dict[str, Any] = {"fileName": source.uri}
        if source.uri == INLINE:
            config = {"requests": {"requests": _inlined(source.file)}}
        body = {"batch": {"displayName": batch_id, "inputConfig": config}}
        path = f"/{VERSION}/models/{model}:batchGenerateContent"
        return _remote(self._rest.call("POST", path, body=body, seconds=_CREATE_SECONDS))

    def find(self, batch_id: str) -> list[Remote]:
        """Page through all: this API has no filter."""
        mine = [remote for remote in self.listing() if remote.display_name == batch_id]
        return sorted(mine, key=lambda remote: (remote.created_at is None, remote.created_at))

    def look(self, name: str) -> Remote | None:
        """Read the operation."""
        try:
            return _remote(self._rest.call("GET", f"/{VERSION}/{name}"))
        except NotDone as error:
            if error.outcome.ended is AttemptState.GONE:  # in Google's own words, no proxy's
                return None
            raise

    def cancel(self, name: str) -> None:
        """Ask it to stop."""
        try:
            self._rest.call("POST", f"/{VERSION}/{name}:cancel", body={})
        except NotDone as error:
            if error.outcome.http_status not in (400, _NOT_FOUND):  # it is over, or gone
                raise

    def results(self, remote: Remote) -> Iterator[bytes]:
        """Stream the result file, or what came within the answer."""
        yield from map(_line_of, remote.inlined)
        for name in remote.results:
            yield from self._files.lines(name)

    def read(self, line: bytes) -> Result:
        """Read one line of the results."""
        return read_result(line)

    def tidy(self, batch: Kept) -> None:
        """Delete the input and the results: the images are kept elsewhere by now."""
        if batch.input_uri and batch.input_uri != INLINE:
            self._files.delete(batch.input_uri)
        for name in batch.results:
            self._files.delete(name)

    def listing(self) -> Iterator[Remote]:
        """Every batch of the key's project, the newest first."""
        token = ""
        while True:
            page: dict[str, str | int] = {"pageSize": _PAGE}
            page |= {"pageToken": token} if token else {}
            found = self._rest.call("GET", f"/{VERSION}/batches", query=page)
            yield from map(_remote, found.get("operations", found.get("batches", [])))
            token = found.get("nextPageToken", "")
            if not token:
                return

    def close(self) -> None:
        """Let go of connections."""
        self._rest.close()


def open_aistudio_batch(settings: AIStudio, tier: Tier) -> AIStudioBatch:
    """Make a client of the Gemini API's batches."""
    if settings.api_key is None:
        hint = f"Set GEMINI_API_KEY, then `darkroom tier resume {tier}`."
        rest = Break(whole_tier=True, seconds=None, reason="no API key", hint=hint)
        raise Unavailable(tier, rest)
    headers = {"x-goog-api-key": settings.api_key.get_secret_value()}
    session = requests.Session()
    return AIStudioBatch(Rest(session, settings.base_url or HOST, headers))


def _is_small(file: Path) -> bool:
    if file.stat().st_size > _INLINE_BYTES:
        return False
    with file.open("rb") as lines:
        return sum(1 for _ in lines) <= _INLINE_LINES


def _inlined(file: Path) -> list[dict[str, Any]]:
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    return [{"request": line["request"], "metadata": {"key": line["key"]}} for line in lines]


def _file_of(batch_id: str) -> str:
    """Name a file after a batch: letters, digits and hyphens, 40 at most."""
    return batch_id.replace("_", "-")


class _Inlined(msgspec.Struct):
    response: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    metadata: dict[str, Any] = {}


def _line_of(raw: msgspec.Raw) -> bytes:
    """Write an inlined response as a line of a result file."""
    read = msgspec.json.decode(raw, type=_Inlined)
    line = {"key": read.metadata.get("key"), "response": read.response, "error": read.error}
    return _ENCODER.encode({name: value for name, value in line.items() if value})


def _remote(operation: dict[str, Any]) -> Remote:
    told = operation.get("metadata", operation)
    stats, error = told.get("batchStats", {}), operation.get("error") or {}
    said = told.get("state", "BATCH_STATE_UNSPECIFIED")
    output = operation.get("response") or told.get("output") or {}
    file = output.get("responsesFile")
    inlined = output.get("inlinedResponses", {}).get("inlinedResponses", [])
    results: Sequence[str] = (file,) if file else ()
    return Remote(
        name=operation["name"],
        display_name=told.get("displayName", ""),
        phase=PHASES.get(said, Phase.RUNNING),
        said=said,
        created_at=moment(told.get("createTime")),
        succeeded=_count(stats, "successfulRequestCount"),
        failed=_count(stats, "failedRequestCount"),
        message=error.get("message"),
        results=results,
        inlined=[msgspec.Raw(_ENCODER.encode(each)) for each in inlined],
    )


def _count(stats: dict[str, Any], name: str) -> int | None:
    return int(stats[name]) if name in stats else (0 if stats else None)
