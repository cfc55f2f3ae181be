"""Vertex's batch prediction jobs over HTTP.

Google, Vertex, batch inference, August 2026; google-genai 3.4.0, batches.py; the public
batch_prediction_job.proto.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from darkroom_simulator import batch_wire
from darkroom_simulator.batch_fault import Subject
from darkroom_simulator.batch_job import Job, stamp
from darkroom_simulator.batch_state import State
from darkroom_simulator.batch_wire import BATCHES, counted, filled
from darkroom_simulator.catalog import Platform
from darkroom_simulator.fields import ANYTHING, LABELS, STRING, Message, Repeated
from darkroom_simulator.problem import invalid, not_now
from darkroom_simulator.refusal import Refused, guarded

VERTEX = Platform.VERTEX
PLACE = "/{version:v1|v1beta1}/projects/{project}/locations/{location}"
JOBS = PLACE + "/batchPredictionJobs"
FILTER = re.compile(r'\s*(?:displayName|display_name)\s*=\s*"([^"]*)"\s*')
MODEL = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/google/models/([^/]+)")
INPUT = Message(
    {
        "instancesFormat": STRING,
        "gcsSource": Message({"uris": Repeated(STRING)}),
        "bigquerySource": ANYTHING,
    }
)
OUTPUT = Message(
    {
        "predictionsFormat": STRING,
        "gcsDestination": Message({"outputUriPrefix": STRING}),
        "bigqueryDestination": ANYTHING,
    }
)
CREATE = Message(
    {
        "displayName": STRING,
        "model": STRING,
        "inputConfig": INPUT,
        "outputConfig": OUTPUT,
        "modelParameters": ANYTHING,
        "instanceConfig": ANYTHING,
        "serviceAccount": STRING,
        "encryptionSpec": ANYTHING,
        "labels": LABELS,
    }
)


def routes() -> list[web.RouteDef]:
    """List the routes."""
    return [
        web.post(JOBS, guarded(create)),
        web.get(JOBS, guarded(listing)),
        web.get(JOBS + "/{id}", guarded(get)),
        web.post(JOBS + "/{id}:cancel", guarded(cancel)),
        web.delete(JOBS + "/{id}", guarded(delete)),
    ]


def parent(request: web.Request) -> str:
    """Name what a job's name begins with."""
    place = request.match_info
    return f"projects/{place['project']}/locations/{place['location']}/batchPredictionJobs"


async def create(request: web.Request) -> web.StreamResponse:
    """Take a job on."""
    batches = batch_wire.admit(request, VERTEX)
    _, read = batch_wire.understood(await request.read(), CREATE)
    require(read)
    model = MODEL.fullmatch(read["model"])
    if model is None:
        raise Refused(invalid(f"Invalid model {read['model']!r}."))
    target = batch_wire.aim(request, VERTEX, request.match_info["location"], model[1])
    subject = Subject(VERTEX, target.name, read["displayName"])
    met = batch_wire.before(request, subject)
    job = batches.create(target, parent(request), subject.name, read, met)
    return await batch_wire.after(request, job, batch_wire.answer(resource(job)))


def require(read: dict[str, Any]) -> None:
    """Raise Refused unless a body says all that it must, of input and output in storage."""
    source, sink = read.get("inputConfig", {}), read.get("outputConfig", {})
    uris = source.get("gcsSource", {}).get("uris", [])
    prefix = sink.get("gcsDestination", {}).get("outputUriPrefix", "")
    formats = source.get("instancesFormat"), sink.get("predictionsFormat")
    for name, there in {
        "display_name": read.get("displayName"),
        "model": read.get("model"),
        "input_config.gcs_source.uris": uris,
        "output_config.gcs_destination.output_uri_prefix": prefix,
    }.items():
        if not there:
            raise Refused(invalid(f"Field: batch_prediction_job.{name} is required."))
    if formats != ("jsonl", "jsonl"):
        raise Refused(invalid("Only jsonl in Cloud Storage is served here."))
    for uri in (*uris, prefix):
        if not uri.startswith("gs://"):
            raise Refused(invalid(f"Invalid Cloud Storage URI {uri!r}."))


async def get(request: web.Request) -> web.StreamResponse:
    """Describe a job."""
    batch_wire.admit(request, VERTEX)
    job = batch_wire.polled(request, f"{parent(request)}/{request.match_info['id']}")
    return batch_wire.answer(described(request, job))


async def listing(request: web.Request) -> web.StreamResponse:
    """Send a page of jobs, the newest first."""
    jobs = batch_wire.admit(request, VERTEX).every(VERTEX, parent(request))
    wanted = request.query.get("filter", "")
    if wanted:
        match = FILTER.fullmatch(wanted)
        if match is None:
            raise Refused(invalid(f"Invalid filter {wanted!r}."))
        jobs = [job for job in jobs if job.display == match[1]]
    found, following = batch_wire.page(request, VERTEX, jobs)
    shown = [described(request, job) for job in found]
    return batch_wire.answer(filled({"batchPredictionJobs": shown, "nextPageToken": following}))


async def cancel(request: web.Request) -> web.StreamResponse:
    """Cancel a job."""
    batch_wire.admit(request, VERTEX)
    job = batch_wire.find(request, f"{parent(request)}/{request.match_info['id']}")
    return batch_wire.cancel(request, job)


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a job that is over; its results stay."""
    batch_wire.admit(request, VERTEX)
    job = batch_wire.find(request, f"{parent(request)}/{request.match_info['id']}")
    if not job.state.over:
        raise Refused(not_now(f"{job.name} cannot be deleted: it is {job.state.lower()}."))
    job.deleted = True
    operation = job.name.replace("/batchPredictionJobs/", "/operations/")
    return batch_wire.answer({"name": operation, "done": True})


def described(request: web.Request, job: Job) -> dict[str, Any]:
    """Write a job with the place of its results, once they are there."""
    body = resource(job)
    if job.shows_results(request.app[BATCHES].clock.now()):
        body["outputInfo"] = {"gcsOutputDirectory": job.place}
    return body


def resource(job: Job) -> dict[str, Any]:
    """Write a job as it is on the wire."""
    begun = job.state not in {State.QUEUED, State.PENDING}
    stats = {
        "successfulCount": counted(job.good),
        "failedCount": counted(job.bad),
        "incompleteCount": counted(job.total - job.worked),
    }
    times = {
        "createTime": job.created,
        "startTime": job.started,
        "endTime": job.ended,
        "updateTime": job.updated,
    }
    return filled(
        {
            "name": job.name,
            **job.asked,
            "state": job.state.vertex,
            "error": job.error,
            "completionStats": filled(stats) if begun else {},
            **{name: stamp(moment) for name, moment in times.items() if moment},
        }
    )
