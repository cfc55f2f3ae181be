"""What images may cost before they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from darkroom.registry.ask import Ask
from darkroom.registry.model import Beside, Model, Thinking
from darkroom.registry.price import Estimate, Price, Usage

# A rule of thumb for Latin script (Google, Gemini API, Count tokens, 2025). The reservation takes a
# token a character instead, since other scripts come near that; FRAME is what a request adds.
CHARS_PER_TOKEN: Final = 4
FRAME: Final = 64
# Queries of a request for each thing that it may search. Our own estimate: Google publishes none.
SEARCHES: Final = Beside(typical=1, high=4)


class Load(msgspec.Struct, gc=False):
    """How many images, and the words of all their prompts together."""

    images: int = 0
    prompt_tokens: int = 0
    prompt_chars: int = 0

    @classmethod
    def of(cls, prompt_chars: int) -> Load:
        """One image."""
        return cls(1, tokens_of(prompt_chars), prompt_chars)

    def add(self, images: int, prompt_chars: int) -> None:
        """Count images that have the same prompt."""
        self.images += images
        self.prompt_tokens += images * tokens_of(prompt_chars)
        self.prompt_chars += images * prompt_chars

    def merge(self, other: Load) -> None:
        """Count other images in."""
        self.images += other.images
        self.prompt_tokens += other.prompt_tokens
        self.prompt_chars += other.prompt_chars

    def part(self, images: int) -> Load:
        """So many of the images, with their share of the words."""
        if images == self.images:
            return self
        shares = (self.prompt_tokens, self.prompt_chars)
        return Load(images, *(words * images // self.images for words in shares))


def tokens_of(chars: int) -> int:
    """About how many tokens of a prompt so many characters are."""
    return -(-chars // CHARS_PER_TOKEN)


class Tariff(msgspec.Struct, frozen=True):
    """What images cost that are alike in everything but their prompts.

    `others` are price lists that may come to count instead of `price`; `typical` and `most` are the
    tokens that come beside an image; `searches` and `most_searches` the queries before it.
    """

    price: Price
    others: tuple[Price, ...]
    pictures: int
    image_tokens: int
    typical: int
    most: int
    searches: int = 0
    most_searches: int = 0

    def of(self, load: Load) -> Estimate:
        """Low: images and prompts. Likely: with thoughts and queries. High: what to reserve."""
        words, images = load.prompt_tokens, load.images
        longest = load.prompt_chars + FRAME * images
        most = self._usage(images, longest, self.most, self.most_searches)
        likely = self._usage(images, words, self.typical, self.searches)
        return Estimate(
            low=self.price.charge(self._usage(images, words, 0), images),
            likely=self.price.charge(likely, images),
            high=max(each.charge(most, images) for each in (self.price, *self.others)),
            version=self.price.version,
        )

    def _usage(self, images: int, words: int, beside: int, searches: int = 0) -> Usage:
        pictures = self.pictures * images
        return Usage(
            prompt_tokens=words + pictures,
            input_image_tokens=pictures,
            image_tokens=self.image_tokens * images,
            thought_tokens=beside * images,
            searches=searches * images,
        )


def tariff(model: Model, ask: Ask, price: Price, others: Iterable[Price]) -> Tariff:
    """Take from the model what the images of this ask have in common."""
    beside, kinds = _beside(model, ask), len(ask.searches)
    return Tariff(
        price,
        tuple(others),
        pictures=ask.references * model.input_image_tokens,
        image_tokens=model.sizes[ask.image_size or model.default_size],
        typical=beside.typical,
        most=beside.high,
        searches=SEARCHES.typical * kinds,
        most_searches=SEARCHES.high * kinds,
    )


def _beside(model: Model, ask: Ask) -> Beside:
    level = model.default_thinking if ask.thinking is None else Thinking(ask.thinking)
    return model.beside if level is None else model.thinking[level]
