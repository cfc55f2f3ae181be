"""The routes of generateContent and of the models' pages, on both platforms."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from darkroom_simulator.call import Call
from darkroom_simulator.catalog import Model, Platform
from darkroom_simulator.lock import locked
from darkroom_simulator.problem import Problem
from darkroom_simulator.simulator import Simulator
from darkroom_simulator.wire import send

SIMULATOR = web.AppKey("simulator", Simulator)
STUDIO = "/{version:v1|v1beta}/models"
VERTEX = "/{version:v1|v1beta1}/projects/{project}/locations/{location}/publishers/google/models"
PUBLISHER = "/{version:v1|v1beta1}/publishers/google/models"


def routes() -> list[web.RouteDef]:
    """List the routes."""
    return [
        web.post(STUDIO + "/{name}:generateContent", studio),
        web.post(VERTEX + "/{name}:generateContent", vertex),
        web.get(STUDIO, studio_models),
        web.get(STUDIO + "/{name}", studio_model),
        web.get(VERTEX + "/{name}", vertex_model),
        web.get(PUBLISHER + "/{name}", vertex_model),
    ]


async def studio(request: web.Request) -> web.StreamResponse:
    """Answer AI Studio's generateContent."""
    return await generate(request, Platform.AISTUDIO)


async def vertex(request: web.Request) -> web.StreamResponse:
    """Answer Vertex's generateContent."""
    return await generate(request, Platform.VERTEX)


async def generate(request: web.Request, platform: Platform) -> web.StreamResponse:
    """Answer generateContent."""
    simulator = request.app[SIMULATOR]
    simulator.ledger.enter()
    try:
        reply = await simulator.serve(called(request, platform, await request.read()))
        return await send(request, reply, compress=simulator.flags.gzip)
    finally:
        simulator.ledger.leave()


def called(request: web.Request, platform: Platform, body: bytes = b"") -> Call:
    """Take from the HTTP request what the simulator looks at."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "key" in request.query:
        headers.setdefault("x-goog-api-key", request.query["key"])
    place = request.match_info.get("location", "global")
    return Call(platform, place, request.match_info.get("name", ""), headers, body)


async def studio_models(request: web.Request) -> web.Response:
    """List the models of AI Studio."""
    simulator = request.app[SIMULATOR]
    problem = locked(called(request, Platform.AISTUDIO), simulator.flags.api_keys)
    if problem:
        return failed(problem)
    served = [m for m in simulator.catalog.models if simulator.model(m.name, Platform.AISTUDIO)]
    return web.json_response({"models": [described(model, "models/") for model in served]})


async def studio_model(request: web.Request) -> web.Response:
    """Describe one model of AI Studio."""
    return page(request, Platform.AISTUDIO, "models/")


async def vertex_model(request: web.Request) -> web.Response:
    """Describe one model of Vertex."""
    return page(request, Platform.VERTEX, "publishers/google/models/")


def page(request: web.Request, platform: Platform, prefix: str) -> web.Response:
    """Describe one model, or say 404."""
    simulator, call = request.app[SIMULATOR], called(request, platform)
    target = locked(call, simulator.flags.api_keys) or simulator.target(call)
    if isinstance(target, Problem):
        return failed(target)
    return web.json_response(described(target.model, prefix))


def described(model: Model, prefix: str) -> dict[str, Any]:
    """Write a model's page."""
    return {
        "name": prefix + model.name,
        "displayName": model.title,
        "supportedGenerationMethods": ["generateContent"],
    }


def failed(problem: Problem) -> web.Response:
    """Send an error."""
    headers = {"Content-Type": problem.content_type}
    return web.Response(status=problem.code, body=problem.body, headers=headers)
