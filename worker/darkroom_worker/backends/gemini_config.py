"""What Google's SDK takes beside the prompt, and its types that say at once what they hold."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from google.genai import types

from darkroom.request import Request, Wishes
from darkroom.settings import ServiceTier
from darkroom_manifests.asked import HARMS

# The SDK may call functions in a loop, and ask again where an answer is to be continued: each is a
# request more, which may be billed (google-genai 3.4.0, `AsyncModels.generate_content`).
_NO_CALLS: Final = types.AutomaticFunctionCallingConfig(disable=True)


class _Quick:
    """Answers whether a field is there, and with it, by name.

    For each of some fifty fields the SDK asks whether it is `in` what was given to it, and pydantic
    goes through all fields to answer (google-genai 3.4.0, `get_value_by_path`): a fifth of the time
    that a request costs us.
    """

    def __contains__(self, name: str) -> bool:
        return name in type(self).model_fields  # type: ignore[attr-defined]  # of its other base

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # as the fields are
        return getattr(self, name)


class Config(_Quick, types.GenerateContentConfig):
    """What stands beside the prompt."""


class Content(_Quick, types.Content):
    """One turn."""


class Part(_Quick, types.Part):
    """A piece of a turn."""


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
