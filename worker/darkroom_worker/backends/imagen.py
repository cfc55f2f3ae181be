"""Imagen by Vertex's `:predict`, as plain REST over our own session.

Not by google-genai: its `generate_images` warns that it will go (3.4.0, not before 2027), decodes
pictures on the event loop, and puts its own words in the place of the answer.
Facts: Google, Vertex AI, Imagen API, 2025-10.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import msgspec
from google.auth.credentials import Credentials
from google.auth.transport.requests import Request as Refreshing
from google.genai import errors

from darkroom.request import Request
from darkroom.request import Wishes as Asked
from darkroom.settings import Imagen as Wishes
from darkroom.settings import Settings, Vertex
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Backend, Break, Outcome, Reply, Unavailable
from darkroom_worker.backends.faults import read_error
from darkroom_worker.backends.gemini import credentials_of
from darkroom_worker.backends.prediction import blocked, read_predictions
from darkroom_worker.backends.session import open_session
from darkroom_worker.backends.vertex_host import host_of

_JSON: Final = {"Content-Type": "application/json"}
_ENCODER: Final = msgspec.json.Encoder()
_PEOPLE: Final = {
    "ALLOW_ALL": "allow_all",
    "ALLOW_ADULT": "allow_adult",
    "ALLOW_NONE": "dont_allow",
}
_SHOWN: Final = 200  # bytes of an answer that is not JSON


class Imagen:
    """One session for the life of a process; many requests in flight on it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        models: str,
        signature: Signature,
        wishes: Wishes,
        labels: Mapping[str, str],
    ) -> None:
        self._session = session
        self._models = models
        self._signature = signature
        self._wishes = wishes
        self._labels = dict(labels)

    async def send(self, request: Request, model: str, seconds: float) -> Reply:
        """Send one `predict`, for one picture."""
        began = time.monotonic()
        try:
            labels = {**self._labels, **dict(request.labels)}
            labelled = {"labels": labels} if labels else {}
            body = _ENCODER.encode(spelled(request, self._wishes) | labelled)
            signed = await self._signature.headers()
            headers = {**_JSON, **signed, "X-Server-Timeout": str(math.ceil(seconds))}
            url = f"{self._models}/{model}:predict"
            found, said = await self._post(url, body, headers, seconds)
        except Exception as error:  # noqa: BLE001  # every error is an outcome: see `read`
            return Reply(None, {}, error, _since(began))
        return Reply(found, said, None, _since(began))

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> tuple[bytes, Mapping[str, str]]:
        async with self._session.post(
            url,
            data=body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as answer:
            found = await answer.read()
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise errors.APIError(answer.status, _said(found), answer)
            return found, answer.headers

    async def look_up(self, model: str) -> None:
        """Ask for a model's page, which costs nothing. Raises APIError and what aiohttp raises."""
        signed = await self._signature.headers()
        async with self._session.get(
            f"{self._models}/{model}", headers=signed, allow_redirects=False
        ) as answer:
            found = await answer.read()
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise errors.APIError(answer.status, _said(found), answer)

    def read(self, reply: Reply) -> Outcome:
        """Classify a reply; see `Backend.read`."""
        if reply.error is not None:
            return blocked(read_error(reply.error))
        return read_predictions(reply.body or b"")

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


class Signature:
    """Signs requests. A token that ran out is renewed beside the event loop, once for all."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._renewing = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """Make the headers of one request. Raises GoogleAuthError."""
        async with self._renewing:
            if not self._credentials.valid:
                await asyncio.to_thread(self._credentials.refresh, Refreshing())
        signed = {"Authorization": f"Bearer {self._credentials.token}"}
        payer = getattr(self._credentials, "quota_project_id", None)
        return signed | ({"x-goog-user-project": payer} if payer else {})


def spelled(request: Request, wishes: Wishes) -> dict[str, Any]:
    """Write a request as `predict` takes it. Raises ValueError for what Imagen has no word for."""
    if request.all_pictures or request.thinking or request.temperature is not None:
        raise ValueError("Imagen takes no reference images, no thinking level, no temperature.")
    # A seed holds only without the watermark and without Google's rewriting of the prompt; with
    # that, a negative prompt is lost (Generate deterministic images; Omit content, 2025).
    wanted = _laid_over(wishes, request.wishes)
    is_literal = request.seed is not None or request.negative_prompt is not None
    parameters = {
        "sampleCount": 1,
        "includeRaiReason": True,
        "aspectRatio": request.aspect_ratio,
        "sampleImageSize": request.image_size,
        "negativePrompt": request.negative_prompt,
        "seed": request.seed,
        "addWatermark": None if request.seed is None else False,
        "enhancePrompt": False if is_literal else wishes.enhance_prompt,
        "language": wishes.language,
        "personGeneration": wanted.person_generation,
        "safetySetting": wanted.safety_setting,
        "outputOptions": _output(wanted) or None,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    return {"instances": [{"prompt": request.prompt}], "parameters": given}


def _laid_over(wishes: Wishes, asked: Asked | None) -> Wishes:
    """Say in Imagen's words what the row or its job asks, over the settings.

    Raises ValueError for what it has no word for.
    """
    if asked is None:
        return wishes
    if asked.system_instruction is not None or asked.grounding is not None:
        raise ValueError("Imagen takes no system instruction and no grounding.")
    people = asked.person_generation and _PEOPLE[asked.person_generation]
    given = {
        "person_generation": people,
        "safety_setting": asked.safety and asked.safety.lower(),
        "output_mime_type": asked.output_mime_type,
        "compression_quality": asked.compression_quality,
    }
    told: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
    if "compression_quality" not in told and asked.output_mime_type not in {None, "image/jpeg"}:
        told["compression_quality"] = None
    return wishes.model_copy(update=told)


def _output(wishes: Wishes) -> dict[str, Any]:
    wanted = {
        "mimeType": wishes.output_mime_type,
        "compressionQuality": wishes.compression_quality,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _said(body: bytes) -> dict[str, Any]:
    """What an error answer of Google's holds; of any other its beginning."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        found = None
    only = found[0] if isinstance(found, list) and found else found
    if isinstance(only, dict) and isinstance(only.get("error"), dict):
        return only
    return {"message": body[:_SHOWN].decode(errors="replace")}


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def open_imagen(settings: Settings) -> Backend:
    """Make a client of Imagen on Vertex AI. Call it on the event loop."""
    vertex = settings.vertex
    if vertex.project is None:
        hint = f"Set GOOGLE_CLOUD_PROJECT, then `darkroom tier resume {Tier.IMAGEN}`."
        rest = Break(whole_tier=True, seconds=None, reason="no project", hint=hint)
        raise Unavailable(Tier.IMAGEN, rest)
    signature = Signature(credentials_of(vertex, Tier.IMAGEN))
    models = _models(vertex)
    session = open_session(settings.limits(Tier.IMAGEN).concurrency)
    return Imagen(session, models, signature, settings.imagen, vertex.labels)


def _models(vertex: Vertex) -> str:
    parent = f"projects/{vertex.project}/locations/{vertex.location}"
    base_url = (vertex.base_url or host_of(vertex.location)).rstrip("/")
    return f"{base_url}/v1/{parent}/publishers/google/models"
