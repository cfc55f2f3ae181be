"""What a gate is given, and what it says."""

from __future__ import annotations

import io
from functools import cached_property
from typing import Final, Protocol

from PIL import Image

_SIDE: Final = 64


class Candidate:
    """One delivered image. Nothing of it is decoded before a gate asks for it.

    `background` is what its row says that it is to stand on: "white", or None.
    """

    def __init__(
        self, data: bytes, width: int, height: int, prompt: str, background: str | None = None
    ) -> None:
        self.data = data
        self.width = width
        self.height = height
        self.prompt = prompt
        self.background = background

    @cached_property
    def thumbnail(self) -> Image.Image:
        """The image in RGB, its longer side at most 64 pixels. Raises what Pillow raises."""
        with Image.open(io.BytesIO(self.data)) as image:
            image.draft("RGB", (_SIDE * 2, _SIDE * 2))
            small = image.convert("RGB")
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
        return small

    @property
    def bytes_per_pixel(self) -> float:
        """How much the file needed for a pixel: next to nothing is nothing to see."""
        return len(self.data) / (self.width * self.height)


class Gate(Protocol):
    """Lets an image pass, or says in a sentence why not. Called in threads, many at once."""

    def __call__(self, candidate: Candidate, /) -> str | None:
        """Judge one image; None lets it pass."""
        ...
