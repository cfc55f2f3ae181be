"""What a generateContent request asks for, or the 400 it deserves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from darkroom_simulator.catalog import Catalog, Model, Platform, Service
from darkroom_simulator.fields import Wrong
from darkroom_simulator.grounding import searched, tools_refused
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.reference import followed, hashes_of, image_refused, is_image
from darkroom_simulator.schema import REQUESTS
from darkroom_simulator.signature import signed_in, turns_refused
from darkroom_simulator.target import Target
from darkroom_simulator.told import labelled, told

OUTPUT_TYPES = frozenset({"image/png", "image/jpeg"})
FLEX_BODY = 20_000_000  # bytes; Google, Agent Platform, Flex PayGo, 2026-10
PLACES = {  # of Vertex, where a level is not served everywhere; Flex PayGo and Priority PayGo
    Service.FLEX: frozenset({"global"}),
    Service.PRIORITY: frozenset({"global", "us", "eu"}),
}
VERTEX_512 = frozenset({"512p", "512P", "512px", "512PX"})


@dataclass(frozen=True, slots=True)
class Ask:
    """One accepted request. `width` and `height` are pixels; `thinking` is "" without any.

    `predict` is asked for `count` pictures, and `tells_why` for a reason in place of filtered ones.
    `searches` is what may be searched; `told` is what was said beside it all, for the ledger.
    Of `turns` the earlier ones hold so many characters, and `signed` parts of the model's own.
    """

    target: Target
    prompt: str
    references: int
    ratio: str
    size: str
    width: int
    height: int
    mime: str
    thinking: str
    shows_thoughts: bool
    wants_text: bool
    seed: int | None
    count: int = 1
    tells_why: bool = True
    reference_sha256: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    told: dict[str, str] = field(default_factory=dict)
    earlier_chars: int = 0
    turns: int = 1
    signed: int = 0
    files: tuple[str, ...] = ()


def read(body: bytes, target: Target, catalog: Catalog) -> Ask | Problem:
    """Read a body strictly."""
    if target.service is Service.FLEX and len(body) > FLEX_BODY:
        return invalid(f"Request payload size exceeds the limit: {FLEX_BODY} bytes.")
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return invalid(f"Invalid JSON payload received. {error}")
    return understand(raw, target, catalog)


def understand(raw: object, target: Target, catalog: Catalog) -> Ask | Problem:
    """Read decoded JSON strictly."""
    wrong = Wrong()
    request = REQUESTS[target.platform].read(raw, "", wrong)
    if wrong.found:
        return wrong.problem()
    if "serviceTier" in request and target.service is not Service.BATCH:
        target = replace(target, service=Service(request["serviceTier"]))
    complaint = refused(request, target, catalog)
    return complaint or accepted(request, target, catalog)


def refused(request: dict[str, Any], target: Target, catalog: Catalog) -> Problem | None:
    """Check what a field table cannot: what this model takes on this platform."""
    config = request.get("generationConfig", {})
    sentence = (
        service_refused(target)
        or contents_refused(request, target)
        or tools_refused(request, target)
        or config_refused(config, target)
        or thinking_refused(config.get("thinkingConfig", {}), target.model)
        or turns_refused(request["contents"], level_of(config, target.model))
        or picture_refused(config.get("imageConfig", {}), target, catalog)
    )
    return invalid(sentence) if sentence else None


def service_refused(target: Target) -> str | None:
    """Check that the model is sold at this service level, and in this place."""
    if not target.model.sold(target.service, target.platform):
        return f"The {target.service} service tier is not available for model {target.name}."
    if target.location not in PLACES.get(target.service, {target.location}):
        return f"The {target.service} service tier is not available in {target.location}."
    return None


def contents_refused(request: dict[str, Any], target: Target) -> str | None:
    """Check the prompt and its reference images."""
    contents = request.get("contents", [])
    parts = [part for content in contents for part in content.get("parts", ())]
    if not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    if not parts or not all(content.get("parts") for content in contents):
        return "* GenerateContentRequest.contents: contents.parts must not be empty."
    if not any(part.keys() & {"text", "inlineData", "fileData"} for part in parts):
        return "* GenerateContentRequest.contents.parts: required oneof field 'data' must be set"
    images = [part for part in parts if is_image(part)]
    if len(images) > target.model.max_references:
        return f"Too many images: {len(images)}, at most {target.model.max_references} are allowed."
    return next((sentence for part in images if (sentence := image_refused(part))), None)


def config_refused(config: dict[str, Any], target: Target) -> str | None:
    """Check the generation parameters."""
    if "IMAGE" not in config.get("responseModalities", ("TEXT", "IMAGE")):
        return "The requested combination of response modalities must contain IMAGE."
    if config.get("candidateCount", 1) != 1:
        return "Multiple candidates is not enabled for this model"
    for name in sorted(target.model.refuses & config.keys()):
        return f"{name} is not supported for model {target.name}."
    if not 0 <= config.get("temperature", 1) <= 2:  # noqa: PLR2004 - the documented range
        return "temperature must be in the range [0.0, 2.0]."
    if not 0 <= config.get("topP", 1) <= 1:
        return "top_p must be in the range [0.0, 1.0]."
    return None


def thinking_refused(thinking: dict[str, Any], model: Model) -> str | None:
    """Check the thinking level."""
    if not thinking:
        return None
    if not model.thinking:
        return f"Thinking is not supported for model {model.name}."
    if "thinkingLevel" in thinking and "thinkingBudget" in thinking:
        return "You can only set one of thinking_budget and thinking_level."
    level = thinking.get("thinkingLevel", model.thinking[0])
    if level not in model.thinking:
        return f"Thinking level {level} is not supported for this model."
    return None


def picture_refused(image: dict[str, Any], target: Target, catalog: Catalog) -> str | None:
    """Check size, ratio and output type."""
    model = target.model
    if "imageSize" in image and "imageSize" in model.refuses:
        return f"Image size is not supported for model {target.name}."
    if size_of(image, target.platform) not in model.image_tokens:
        return f"Invalid image size {image['imageSize']!r}: one of {', '.join(model.image_tokens)}."
    ratios = catalog.ratios(model)
    if image.get("aspectRatio", "1:1") not in ratios:
        return f"Invalid aspect ratio {image['aspectRatio']!r}: one of {', '.join(ratios)}."
    options = image.get("imageOutputOptions", {})
    if options.get("mimeType", "image/png") not in OUTPUT_TYPES:
        return f"Unsupported output MIME type: {options['mimeType']}"
    return None


def size_of(image: dict[str, Any], platform: Platform) -> str:
    """Name the size class asked for; Vertex takes four more spellings of 512."""
    size = str(image.get("imageSize", "1K"))
    return "512" if platform is Platform.VERTEX and size in VERTEX_512 else size


def accepted(request: dict[str, Any], target: Target, catalog: Catalog) -> Ask:
    """Gather what a checked request asks for."""
    config = request.get("generationConfig", {})
    image = config.get("imageConfig", {})
    thinking = config.get("thinkingConfig", {})
    parts = [part for content in request["contents"] for part in content["parts"]]
    ratios = catalog.ratios(target.model)
    ratio = image.get("aspectRatio") or followed(parts, ratios)
    size = size_of(image, target.platform)
    width, height = ratios[ratio][size]
    prompt = prompt_of(request["contents"])
    said = sum(len(part.get("text", "")) for part in parts)
    return Ask(
        target=target,
        prompt=prompt,
        references=sum(map(is_image, parts)),
        ratio=ratio,
        size=size,
        width=width,
        height=height,
        mime=image.get("imageOutputOptions", {}).get("mimeType", target.model.mime),
        thinking=level_of(config, target.model),
        shows_thoughts=thinking.get("includeThoughts", False),
        wants_text="TEXT" in config.get("responseModalities", ("TEXT", "IMAGE")),
        seed=config.get("seed"),
        reference_sha256=hashes_of(parts),
        searches=searched(request),
        told=told(request) | ({} if target.service is Service.BATCH else labelled(request)),
        earlier_chars=max(said - len(prompt), 0),
        turns=sum(content.get("role", "user") == "user" for content in request["contents"]),
        signed=signed_in(request["contents"]),
        files=tuple(part["fileData"].get("fileUri", "") for part in parts if "fileData" in part),
    )


def level_of(config: dict[str, Any], model: Model) -> str:
    """Name the level of thinking; nothing for a model that does not."""
    default = model.thinking[0] if model.thinking else ""
    return str(config.get("thinkingConfig", {}).get("thinkingLevel", default))


def prompt_of(contents: list[dict[str, Any]]) -> str:
    """Take the text of the last turn that holds any."""
    turns = ("\n".join(p["text"] for p in c["parts"] if "text" in p) for c in reversed(contents))
    return next((text for text in turns if text), "")
