"""What the two batch APIs have in common on the wire, mishaps included."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from darkroom_simulator.batch_fault import BatchRule, Mishap, Subject
from darkroom_simulator.batch_job import Job
from darkroom_simulator.batches import Batches
from darkroom_simulator.call import Call
from darkroom_simulator.catalog import Platform, Service
from darkroom_simulator.download import Broken
from darkroom_simulator.fields import Message, Wrong
from darkroom_simulator.generate import SIMULATOR, called
from darkroom_simulator.lock import locked
from darkroom_simulator.paging import paged
from darkroom_simulator.problem import JSON, Problem, invalid
from darkroom_simulator.refusal import UNAVAILABLE, Refused, Torn
from darkroom_simulator.target import Target
from darkroom_simulator.wire import reset

BATCHES = web.AppKey("batches", Batches)
BREAKS = {Mishap.DOWNLOAD_RESET: Broken.RESET, Mishap.DOWNLOAD_TRUNCATED: Broken.CUT}
Met = Mapping[Mishap, BatchRule]


def admit(request: web.Request, platform: Platform) -> Batches:
    """Let a request in, or raise Refused."""
    problem = locked(called(request, platform), request.app[SIMULATOR].flags.api_keys)
    if problem:
        raise Refused(problem)
    return request.app[BATCHES]


def aim(request: web.Request, platform: Platform, location: str, model: str) -> Target:
    """Find the model that a batch is to use, or raise Refused."""
    call = Call(platform, location, model, {}, b"", batch="a new one")
    target = request.app[SIMULATOR].target(call)
    if isinstance(target, Problem):
        raise Refused(target)
    if not target.model.sold(Service.BATCH, platform):
        raise Refused(invalid(f"Batch is not available for model {model}."))
    return target


def understood(body: bytes, message: Message) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a body strictly; return it as it came and as it was read, or raise Refused."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(invalid(f"Invalid JSON payload received. {error}")) from error
    wrong = Wrong()
    read = message.read(raw, "", wrong)
    if wrong.found:
        raise Refused(wrong.problem())
    return raw, read


def before(request: web.Request, subject: Subject) -> Met:
    """Decide what a new job is to meet; the connection may be torn down before there is one."""
    met = request.app[BATCHES].script.job(subject)
    if Mishap.CREATE_RESET_BEFORE in met:
        raise Torn
    return met


async def after(request: web.Request, job: Job, reply: web.Response) -> web.StreamResponse:
    """Answer for a job that was made, or do not."""
    late = job.met.get(Mishap.CREATE_TIMEOUT_AFTER)
    if late:
        await asyncio.sleep(late.seconds)
    if Mishap.CREATE_RESET_AFTER in job.met:
        return reset(request)
    if Mishap.CREATE_503_AFTER in job.met:
        raise Refused(UNAVAILABLE)
    return reply


def find(request: web.Request, name: str) -> Job:
    """Find a job, or raise Refused."""
    job = request.app[BATCHES].find(name)
    if job is None:
        raise Refused(Problem(404, "Requested entity was not found.", "not-found"))
    return job


def polled(request: web.Request, name: str) -> Job:
    """Find a job for whoever polls it, or raise Refused."""
    job = find(request, name)
    if request.app[BATCHES].script.asked(job.subject, Mishap.POLL_503):
        raise Refused(UNAVAILABLE)
    return job


def page(request: web.Request, platform: Platform, jobs: list[Job]) -> tuple[list[Job], str]:
    """Take a page of jobs, or raise Refused."""
    if request.app[BATCHES].script.asked(Subject(platform), Mishap.LIST_503):
        raise Refused(UNAVAILABLE)
    found = paged(jobs, request.query)
    if isinstance(found, Problem):
        raise Refused(found)
    return found


def cancel(request: web.Request, job: Job) -> web.Response:
    """Cancel a job, or raise Refused."""
    problem = request.app[BATCHES].cancel(job)
    if problem:
        raise Refused(problem)
    return answer({})


def answer(body: Mapping[str, Any]) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=msgspec.json.encode(body), headers={"Content-Type": JSON})


def filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, as protobuf's JSON form does."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


def counted(count: int) -> str:
    """Write a count as protobuf's JSON form does: as text, and zero as nothing."""
    return str(count) if count else ""
