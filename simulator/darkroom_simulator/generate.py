"""The routes of generateContent, of predict and of the models' pages, on both platforms."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from darkroom_simulator.call import Call
from darkroom_simulator.catalog import Method, Model, Platform
from darkroom_simulator.lock import locked
from darkroom_simulator.problem import Problem
from darkroom_simulator.simulator import Simulator, unknown
from darkroom_simulator.wire import send

SIMULATOR = web.AppKey("simulator", Simulator)
STUDIO = "/{version:v1|v1beta}/models"
VERTEX = "/{version:v1|v1beta1}/projects/{project}/locations/{location}/publishers/google/models"
PUBLISHER = "/{version:v1|v1beta1}/publishers/google/models"


def routes() -> list[web.RouteDef]:
    """List the routes."""
    return [
        web.post(VERTEX + "/{name}:generateContent", vertex),
        web.post(VERTEX + "/{name}:predict", predict),
        web.get(STUDIO, studio_models),
        web.get(STUDIO + "/{name}", studio_model),
        web.get(VERTEX + "/{name}", vertex_model),
        web.get(PUBLISHER + "/{name}", vertex_model),
    ]


async def vertex(request: web.Request) -> web.StreamResponse:
    """Answer Vertex's generateContent."""
    return await generate(request, Platform.VERTEX)


async def predict(request: web.Request) -> web.StreamResponse:
    """Answer Vertex's predict."""
    return await generate(request, Platform.VERTEX, Method.PREDICT)


async def generate(
    request: web.Request, platform: Platform, method: Method = Method.GENERATE
) -> web.StreamResponse:
    """Answer a call of a model."""
    simulator = request.app[SIMULATOR]
    simulator.ledger.enter()
    try:
        reply = await simulator.serve(called(request, platform, await request.read(), method))
        return await send(request, reply, compress=simulator.flags.gzip)
    finally:
        simulator.ledger.leave()


def called(
    request: web.Request,
    platform: Platform,
    body: bytes = b"",
    method: Method = Method.GENERATE,
) -> Call:
    """Take from the HTTP request what the simulator looks at."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "key" in request.query:
        headers.setdefault("x-goog-api-key", request.query["key"])
    place = request.match_info.get("location", "global")
    name = request.match_info.get("name", "")
    return Call(platform, place, name, headers, body, method=method)


async def studio_models(request: web.Request) -> web.Response:
    """List the models of AI Studio."""
    simulator = request.app[SIMULATOR]
    problem = locked(called(request, Platform.AISTUDIO), simulator.flags.api_keys)
    if problem:
        return failed(problem)
    served = [m for m in simulator.catalog.models if simulator.model(m.name, Platform.AISTUDIO)]
    spoken = [model for model in served if model.method is Method.GENERATE]
    return web.json_response({"models": [described(model, "models/") for model in spoken]})


async def studio_model(request: web.Request) -> web.Response:
    """Describe one model of AI Studio."""
    return page(request, Platform.AISTUDIO, "models/")


async def vertex_model(request: web.Request) -> web.Response:
    """Describe one model of Vertex."""
    return page(request, Platform.VERTEX, "publishers/google/models/")


def page(request: web.Request, platform: Platform, prefix: str) -> web.Response:
    """Describe one model, or say 404."""
    simulator, call = request.app[SIMULATOR], called(request, platform)
    problem = locked(call, simulator.flags.api_keys)
    if problem:
        return failed(problem)
    model = simulator.model(call.name, platform)
    if model is None or (platform is Platform.AISTUDIO and model.method is Method.PREDICT):
        return failed(unknown(call))
    return web.json_response(described(model, prefix))


def described(model: Model, prefix: str) -> dict[str, Any]:
    """Write a model's page."""
    return {
        "name": prefix + model.name,
        "displayName": model.title,
        "supportedGenerationMethods": [model.method],
    }


def failed(problem: Problem, body: bytes | None = None) -> web.Response:
    """Send an error."""
    headers = {"Content-Type": problem.content_type}
    return web.Response(status=problem.code, body=body or problem.body, headers=headers)
