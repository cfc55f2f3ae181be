"""A request as REST takes it, for the lines of a batch; and the fingerprint of one that is echoed.

Shapes: Google, Vertex AI, GenerateContentRequest, and the requests that google-genai 3.4.0 sends
for the same wishes, which the contract tests compare with these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from darkroom.request import Reference, Request, Wishes
from darkroom_manifests.asked import HARMS
from darkroom_worker.backends.contents import as_json

_NOT_ASKED: Final = frozenset({"labels"})
"""What travels with a request and does not change its picture."""

_BY_PRESENCE: Final = frozenset({"googleSearch", "webSearch", "imageSearch"})
"""What says something by being there, though nothing is in it."""

_CANONICAL: Final = msgspec.json.Encoder(order="deterministic")


def asked(request: Request, uri_of: Callable[[Reference], str]) -> dict[str, Any]:
    """Spell a request. `uri_of` says where the provider finds the bytes of a reference."""

    def image_of(each: Reference) -> dict[str, Any]:
        return {"fileData": {"mimeType": each.mime, "fileUri": uri_of(each)}}

    wishes = request.wishes or Wishes()
    return {
        "contents": as_json(request, image_of),
        "generationConfig": _config(request, wishes),
        **beside(wishes),
    }


def beside(wishes: Wishes) -> dict[str, Any]:
    """Spell what stands beside contents and generationConfig."""
    told = wishes.system_instruction
    fields = {
        "systemInstruction": told and {"role": "user", "parts": [{"text": told}]},
        "safetySettings": wishes.safety
        and [{"category": name, "threshold": wishes.safety} for name in HARMS],
        "tools": wishes.grounding and [{"googleSearch": _search(wishes.grounding)}],
    }
    return _given(fields)


def _search(grounding: str) -> dict[str, Any]:
    """Say what is searched; where nothing is said, it is the web."""
    kinds = grounding.split("+")
    return {} if kinds == ["web"] else {"searchTypes": {f"{kind}Search": {} for kind in kinds}}


def _config(request: Request, wanted: Wishes) -> dict[str, Any]:
    output = {"mimeType": wanted.output_mime_type, "compressionQuality": wanted.compression_quality}
    image = {
        "aspectRatio": request.aspect_ratio,
        "imageSize": request.image_size,
        "personGeneration": wanted.person_generation,
        "imageOutputOptions": _given(output),
    }
    wishes = {
        "responseModalities": ["IMAGE"],
        "imageConfig": _given(image),
        "seed": request.seed,
        "temperature": request.temperature,
        "thinkingConfig": request.thinking and {"thinkingLevel": request.thinking.upper()},
    }
    return _given(wishes)


def _given(wishes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wishes.items() if value not in (None, {}, "")}


def fingerprint(request: Mapping[str, Any]) -> bytes:
    """Name a request by what it asks, whatever nulls and labels its echo has: 16 bytes."""
    kept = {name: value for name, value in request.items() if name not in _NOT_ASKED}
    return hashlib.blake2b(_CANONICAL.encode(_without_nulls(kept)), digest_size=16).digest()


def _without_nulls(value: Any) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, dict):
        kept = {name: _without_nulls(each) for name, each in value.items() if each is not None}
        return {n: each for n, each in kept.items() if each not in ({}, []) or n in _BY_PRESENCE}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
