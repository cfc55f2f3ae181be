"""A request as REST takes it, for the lines of a batch; and the fingerprint of one that is echoed.

Shapes: Google, Vertex AI, GenerateContentRequest, and the requests that google-genai 3.4.0 sends
for the same wishes, which the contract tests compare with these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from darkroom.request import Reference, Request

_NOT_ASKED: Final = frozenset({"labels"})
"""What travels with a request and does not change its picture."""

_CANONICAL: Final = msgspec.json.Encoder(order="deterministic")


def asked(request: Request, uri_of: Callable[[Reference], str]) -> dict[str, Any]:
    """Spell a request. `uri_of` says where the provider finds the bytes of a reference."""
    parts: list[dict[str, Any]] = [
        {"fileData": {"mimeType": each.mime, "fileUri": uri_of(each)}}
        for each in request.references
    ]
    parts.append({"text": request.prompt})
    return {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": _config(request),
    }


def _config(request: Request) -> dict[str, Any]:
    image = {"aspectRatio": request.aspect_ratio, "imageSize": request.image_size}
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
        return {name: each for name, each in kept.items() if each not in ({}, [])}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
