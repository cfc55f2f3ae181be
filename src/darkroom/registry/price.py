"""What a request costs, in integer nano-dollars."""

from __future__ import annotations

import msgspec

from darkroom.registry.model import Level


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one request as the provider reports them.

    `input_image_tokens` and `cached_tokens` are parts of `prompt_tokens`; `image_tokens` and
    `text_tokens` are the parts of the candidates; thoughts come on top of the candidates.
    `searches` are no tokens: queries of a grounded request.
    """

    prompt_tokens: int = 0
    tool_tokens: int = 0
    cached_tokens: int = 0
    image_tokens: int = 0
    text_tokens: int = 0
    thought_tokens: int = 0
    input_image_tokens: int = 0
    searches: int = 0


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """A price list for one model at one provider and level, in nano-dollars.

    Rates are per token, image, call, and query of a grounded request.

    `version` is the day on which the list was read. `surcharge_percent` is what Vertex adds
    outside its global endpoint, on all but queries.
    """

    version: str
    tier_level: Level
    text_in: int = 0
    image_in: int = 0
    cached_in: int = 0
    text_out: int = 0
    image_out: int = 0
    per_image: int = 0
    per_call: int = 0
    per_search: int = 0
    surcharge_percent: int = 0

    def charge(self, usage: Usage, images: int, calls: int | None = None) -> int:
        """Nano-dollars for answers that held so many delivered images, rounded up.

        `calls` is how many answers there were; None: one an image.
        """
        total = self._input(usage) + self._output(usage) + self.per_image * images
        total += self.per_call * (images if calls is None else calls)
        charged = -(-total * (100 + self.surcharge_percent) // 100)
        return charged + self.per_search * usage.searches

    def _input(self, usage: Usage) -> int:
        pictures = min(usage.input_image_tokens, usage.prompt_tokens)
        words = usage.prompt_tokens - pictures + usage.tool_tokens
        cached = min(usage.cached_tokens, words + pictures)
        # Nobody reports which tokens the cache held: the words are taken to be cached first.
        cached_pictures = max(0, cached - words)
        return (
            (words - cached + cached_pictures) * self.text_in
            + (pictures - cached_pictures) * self.image_in
            + cached * self.cached_in
        )

    def _output(self, usage: Usage) -> int:
        # Thoughts are text to the bill (Google, Gemini API, Pricing, 2026-10).
        spoken = usage.text_tokens + usage.thought_tokens
        return usage.image_tokens * self.image_out + spoken * self.text_out


class Estimate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nano-dollars that one image may cost; `high` is what to reserve before asking for it."""

    low: int
    likely: int
    high: int
    version: str
