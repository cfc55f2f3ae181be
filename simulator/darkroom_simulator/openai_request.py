"""What a request in OpenAI's words asks for, or the 400 it deserves: strict, as Google's doors are.

Sources: OpenAI, Images and Chat; OpenRouter, Image generation; LiteLLM, Gemini images; 2026-10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from darkroom_simulator.ask import Ask, understand
from darkroom_simulator.catalog import Catalog
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.target import Target

JSON = dict[str, Any]

IMAGES = frozenset(
    {"model", "prompt", "n", "size", "response_format", "imageConfig", "image", "user", "quality"}
)
CHAT = frozenset(
    {
        "image_config",
        "max_tokens",
        "messages",
        "modalities",
        "model",
        "reasoning_effort",
        "seed",
        "stream",
        "temperature",
        "user",
    }
)
TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
SMALLEST = {"0.5K": "512"}


Translate = Callable[[JSON, Target, Catalog], JSON]


class Refused(ValueError):
    """A request that no proxy takes; the message is what it says."""


def read_images(body: bytes, target: Target, catalog: Catalog) -> Ask | Problem:
    """Read a body of /images/generations, or of /images/edits made into one."""
    return read(body, target, catalog, of_images)


def read_edits(body: bytes, target: Target, catalog: Catalog) -> Ask | Problem:
    """The same, where there must be a picture to edit."""
    return read(body, target, catalog, of_edits)


def read_chat(body: bytes, target: Target, catalog: Catalog) -> Ask | Problem:
    """Read a body of /chat/completions."""
    return read(body, target, catalog, of_chat)


def read(body: bytes, target: Target, catalog: Catalog, translate: Translate) -> Ask | Problem:
    """Translate into Google's words, which are checked as at Google's own doors."""
    try:
        given = msgspec.json.decode(body)
        if not isinstance(given, dict):
            return invalid("The body is not an object.")
        raw = translate(given, target, catalog)
    except (msgspec.DecodeError, RecursionError, Refused) as error:
        return invalid(str(error))
    return understand(raw, target, catalog)


def of_images(given: JSON, target: Target, catalog: Catalog) -> JSON:
    """Translate a request for a picture."""
    known(given, IMAGES)
    if given.get("n", 1) != 1:
        raise Refused("n must be 1.")
    if given.get("response_format", "b64_json") not in {"b64_json", "url"}:
        raise Refused("response_format must be b64_json or url.")
    image = dict(given.get("imageConfig", {}))
    if "size" in given:
        image = agreed(image, str(given["size"]), target, catalog)
    pictures = [media(each["mimeType"], each["data"]) for each in given.get("image", ())]
    return asked([*pictures, {"text": words(given.get("prompt"))}], {"imageConfig": image})


def of_edits(given: JSON, target: Target, catalog: Catalog) -> JSON:
    """Translate a form; OpenAI's SDK calls one file `image`, several `image[]`."""
    pictures = given.get("image", [])
    name = "image" if len(pictures) == 1 else "image[]"
    if not pictures or any(each["field"] != name for each in pictures):
        raise Refused("Field required: image, or image[] for several.")
    return of_images(given, target, catalog)


def agreed(image: JSON, size: str, target: Target, catalog: Catalog) -> JSON:
    """Find ratio and size class of pixels; beside `imageConfig` they must mean the same."""
    width, _, height = size.partition("x")
    table = catalog.ratios(target.model)
    for ratio, sizes in table.items():
        for name, sides in sizes.items():
            if [str(side) for side in sides] == [width, height] and name in (
                target.model.image_tokens
            ):
                meant = {"aspectRatio": ratio, "imageSize": name}
                if any(meant[key] != value for key, value in image.items()):
                    raise Refused(f"size {size} contradicts imageConfig.")
                sent = "imageSize" not in target.model.refuses
                return meant if sent else {"aspectRatio": ratio}
    raise Refused(f"Invalid size {size} for model {target.name}.")


def of_chat(given: JSON, target: Target, catalog: Catalog) -> JSON:  # noqa: ARG001  # as the others
    """Translate a conversation of one message."""
    known(given, CHAT)
    if given.get("stream"):
        raise Refused("stream is not supported here.")
    if "image" not in given.get("modalities", ()):
        raise Refused("modalities must contain image.")
    config = dict(given.get("image_config", {}))
    known(config, {"aspect_ratio", "image_size"})
    size = str(config.get("image_size") or "")
    image = {"aspectRatio": config.get("aspect_ratio"), "imageSize": SMALLEST.get(size, size)}
    generation: JSON = {"imageConfig": {name: value for name, value in image.items() if value}}
    generation |= {name: given[name] for name in ("seed", "temperature") if name in given}
    if "reasoning_effort" in given:
        generation["thinkingConfig"] = {"thinkingLevel": str(given["reasoning_effort"]).upper()}
    messages = given.get("messages")
    return asked(parts_of(messages), generation) | instruction_of(messages)


def instruction_of(messages: object) -> JSON:
    """Translate what is said before the user's only message."""
    before = messages[:-1] if isinstance(messages, list) else []
    if any(not isinstance(each, dict) or each.get("role") != "system" for each in before):
        raise Refused("Only messages of the role system may come before the user's.")
    parts = [{"text": words(each.get("content"))} for each in before]
    return {"systemInstruction": {"parts": parts}} if parts else {}


def parts_of(messages: object) -> list[JSON]:
    """Translate what the user says."""
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        raise Refused("messages must not be empty.")
    if messages[-1].get("role") != "user":
        raise Refused("The last message must be the user's.")
    content = messages[-1].get("content")
    if isinstance(content, str):
        return [{"text": words(content)}]
    return [part_of(each) for each in content or ()]


def part_of(part: JSON) -> JSON:
    """Translate one content part; pictures come as data URIs."""
    if part.get("type") == "text":
        return {"text": words(part.get("text"))}
    url = str(part.get("image_url", {}).get("url", ""))
    head, comma, data = url.partition(";base64,")
    if part.get("type") != "image_url" or not comma or not head.startswith("data:"):
        raise Refused("Only text and image_url with a data URI are supported.")
    return media(head.removeprefix("data:"), data)


def media(mime: str, data: str) -> JSON:
    """Write a picture as Google reads it; OpenAI's doors take what browsers show."""
    if mime not in TYPES:
        raise Refused(f"Unsupported image type {mime}: use PNG, JPEG, GIF or WebP.")
    return {"inlineData": {"mimeType": mime, "data": data}}


def words(text: object) -> str:
    """Take the prompt."""
    if not isinstance(text, str) or not text:
        raise Refused("prompt is required.")
    return text


def asked(parts: list[JSON], config: JSON) -> JSON:
    """Write the whole request in Google's words."""
    config = {name: value for name, value in config.items() if value not in ({}, None)}
    contents = [{"role": "user", "parts": parts}]
    return {"contents": contents, "generationConfig": {"responseModalities": ["IMAGE"], **config}}


def known(given: JSON, names: set[str] | frozenset[str]) -> None:
    """Refuse what OpenAI's wire has no word for."""
    strange = sorted(given.keys() - names)
    if strange:
        raise Refused(f"Unrecognized request argument supplied: {', '.join(strange)}")
