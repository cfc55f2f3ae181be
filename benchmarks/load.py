"""The work that every side is given, and what it took: the same pictures, equally concurrent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

WARM: Final = 32  # images that every side renders before the clock starts
MODEL: Final = "gemini-3.1-flash-image"
ROOT: Final = Path(__file__).parents[1]
_AMBIENT: Final = ("DARKROOM_", "GOOGLE_", "GEMINI_")


class Load(msgspec.Struct, frozen=True):
    """Images to be had from a simulator, and how many may be asked for at a time."""

    url: str
    images: int
    concurrency: int


class Sample(msgspec.Struct, frozen=True):
    """What one run took: wall and CPU seconds of the timed images, without start-up."""

    images: int
    seconds: float
    cpu_seconds: float
    memory: list[tuple[int, float]] = []
    """Images done and megabytes held, as time went by."""
    peak_mb: float = 0.0
    """The most it ever held, by the kernel's own count."""
    ends: list[float] = []
    """When each image was there, in seconds and in order."""

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    def rate_amid(self, in_flight: int) -> float:
        """Images a second while so many were in flight: without the first round and the last."""
        span = self.ends[-in_flight - 1] - self.ends[in_flight - 1]
        return (self.images - 2 * in_flight) / span

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds an image."""
        return 1e3 * self.cpu_seconds / self.images


def prompt(number: int) -> str:
    """Describe picture `number`."""
    return f"A ceramic mug, number {number}, on a walnut table in soft morning light"


def clean_environment(**own: str) -> dict[str, str]:
    """Take the environment without what would steer Darkroom or the SDK elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_AMBIENT)}
    return {**kept, "NO_GCE_CHECK": "true", **own}
