"""What many renders have in common, so that one judgement serves for all of them."""

from __future__ import annotations

from typing import Self

import msgspec

from darkroom.registry import Ask
from darkroom.request import Request
from darkroom_manifests.tier import TierChoice

_GIVEN = "given"
_SEED = 1
_LARGEST_SEED = 2**31 - 1


class Kind(msgspec.Struct, frozen=True, gc=False):
    """All that decides where an image can be made and what it costs, but for its prompt.

    `ask` has no prompt, and tells of a seed and a negative prompt only that there is one, so that
    a manifest has few kinds; a seed that is out of Google's range is told as it is.
    `in_bucket`: a reference is a `gs://` address. `goes_on`: it is not the first turn of its row.
    `before` is how many images must be made, one after the other, until it can be.
    `told` are the names of what is wished beside it, with `ask.` or `job.` before those of the job
    and `gemini.` before those of the settings.
    """

    ask: Ask
    choice: TierChoice
    in_bucket: bool = False
    goes_on: bool = False
    before: int = 0
    told: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        request: Request,
        model: str,
        choice: TierChoice,
        before: int = 0,
        *,
        told: tuple[str, ...] | None = None,
    ) -> Self:
        """Leave out what makes each request another. Without `told`, the row has told it all."""
        wishes = request.wishes
        ask = Ask(
            model=model,
            aspect_ratio=request.aspect_ratio,
            image_size=request.image_size,
            seed=_told(request.seed),
            temperature=request.temperature,
            thinking=request.thinking,
            negative_prompt=None if request.negative_prompt is None else _GIVEN,
            references=len(request.references) + request.shown,
            grounding=None if wishes is None else wishes.grounding,
        )
        in_bucket = any(one.uri.startswith("gs://") for one in request.references)
        if told is None:
            told = () if wishes is None else wishes.told
            told += ("labels",) if request.must_label else ()
        return cls(ask, choice, in_bucket, request.turn > 0, before, told)

    def rough(self) -> Self:
        """The kind to count it under: each row may have a temperature of its own."""
        warmth = self.ask.temperature
        if warmth is None:
            return self
        ask = msgspec.structs.replace(self.ask, temperature=round(warmth, 1))
        return msgspec.structs.replace(self, ask=ask)


def _told(seed: int | None) -> int | None:
    """One seed for all that are usual."""
    return _SEED if seed is not None and _SEED <= seed <= _LARGEST_SEED else seed
