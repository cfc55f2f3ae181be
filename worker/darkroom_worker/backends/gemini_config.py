"""What Google's SDK takes beside the prompt."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from google.genai import types

from darkroom.request import Request, Wishes
from darkroom.settings import ServiceTier
from darkroom_manifests.asked import HARMS
from darkroom_worker.backends.sdk_types import Config

# The SDK may call functions in a loop, and ask again where an answer is to be continued: each is a
# request more, which may be billed (google-genai 3.4.0, `AsyncModels.generate_content`).
_NO_CALLS: Final = types.AutomaticFunctionCallingConfig(disable=True)


def config_of(request: Request, seconds: float, named: ServiceTier | None) -> Config:
    """Make what the SDK takes beside the prompt; few kinds of it come, so they are kept."""
    bare = Request(
        prompt="",
        aspect_ratio=request.aspect_ratio,
        image_size=request.image_size,
        seed=request.seed,
        temperature=request.temperature,
        thinking=request.thinking,
        wishes=request.wishes,
    )
    return _kept(bare, seconds, named)


@lru_cache(maxsize=256)
def _kept(request: Request, seconds: float, named: ServiceTier | None) -> Config:
    wishes = request.wishes or Wishes()
    image = types.ImageConfig(
        aspect_ratio=request.aspect_ratio,
        image_size=request.image_size,
        person_generation=wishes.person_generation,
        output_mime_type=wishes.output_mime_type,
        output_compression_quality=wishes.compression_quality,
    )
    thinking = request.thinking and types.ThinkingConfig(
        thinking_level=types.ThinkingLevel(request.thinking.upper())
    )
    return Config(
        response_modalities=["IMAGE"],
        image_config=image if image.model_dump(exclude_none=True) else None,
        system_instruction=wishes.system_instruction,
        safety_settings=_safety(wishes.safety),
        tools=_tools(wishes.grounding),
        seed=request.seed,
        temperature=request.temperature,
        thinking_config=thinking or None,
        service_tier=None if named is None else types.ServiceTier(named.value),
        should_return_http_response=True,  # the body is decoded by our own faster path
        automatic_function_calling=_NO_CALLS,
        automatic_continuation=False,
        http_options=types.HttpOptions(timeout=round(seconds * 1000)),
    )


def _safety(threshold: str | None) -> list[types.SafetySetting] | None:
    if threshold is None:
        return None
    level = types.HarmBlockThreshold(threshold)
    return [
        types.SafetySetting(category=types.HarmCategory(name), threshold=level) for name in HARMS
    ]


def _tools(grounding: str | None) -> types.ToolListUnion | None:
    if grounding is None:
        return None
    kinds = grounding.split("+")
    searches = types.SearchTypes(
        web_search=types.WebSearch() if "web" in kinds else None,
        image_search=types.ImageSearch() if "image" in kinds else None,
    )
    search = types.GoogleSearch(search_types=None if kinds == ["web"] else searches)
    return [types.Tool(google_search=search)]
