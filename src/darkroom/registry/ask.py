"""What a row asks of a model, why it may be refused, and what should come back."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Ask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The wishes of one render that a model may or may not fulfil. None: the model's default."""

    model: str
    aspect_ratio: str | None = None
    image_size: str | None = None
    seed: int | None = None
    temperature: float | None = None
    thinking: str | None = None
    negative_prompt: str | None = None
    references: int = 0
    grounding: str | None = None
    prompt_chars: int = 0

    @property
    def searches(self) -> frozenset[str]:
        """What may be searched before the picture is drawn."""
        return frozenset() if self.grounding is None else frozenset(self.grounding.split("+"))


class Reason(StrEnum):
    """Why a model will not do what a row asks; stable, for machines."""

    MODEL_UNKNOWN = "model-unknown"
    MODEL_RETIRED = "model-retired"
    MODEL_GONE = "model-gone"
    MODEL_UNRELEASED = "model-unreleased"
    MODEL_NOT_SERVED = "model-not-served"
    LEVEL_NOT_OFFERED = "level-not-offered"
    LOCATION_NOT_OFFERED = "location-not-offered"
    SIZE_NOT_OFFERED = "size-not-offered"
    RATIO_NOT_OFFERED = "ratio-not-offered"
    SEED_NOT_ACCEPTED = "seed-not-accepted"
    TEMPERATURE_NOT_ACCEPTED = "temperature-not-accepted"
    TEMPERATURE_OUT_OF_RANGE = "temperature-out-of-range"
    THINKING_NOT_OFFERED = "thinking-not-offered"
    NEGATIVE_PROMPT_NOT_ACCEPTED = "negative-prompt-not-accepted"
    TOO_MANY_REFERENCES = "too-many-references"
    SEARCH_NOT_OFFERED = "search-not-offered"
    WISH_NOT_HEARD = "wish-not-heard"
    TURNS_NOT_TAKEN = "turns-not-taken"


class Refusal(msgspec.Struct, frozen=True):
    """One wish that cannot be fulfilled. `column` is the manifest's; the hint names the way out.

    Both are sentences.
    """

    column: str
    code: Reason
    message: str
    hint: str | None = None


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The picture to expect: pixels (None where Google does not say) and its output tokens."""

    width: int | None
    height: int | None
    image_tokens: int
