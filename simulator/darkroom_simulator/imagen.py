"""What a request to Imagen's `:predict` asks for, or the 400 it deserves.

Source: Google, Vertex AI, Imagen API and VisionGenerativeModelParams, 2025-10; the requests that
google-genai 3.4.0 sends.
"""

from __future__ import annotations

from typing import Any

import msgspec

from darkroom_simulator.ask import OUTPUT_TYPES, Ask, service_refused
from darkroom_simulator.catalog import Catalog
from darkroom_simulator.fields import (
    BOOLEAN,
    INTEGER,
    LABELS,
    NUMBER,
    STRING,
    Choice,
    Message,
    Repeated,
    Wrong,
)
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.target import Target
from darkroom_simulator.told import labelled, told_imagen

MOST_SAMPLES = 4
MOST_SEED = 2**31 - 1
MOST_QUALITY = 100
LANGUAGES = frozenset({"auto", "en", "zh", "zh-CN", "zh-TW", "hi", "ja", "ko", "pt", "es"})
PEOPLE = frozenset({"allow_all", "allow_adult", "dont_allow"})
SAFETY = frozenset(
    {"block_low_and_above", "block_medium_and_above", "block_only_high", "block_none"}
)
PARAMETERS = Message(
    {
        "sampleCount": INTEGER,
        "sampleImageSize": STRING,
        "aspectRatio": STRING,
        "negativePrompt": STRING,
        "guidanceScale": NUMBER,
        "seed": INTEGER,
        "addWatermark": BOOLEAN,
        "enhancePrompt": BOOLEAN,
        "includeRaiReason": BOOLEAN,
        "includeSafetyAttributes": BOOLEAN,
        "language": Choice("Language", LANGUAGES),
        "personGeneration": Choice("PersonGeneration", PEOPLE),
        "safetySetting": Choice("SafetySetting", SAFETY),
        "outputOptions": Message({"mimeType": STRING, "compressionQuality": INTEGER}),
    }
)
REQUEST = Message(
    {
        "instances": Repeated(Message({"prompt": STRING})),
        "parameters": PARAMETERS,
        "labels": LABELS,
    }
)


def read(body: bytes, target: Target, catalog: Catalog) -> Ask | Problem:
    """Read a body strictly."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return invalid(f"Invalid JSON payload received. {error}")
    wrong = Wrong()
    request = REQUEST.read(raw, "", wrong)
    if wrong.found:
        return wrong.problem()
    given = request.get("parameters", {})
    sentence = (
        service_refused(target)
        or prompt_refused(request.get("instances", []))
        or sampling_refused(given)
        or picture_refused(given, target, catalog)
    )
    return invalid(sentence) if sentence else accepted(request, target, catalog)


def prompt_refused(instances: list[dict[str, Any]]) -> str | None:
    """Check that there is one prompt."""
    if len(instances) != 1:
        return f"Expected 1 instance, got {len(instances)}."
    return None if instances[0].get("prompt") else "Text prompt is required."


def sampling_refused(given: dict[str, Any]) -> str | None:
    """Check how many pictures are wanted, and what makes them come out alike."""
    count = given.get("sampleCount", 1)
    if not 1 <= count <= MOST_SAMPLES:
        return f"sampleCount must be between 1 and {MOST_SAMPLES}, got {count}."
    if "seed" not in given:
        return None
    if given.get("addWatermark", True):
        return "Seed is not supported when watermark is enabled."
    if not 1 <= given["seed"] <= MOST_SEED:
        return f"Seed must be between 1 and {MOST_SEED}."
    return None


def picture_refused(given: dict[str, Any], target: Target, catalog: Catalog) -> str | None:
    """Check size, ratio and output."""
    model, ratios = target.model, catalog.ratios(target.model)
    if "sampleImageSize" in given and "sampleImageSize" in model.refuses:
        return f"sampleImageSize is not supported for model {target.name}."
    if given.get("sampleImageSize", "1K").upper() not in model.image_tokens:
        return f"Unsupported sampleImageSize: {given['sampleImageSize']}"
    if given.get("aspectRatio", "1:1") not in ratios:
        return f"Aspect ratio {given['aspectRatio']} is not supported: one of {', '.join(ratios)}."
    output = given.get("outputOptions", {})
    mime, quality = output.get("mimeType", "image/png"), output.get("compressionQuality")
    if mime not in OUTPUT_TYPES:
        return f"Unsupported output MIME type: {mime}"
    if quality is not None and not (mime == "image/jpeg" and 0 <= quality <= MOST_QUALITY):
        return "compressionQuality is for image/jpeg alone, and between 0 and 100."
    return None


def accepted(request: dict[str, Any], target: Target, catalog: Catalog) -> Ask:
    """Gather what a checked request asks for."""
    given = request.get("parameters", {})
    ratio = given.get("aspectRatio", "1:1")
    size = given.get("sampleImageSize", "1K").upper()
    width, height = catalog.ratios(target.model)[ratio][size]
    return Ask(
        target=target,
        prompt=request["instances"][0]["prompt"],
        references=0,
        ratio=ratio,
        size=size,
        width=width,
        height=height,
        mime=given.get("outputOptions", {}).get("mimeType", target.model.mime),
        thinking="",
        shows_thoughts=False,
        wants_text=False,
        seed=given.get("seed"),
        count=given.get("sampleCount", 1),
        tells_why=given.get("includeRaiReason", False),
        told=told_imagen(given) | labelled(request),
    )
