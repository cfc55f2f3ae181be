"""Batch inference of Vertex AI: JSONL in a bucket, one job, JSONL in the bucket again.

Facts: Google, Vertex AI, Batch inference and BatchPredictionJob, read in 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from google.auth.transport.requests import AuthorizedSession

from darkroom.errors import DarkroomError
from darkroom.models import AttemptState
from darkroom.request import Reference, Request
from darkroom.settings import Settings
from darkroom.storage.staging import Staging
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.asking import asked, fingerprint
from darkroom_worker.backends.base import Break, Unavailable
from darkroom_worker.backends.batch import Input, Kept, NotDone, Phase, Remote, Result
from darkroom_worker.backends.gemini import credentials_of
from darkroom_worker.backends.reference_bytes import read_for_batch
from darkroom_worker.backends.rest import Rest
from darkroom_worker.backends.result import LABEL, read_result
from darkroom_worker.backends.staged_files import object_name
from darkroom_worker.backends.vertex_host import host_of

PHASES: Final = {
    "JOB_STATE_QUEUED": Phase.WAITING,
    "JOB_STATE_PENDING": Phase.WAITING,
    "JOB_STATE_RUNNING": Phase.RUNNING,
    "JOB_STATE_UPDATING": Phase.RUNNING,
    "JOB_STATE_CANCELLING": Phase.RUNNING,
    "JOB_STATE_PAUSED": Phase.PAUSED,
    "JOB_STATE_SUCCEEDED": Phase.SUCCEEDED,
    "JOB_STATE_PARTIALLY_SUCCEEDED": Phase.PARTLY,
    "JOB_STATE_FAILED": Phase.FAILED,
    "JOB_STATE_EXPIRED": Phase.EXPIRED,
    "JOB_STATE_CANCELLED": Phase.CANCELLED,
}
"""Explicit, each of them: the SDK's own `done` never comes true for PARTIALLY_SUCCEEDED."""

_VERSION: Final = "v1"
_PAGE: Final = 100
_NOT_FOUND: Final = 404
_CREATE_SECONDS: Final = 120.0
_ENCODER: Final = msgspec.json.Encoder()


class VertexBatch:
    """One project and location."""

    def __init__(
        self, rest: Rest, parent: str, staging: Staging, labels: Mapping[str, str]
    ) -> None:
        self._rest = rest
        self._parent = parent
        self._staging = staging
        self._labels = dict(labels)

    def line(self, attempt_id: str, request: Request) -> bytes:
        """Spell one line; the id travels as a label of the request."""
        labels = self._labels | dict(request.labels) | {LABEL: attempt_id}
        spelled = asked(request, self._uri_of) | {"labels": labels}
        return _ENCODER.encode({"request": spelled}) + b"\n"

    def fingerprint(self, request: Request) -> bytes:
        """What the echo of this request must come to."""
        return fingerprint(asked(request, self._uri_of))

    def _uri_of(self, reference: Reference) -> str:
        if not reference.is_here:
            return reference.uri
        return self._staging.uri(object_name(reference))

    def place_references(self, requests: Iterable[Request]) -> None:
        """Put each content into the bucket once."""
        local = (ref for request in requests for ref in request.all_pictures if ref.is_here)
        for reference in {ref.content: ref for ref in local}.values():
            data = read_for_batch(reference)
            self._staging.put_once(object_name(reference), data, reference.mime)

    def upload(self, batch_id: str, file: Path) -> str:
        """Store the input under the batch's name."""
        return self._staging.put_file(f"{batch_id}/input.jsonl", file)

    def create(self, batch_id: str, model: str, source: Input) -> Remote:
        """Create the job; its results go to a folder of the batch's name."""
        body = {
            "displayName": batch_id,
            "model": f"publishers/google/models/{model}",
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [source.uri]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": self._staging.uri(f"{batch_id}/output")},
            },
        }
        path = f"/{_VERSION}/{self._parent}/batchPredictionJobs"
        return _remote(self._rest.call("POST", path, body=body, seconds=_CREATE_SECONDS))

    def find(self, batch_id: str) -> list[Remote]:
        """List by display name; where the filter is not honoured, names are compared again."""
        found = self._list({"filter": f'display_name="{batch_id}"'})
        mine = [remote for remote in found if remote.display_name == batch_id]
        return sorted(mine, key=lambda remote: (remote.created_at is None, remote.created_at))

    def look(self, name: str) -> Remote | None:
        """Read the job."""
        try:
            return _remote(self._rest.call("GET", f"/{_VERSION}/{name}"))
        except NotDone as error:
            if error.outcome.ended is AttemptState.GONE:  # in Google's own words, no proxy's
                return None
            raise

    def cancel(self, name: str) -> None:
        """Ask the job to stop; finished rows are exported and billed."""
        try:
            self._rest.call("POST", f"/{_VERSION}/{name}:cancel", body={})
        except NotDone as error:
            if error.outcome.http_status not in (400, _NOT_FOUND):  # it is over, or gone
                raise

    def results(self, remote: Remote) -> Iterator[bytes]:
        """Stream every file of predictions below the output folder."""
        for folder in remote.results:
            for uri in self._staging.below(folder):
                leaf = uri.rpartition("/")[2]
                if leaf.startswith("predictions") and leaf.endswith(".jsonl"):
                    yield from self._staging.lines(uri)

    def read(self, line: bytes) -> Result:
        """Read one line of the results."""
        return read_result(line)

    def tidy(self, batch: Kept) -> None:
        """Delete the input and the results: the images are kept elsewhere by now."""
        for uri in self._staging.below(self._staging.uri(batch.id)):
            self._staging.delete(uri)

    def listing(self) -> Iterator[Remote]:
        """Every job of the project at this location."""
        yield from self._list({})

    def _list(self, query: dict[str, str]) -> Iterator[Remote]:
        token = ""
        while True:
            page: dict[str, str | int] = {**query, "pageSize": _PAGE}
            page |= {"pageToken": token} if token else {}
            path = f"/{_VERSION}/{self._parent}/batchPredictionJobs"
            found = self._rest.call("GET", path, query=page)
            yield from map(_remote, found.get("batchPredictionJobs", []))
            token = found.get("nextPageToken", "")
            if not token:
                return

    def close(self) -> None:
        """Let go of connections."""
        self._rest.close()
        self._staging.close()


def _remote(job: dict[str, Any]) -> Remote:
    stats, error = job.get("completionStats", {}), job.get("error") or {}
    said = job.get("state", "JOB_STATE_UNSPECIFIED")
    folder = job.get("outputInfo", {}).get("gcsOutputDirectory")
    results: Sequence[str] = (folder,) if folder else ()
    if not folder and (prefix := _prefix(job)):
        results = (prefix,)  # a job that ended early may not name its folder
    return Remote(
        name=job["name"],
        display_name=job.get("displayName", ""),
        phase=PHASES.get(said, Phase.RUNNING),
        said=said,
        created_at=moment(job.get("createTime")),
        succeeded=_count(stats, "successfulCount"),
        failed=_count(stats, "failedCount"),
        message=error.get("message"),
        results=results,
    )


def _prefix(job: dict[str, Any]) -> str | None:
    found: str | None = job.get("outputConfig", {}).get("gcsDestination", {}).get("outputUriPrefix")
    return found


def _count(stats: dict[str, Any], name: str) -> int | None:
    """Counts come as text; one of zero is left out, -1 stands for one that is not known."""
    value = int(stats.get(name, 0 if stats else -1))
    return None if value < 0 else value


def moment(said: str | None) -> datetime | None:
    """Read a time of day as JSON has it, with up to nanoseconds."""
    return None if said is None else datetime.fromisoformat(said)


def open_vertex_batch(settings: Settings) -> VertexBatch:
    """Make a client of one project's batches. Raises Unavailable with what to do."""
    tier, vertex = Tier.VERTEX_BATCH, settings.vertex
    if vertex.project is None:
        raise _unavailable("no project", "Set GOOGLE_CLOUD_PROJECT")
    if settings.staging is None:
        said = "Vertex batches travel through a bucket, and none is known"
        raise _unavailable(said, "Set DARKROOM_STAGING_URL=gs://bucket/prefix")
    try:
        staging = Staging(settings.staging, settings.gcs)
    except DarkroomError as error:
        raise _unavailable(error.message, error.hint or "Mend DARKROOM_STAGING_URL") from error
    session = AuthorizedSession(credentials_of(vertex, tier))  # type: ignore[no-untyped-call]
    parent = f"projects/{vertex.project}/locations/{vertex.location}"
    base_url = vertex.base_url or host_of(vertex.location)
    return VertexBatch(Rest(session, base_url), parent, staging, vertex.labels)


def _unavailable(reason: str, mend: str) -> Unavailable:
    hint = f"{mend.rstrip('.')}, then `darkroom tier resume {Tier.VERTEX_BATCH}`."
    rest = Break(whole_tier=True, seconds=None, reason=reason, hint=hint)
    return Unavailable(Tier.VERTEX_BATCH, rest)
