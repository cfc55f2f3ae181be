"""AI Studio's batches over HTTP.

Google, Gemini API, batch, November 2026; google-genai 3.4.0, batches.py; flachesis/gemini-rust#13.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import msgspec
from aiohttp import web

from darkroom_simulator import batch_wire
from darkroom_simulator.batch_check import check
from darkroom_simulator.batch_fault import Subject
from darkroom_simulator.batch_input import inline_lines
from darkroom_simulator.batch_job import Job, stamp
from darkroom_simulator.batch_lines import Lines
from darkroom_simulator.batch_state import State
from darkroom_simulator.batch_wire import BATCHES, counted, filled
from darkroom_simulator.catalog import Platform
from darkroom_simulator.fields import ANYTHING, LABELS, STRING, TYPE, Message, Repeated
from darkroom_simulator.problem import JSON, Problem, invalid
from darkroom_simulator.refusal import Refused, guarded
from darkroom_simulator.schema import REQUESTS
from darkroom_simulator.wire import SLICE

STUDIO = Platform.AISTUDIO
VERSION = "/{version:v1|v1beta}"
LARGEST_INLINE = 20 << 20  # bytes of a whole request; Google, Gemini API, batch
MARK = "~the results go here~"
INLINE = Message({"request": REQUESTS[STUDIO], "metadata": LABELS})
INPUT = Message({"requests": Message({"requests": Repeated(INLINE)}), "fileName": STRING})
BATCH = Message(
    {
        "name": STRING,
        "model": STRING,
        "displayName": STRING,
        "inputConfig": INPUT,
        "webhookConfig": ANYTHING,
        "priority": ANYTHING,
    }
)
CREATE = Message({"batch": BATCH})
LOST = {
    State.CANCELLED: {"code": 1, "message": "The batch was cancelled."},
    State.EXPIRED: {"code": 4, "message": "The batch expired before it was completed."},
}


def routes() -> list[web.RouteDef]:
    """List the routes."""
    one = VERSION + "/batches/{id}"
    return [
        web.post(VERSION + "/models/{name}:batchGenerateContent", guarded(create)),
        web.get(VERSION + "/batches", guarded(listing)),
        web.get(one, guarded(get)),
        web.post(one + ":cancel", guarded(cancel)),
        web.delete(one, guarded(delete)),
    ]


async def create(request: web.Request) -> web.StreamResponse:
    """Take a batch on."""
    batches = batch_wire.admit(request, STUDIO)
    target = batch_wire.aim(request, STUDIO, "global", request.match_info["name"])
    full = batches.full()
    if full:
        raise Refused(full)
    body = await request.read()
    raw, read = batch_wire.understood(body, CREATE)
    batch = read.get("batch", {})
    source, display = batch.get("inputConfig", {}), batch.get("displayName", "")
    if len(source) != 1:
        raise Refused(invalid("* CreateBatchRequest.batch.input_config: one source must be set"))
    inline = "requests" in source
    lines = (
        inlined(request, raw, len(body)) if inline else await from_file(request, source["fileName"])
    )
    met = batch_wire.before(request, Subject(STUDIO, target.name, display))
    asked = {} if inline else source
    job = batches.create(target, "batches", display, asked, met, lines, inline=inline)
    return await batch_wire.after(request, job, batch_wire.answer(operation(job, whole=False)))


def inlined(request: web.Request, raw: dict[str, Any], size: int) -> Lines:
    """Take the requests of a body of that size, whose shape was checked."""
    if size > LARGEST_INLINE:
        text = f"Request payload size exceeds the limit: {LARGEST_INLINE} bytes."
        raise Refused(invalid(text))
    source = either(raw["batch"], "inputConfig", "input_config")["requests"]
    requests = source.get("requests") or []
    every = requests if isinstance(requests, list) else [requests]
    if not every or not all(each.get("request") for each in every):
        raise Refused(invalid("* CreateBatchRequest.batch.input_config: a request must be set"))
    return inline_lines(every, request.app[BATCHES].files)


def either(fields: dict[str, Any], name: str, other: str) -> Any:  # noqa: ANN401 - decoded JSON
    """Return a field by one of its two spellings."""
    return fields[name] if name in fields else fields[other]


async def from_file(request: web.Request, name: str) -> Lines:
    """Take the lines of an uploaded file, if all of them have the right shape."""
    found = request.app[BATCHES].files.find(name)
    if isinstance(found, Problem):
        raise Refused(found)
    lines = Lines([found.path])
    problem = await asyncio.to_thread(checked, lines)
    if problem:
        lines.close()
        raise Refused(problem)
    return lines


def checked(lines: Lines) -> Problem | None:
    """Find all lines and look at them."""
    lines.find(sys.maxsize)
    return check(lines)


async def get(request: web.Request) -> web.StreamResponse:
    """Describe a batch, with its results if they came inline."""
    batches = batch_wire.admit(request, STUDIO)
    job = batch_wire.polled(request, f"batches/{request.match_info['id']}")
    shown = job.shows_results(batches.clock.now())
    body = operation(job, whole=shown)
    if job.inline and shown:
        return await poured(request, job, msgspec.json.encode(body))
    return batch_wire.answer(body)


async def listing(request: web.Request) -> web.StreamResponse:
    """Send a page of batches, the newest first; results that came inline are left out."""
    batches = batch_wire.admit(request, STUDIO)
    jobs, following = batch_wire.page(request, STUDIO, batches.every(STUDIO, "batches"))
    now = batches.clock.now()
    shown = [operation(job, whole=not job.inline and job.shows_results(now)) for job in jobs]
    return batch_wire.answer(filled({"operations": shown, "nextPageToken": following}))


async def cancel(request: web.Request) -> web.StreamResponse:
    """Cancel a batch."""
    batch_wire.admit(request, STUDIO)
    job = batch_wire.find(request, f"batches/{request.match_info['id']}")
    return batch_wire.cancel(request, job)


async def delete(request: web.Request) -> web.StreamResponse:
    """Forget a batch; that does not stop it: google/longrunning/operations.proto."""
    batch_wire.admit(request, STUDIO)
    batch_wire.find(request, f"batches/{request.match_info['id']}").deleted = True
    return batch_wire.answer({})


def operation(job: Job, *, whole: bool) -> dict[str, Any]:
    """Write a batch as the operation that it is on the wire; `whole` with its results."""
    inline: dict[str, Any] = {"inlinedResponses": {"inlinedResponses": MARK}}
    output = (inline if job.inline else {"responsesFile": job.place}) if whole else {}
    described: dict[str, Any] = {
        "name": job.name,
        "metadata": filled({**metadata(job), "output": output}),
    }
    if not job.state.over:
        return described
    described["done"] = True
    error = job.error or (None if job.place else LOST.get(job.state))
    if error:
        return {**described, "error": error}
    if output:
        described["response"] = {"@type": f"{TYPE}GenerateContentBatchOutput", **output}
    return described


def metadata(job: Job) -> dict[str, Any]:
    """Write what an operation says of its batch."""
    counts = {
        "requestCount": counted(job.total),
        "successfulRequestCount": counted(job.good),
        "failedRequestCount": counted(job.bad),
        "pendingRequestCount": counted(job.total - job.worked),
    }
    return {
        "@type": f"{TYPE}GenerateContentBatch",
        "model": f"models/{job.target.name}",
        "displayName": job.display,
        "inputConfig": job.asked,
        "createTime": stamp(job.created),
        "updateTime": stamp(job.updated),
        "endTime": stamp(job.ended) if job.ended else "",
        "batchStats": filled(counts),
        "state": job.state.studio,
        "name": job.name,
    }


async def poured(request: web.Request, job: Job, body: bytes) -> web.StreamResponse:
    """Send a body with the results where they are marked, straight from their file."""
    texts, [data] = body.split(f'"{MARK}"'.encode()), job.results
    response = web.StreamResponse(headers={"Content-Type": JSON})
    size = max(data.size - 1, 0) + len("[]")
    response.content_length = sum(map(len, texts)) + size * (len(texts) - 1)
    await response.prepare(request)
    await response.write(texts[0])
    for text in texts[1:]:
        await pour(response, data.path, max(data.size - 1, 0))
        await response.write(text)
    await response.write_eof()
    return response


async def pour(response: web.StreamResponse, path: os.PathLike[str], size: int) -> None:
    """Send lines as a list: a comma takes the place of each line feed, but for the last."""
    await response.write(b"[")
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123, ASYNC230 - from the page cache
        while size > 0:
            chunk = file.read(min(SLICE, size))
            await response.write(chunk.replace(b"\n", b","))
            size -= len(chunk)
    await response.write(b"]")
