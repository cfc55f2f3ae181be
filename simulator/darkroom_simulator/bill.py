"""Tokens and money: what a request used, and what it costs by the simulator's own price list."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from darkroom_simulator.ask import Ask
from darkroom_simulator.catalog import Platform, Price, Service
from darkroom_simulator.grounding import queries
from darkroom_simulator.target import Target

CHARACTERS_A_TOKEN = 4
# Fewest and most thinking tokens by level, from published samples of 100 to 900.
THINKING = {"": (0, 0), "MINIMAL": (0, 0), "LOW": (40, 120), "MEDIUM": (100, 400)}
THINKING["HIGH"] = (300, 900)
TRAFFIC = {
    Service.STANDARD: "ON_DEMAND",
    Service.FLEX: "ON_DEMAND_FLEX",
    Service.PRIORITY: "ON_DEMAND_PRIORITY",
    Service.PROVISIONED: "PROVISIONED_THROUGHPUT",
    Service.BATCH: "ON_DEMAND",  # the enumeration has no word for batch; google-genai 3.4.0
}


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one request, and the queries of its searches, which are billed beside them.

    `text` is prose in the answer, beside thoughts and image.
    """

    prompt_text: int = 0
    prompt_image: int = 0
    thoughts: int = 0
    text: int = 0
    image: int = 0
    searches: int = 0

    @property
    def prompt(self) -> int:
        """Tokens that came in."""
        return self.prompt_text + self.prompt_image

    @property
    def candidates(self) -> int:
        """Tokens of the answer, thinking left out, as Google counts it."""
        return self.text + self.image


def measure(ask: Ask, *, images: int, texts: int) -> Usage:
    """Count a request's tokens; the same prompt always thinks equally long."""
    low, high = THINKING[ask.thinking]
    chance = zlib.crc32(ask.prompt.encode("utf-8", "surrogatepass"))
    return Usage(
        prompt_text=-(-(len(ask.prompt) + ask.earlier_chars) // CHARACTERS_A_TOKEN),
        prompt_image=ask.references * ask.target.model.input_image_tokens,
        thoughts=low + chance % (high - low + 1),
        text=texts,
        image=images * ask.target.model.image_tokens[ask.size],
        searches=sum(map(len, queries(ask.prompt, ask.searches).values())),
    )


def cost(usage: Usage, images: int, target: Target) -> int:
    """Price it in nano-dollars by the level's list; a Vertex region adds 10 %, rounded up."""
    if target.service is Service.PROVISIONED:  # bought ahead, by the week
        return usage.searches * Price().search
    price = target.model.prices[target.service]
    total = usage.prompt * price.prompt + usage.image * price.image + images * price.each
    total += (usage.text + usage.thoughts) * price.text
    tokens = -(-total * 11 // 10) if target.regional else total
    return tokens + usage.searches * price.search


def metadata(usage: Usage, target: Target) -> dict[str, Any]:
    """Write `usageMetadata`; counts of zero are left out, as on the real wire."""
    prompt = [("TEXT", usage.prompt_text), ("IMAGE", usage.prompt_image)]
    answer = [("TEXT", usage.text), ("IMAGE", usage.image)]
    fields = {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": usage.candidates,
        "thoughtsTokenCount": usage.thoughts,
        "totalTokenCount": usage.prompt + usage.candidates + usage.thoughts,
        "promptTokensDetails": by_modality(prompt),
        "candidatesTokensDetails": by_modality(answer),
    }
    if target.platform is Platform.VERTEX:
        fields["trafficType"] = TRAFFIC[target.service]
    elif target.service is not Service.BATCH:
        fields["serviceTier"] = target.service.value
    return {name: value for name, value in fields.items() if value}


def by_modality(counts: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """List the counts that are not zero."""
    return [{"modality": name, "tokenCount": count} for name, count in counts if count]
