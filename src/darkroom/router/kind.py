"""What many renders have in common, so that one judgement serves for all of them."""

from __future__ import annotations

from typing import Self

import msgspec

from darkroom.registry import Ask
from darkroom.request import Request
from darkroom_manifests.tier import TierChoice

_GIVEN = "given"


class Kind(msgspec.Struct, frozen=True):
    """All that decides where an image can be made and what it costs, but for its prompt.

    `ask` has no prompt, and tells of a seed and a negative prompt only that there is one, so that
    a manifest has few kinds. `in_bucket`: a reference is a `gs://` address.
    """

    ask: Ask
    choice: TierChoice
    in_bucket: bool = False

    @classmethod
    def of(cls, request: Request, model: str, choice: TierChoice) -> Self:
        """Leave out what makes each request another."""
        ask = Ask(
            model=model,
            aspect_ratio=request.aspect_ratio,
            image_size=request.image_size,
            seed=None if request.seed is None else 0,
            temperature=request.temperature,
            thinking=request.thinking,
            negative_prompt=None if request.negative_prompt is None else _GIVEN,
            references=len(request.references),
        )
        return cls(ask, choice, any(one.uri.startswith("gs://") for one in request.references))

    def rough(self) -> Self:
        """The kind to count it under: each row may have a temperature of its own."""
        warmth = self.ask.temperature
        if warmth is None:
            return self
        ask = msgspec.structs.replace(self.ask, temperature=round(warmth, 1))
        return msgspec.structs.replace(self, ask=ask)
