"""Writes a request on each of a proxy's three wires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import msgspec
import pybase64

from darkroom.request import Reference, Request, Wishes
from darkroom.router.relay import HEARD
from darkroom.settings import Mode
from darkroom_worker.backends.asking import beside
from darkroom_worker.backends.contents import Piece, as_json, turns_of
from darkroom_worker.backends.reference_bytes import read, without_heic

Pixels = Callable[[str, Request], str | None]
"""Says `WIDTHxHEIGHT` of what a request for a model asks for; None where it leaves that open."""

_ENCODER: Final = msgspec.json.Encoder()
_ENDINGS: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}
_UNSPOKEN: Final = ("seed", "temperature", "thinking", "negative_prompt")
_SMALLEST: Final = {"512": "0.5K"}  # OpenRouter, Image generation, 2026-10


class Spelled(msgspec.Struct, frozen=True):
    """One POST. `kind` None: the form says its own."""

    url: str
    body: bytes | aiohttp.FormData
    kind: str | None = "application/json"


class Wire:
    """Knows where a proxy's doors are, and what each wants to read."""

    def __init__(
        self, base_url: str, mode: Mode, pixels: Pixels, extra: Mapping[str, Any] | None = None
    ) -> None:
        self._base = base_url
        self._mode = mode
        self._pixels = pixels
        self._extra = extra or {}

    def spell(self, request: Request, model: str, name: str) -> Spelled:
        """Write a request for a model that the proxy knows by a name. Reads the references.

        Raises ValueError for what no wire of a proxy can carry, and for a reference that went or
        is not the one that was planned.
        """
        if any(one.uri.startswith("gs://") for one in request.all_pictures):
            raise ValueError("A proxy reads no gs:// references.")
        if request.history and self._mode is not Mode.NATIVE:
            raise ValueError(f"{self._mode} has no word for the turns before.")
        _require_heard(request, self._mode)
        if self._mode is Mode.CHAT:
            return self._json(f"{self._base}/chat/completions", _chat(request, name))
        if self._mode is Mode.NATIVE:
            return self._json(native_url(self._base, name), _native(request))
        if any(getattr(request, name) is not None for name in _UNSPOKEN):
            raise ValueError(f"{Mode.IMAGES} has no word for {', '.join(_UNSPOKEN)}.")
        fields = _images(request, name, self._pixels(model, request))
        if request.pictures:
            return self._form(f"{self._base}/images/edits", fields, request)
        return self._json(f"{self._base}/images/generations", fields)

    def _json(self, url: str, fields: dict[str, Any]) -> Spelled:
        return Spelled(url, _ENCODER.encode(_laid_over(fields, self._extra)))

    def _form(self, url: str, fields: dict[str, Any], request: Request) -> Spelled:
        form = aiohttp.FormData()
        for key, value in _laid_over(fields, self._extra).items():
            text = value if isinstance(value, str) else _ENCODER.encode(value).decode()
            form.add_field(key, text)
        name = "image" if len(request.pictures) == 1 else "image[]"
        for number, one in enumerate(map(without_heic, request.pictures), 1):
            file = f"reference-{number}.{_ENDINGS.get(one.mime, 'bin')}"
            data = read(one)
            form.add_field(name, data, filename=file, content_type=one.mime)
        return Spelled(url, form, None)


def _require_heard(request: Request, mode: Mode) -> None:
    """Raise ValueError for a wish that would be lost on the way."""
    told = () if request.wishes is None else request.wishes.told
    lost = [name for name in told if name not in HEARD[mode]]
    if lost:
        raise ValueError(f"{mode} has no word for {', '.join(lost)}.")


def native_url(base_url: str, name: str) -> str:
    """Where `generateContent` is, behind the address that OpenAI's SDK would be given."""
    root = base_url.removesuffix("/openai").removesuffix("/v1").removesuffix("/v1beta")
    return f"{root}/v1beta/models/{name}:generateContent"


def _chat(request: Request, name: str) -> dict[str, Any]:
    [asked] = turns_of(request)  # there is no history on this wire
    content = [_said(piece) for piece in asked.pieces]
    size = request.image_size
    config = {
        "aspect_ratio": request.aspect_ratio,
        "image_size": _SMALLEST.get(size, size) if size else None,
    }
    told = None if request.wishes is None else request.wishes.system_instruction
    said = {"role": "user", "content": content if request.pictures else request.prompt}
    return _given(
        {
            "model": name,
            "messages": [said] if told is None else [{"role": "system", "content": told}, said],
            "modalities": ["image", "text"],
            "image_config": _given(config) or None,
            "seed": request.seed,
            "temperature": request.temperature,
            "reasoning_effort": request.thinking,
        }
    )


def _said(piece: Piece) -> dict[str, Any]:
    """Write a piece of the prompt: words, or an image behind what its role says of it."""
    if piece.image is None:
        return {"type": "text", "text": piece.text}
    one = without_heic(piece.image)
    return {"type": "image_url", "image_url": {"url": f"data:{one.mime};base64,{_base64(one)}"}}


def _captioned(request: Request) -> str:
    """Write the roles of images before the prompt: a form has no place between its files."""
    numbered = enumerate(request.pictures, 1)
    roles = [said for number, one in numbered if (said := one.caption(number)) is not None]
    return "\n".join([*roles, request.prompt])


def _images(request: Request, name: str, pixels: str | None) -> dict[str, Any]:
    """Write what OpenAI reads, and beside it LiteLLM's `imageConfig`, where a row asks for a size.

    A row that asks for none is written as Google's compatible endpoint reads it, and no more.
    """
    config = _given({"aspectRatio": request.aspect_ratio, "imageSize": request.image_size})
    return _given(
        {
            "model": name,
            "prompt": _captioned(request),
            "n": 1,
            "response_format": "b64_json",
            "size": pixels if config else None,
            "imageConfig": config or None,
        }
    )


def _native(request: Request) -> dict[str, Any]:
    image = _given({"aspectRatio": request.aspect_ratio, "imageSize": request.image_size})
    thinking = request.thinking and {"thinkingLevel": request.thinking.upper()}
    config = {
        "responseModalities": ["IMAGE"],
        "imageConfig": image or None,
        "seed": request.seed,
        "temperature": request.temperature,
        "thinkingConfig": thinking or None,
    }
    body = {"contents": as_json(request, _inline), "generationConfig": _given(config)}
    return {**body, **beside(request.wishes or Wishes())}


def _inline(image: Reference) -> dict[str, Any]:
    one = without_heic(image)
    return {"inlineData": {"mimeType": one.mime, "data": _base64(one)}}


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _base64(reference: Reference) -> str:
    return pybase64.b64encode(read(reference)).decode()


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(under)
    for name, value in over.items():
        below = laid.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        laid[name] = _laid_over(below or {}, value) if both else value
    return laid
