"""The doors of an OpenAI-compatible proxy: images, edits, chat, models, and hosted pictures."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
from aiohttp import web

from darkroom_simulator.call import Call
from darkroom_simulator.catalog import Method, Platform
from darkroom_simulator.generate import (
    SIMULATOR,
    STUDIO,
    called,
    failed,
    generate,
    studio_models,
)
from darkroom_simulator.lock import locked
from darkroom_simulator.openai_problem import shaped
from darkroom_simulator.wire import send


def routes() -> list[web.RouteDef]:
    """List the routes; they come before AI Studio's, with which they share two paths."""
    return [
        web.post("/v1/images/generations", images),
        web.post("/v1/images/edits", edits),
        web.post("/v1/chat/completions", chat),
        web.get("/v1/models", models),
        web.post(STUDIO + "/{name}:generateContent", native),
        web.get("/hosted/{name}", hosted),
    ]


async def images(request: web.Request) -> web.StreamResponse:
    """Answer /v1/images/generations."""
    return await answered(request, Method.IMAGES, await request.read())


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer /v1/chat/completions."""
    return await answered(request, Method.CHAT, await request.read())


async def edits(request: web.Request) -> web.StreamResponse:
    """Answer /v1/images/edits: a form, of which the fields are read as those of a JSON body."""
    fields: dict[str, Any] = {}
    pictures = []
    form = await request.post()
    for name, value in form.items():
        if isinstance(value, web.FileField):
            data = b64encode(value.file.read()).decode()
            pictures.append({"field": name, "mimeType": value.content_type, "data": data})
        else:
            fields[name] = parsed(name, str(value))
    body = msgspec.json.encode({**fields, "image": pictures})
    return await answered(request, Method.EDITS, body)


def parsed(name: str, value: str) -> object:
    """A form knows texts alone."""
    try:
        return msgspec.json.decode(value) if name in {"n", "imageConfig"} else value
    except msgspec.DecodeError:
        return value


async def answered(request: web.Request, method: Method, body: bytes) -> web.StreamResponse:
    """Answer a call whose model is named in its body."""
    simulator = request.app[SIMULATOR]
    bare = called(request, Platform.PROXY, body, method)
    call = Call(Platform.PROXY, "global", model_in(body), bare.headers, body, method=method)
    simulator.ledger.enter()
    try:
        reply = await simulator.serve(call)
        return await send(request, reply, compress=simulator.flags.gzip)
    finally:
        simulator.ledger.leave()


def model_in(body: bytes) -> str:
    """The model that a body names, if it names one."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ""
    return str(found.get("model", "")) if isinstance(found, dict) else ""


def is_proxied(request: web.Request) -> bool:
    """Whether a call comes as proxies are called: Google's own API keys come without a bearer."""
    return request.headers.get("Authorization", "").lower().startswith("bearer ")


async def native(request: web.Request) -> web.StreamResponse:
    """Answer generateContent: AI Studio's, or the same behind a proxy."""
    platform = Platform.PROXY if is_proxied(request) else Platform.AISTUDIO
    return await generate(request, platform)


async def models(request: web.Request) -> web.Response:
    """List the models as OpenAI does, or as AI Studio does who has the same path."""
    if not is_proxied(request):
        return await studio_models(request)
    simulator = request.app[SIMULATOR]
    problem = locked(called(request, Platform.PROXY), simulator.flags.api_keys)
    if problem:
        return failed(problem, shaped(problem))
    served = [model for model in simulator.catalog.models if model.method is Method.GENERATE]
    listed = [{"id": model.name, "object": "model", "owned_by": "google"} for model in served]
    return web.json_response({"object": "list", "data": listed})


async def hosted(request: web.Request) -> web.Response:
    """Hand out a picture of which an answer told the address."""
    return await request.app[SIMULATOR].gallery.show(request.match_info["name"])
