"""The shape of a picture as people write it; what a model offers is not judged here."""

from __future__ import annotations

import re
from math import log
from typing import Final

import msgspec

from darkroom_manifests.problem import Code, Fault, quote

SIZES: Final = ("512", "1K", "2K", "4K")
_BY_PIXELS: Final = {512: "512", 1024: "1K", 2048: "2K", 4096: "4K"}
# Google, Gemini API, Image generation, size table, 2026-10: every ratio that a model draws.
RATIOS: Final = tuple(
    "1:1 1:4 1:8 2:3 3:2 3:4 4:1 4:3 4:5 5:4 8:1 9:16 16:9 21:9".split()  # noqa: SIM905  # to read
)
_NEAR_RATIO: Final = 0.04  # of the logarithm; Gemini's published pixels are off by 0.028 at most
_NEAR_SIZE: Final = 0.3  # same, of a square's side; halfway between two sizes is 0.35
_ALIKE: Final = 0.4  # same, of either: what may be asked back
_SPELLED: Final = {"0.5K": "512", "512PX": "512"} | {s: s for s in SIZES}
RATIO: Final = "[1-9][0-9]?:[1-9][0-9]?"
_RATIO: Final = re.compile(RATIO, re.ASCII)
_RATIO_MEANT: Final = re.compile(
    r"0?([1-9][0-9]?)\s*[:x×/*∶：_-]\s*0?([1-9][0-9]?)(:00)?",  # noqa: RUF001  # as typed abroad
    re.ASCII | re.IGNORECASE,
)
_PIXELS: Final = re.compile(r"([0-9]{1,5})(?:[xX]([0-9]{1,5}))?", re.ASCII)
_PIXELS_MEANT: Final = re.compile(r"([0-9]{1,5})\s*[*×x,]\s*([0-9]{1,5})", re.IGNORECASE)  # noqa: RUF001  # same


class Size(msgspec.Struct, frozen=True):
    """A size, and the ratio it was written with if it was written as width and height."""

    name: str
    ratio: str | None = None


def ratio(text: str) -> str | Fault:
    """Read "4:5"; a spreadsheet may have made the time "04:05:00" of it."""
    if _RATIO.fullmatch(text):
        return text
    meant = _RATIO_MEANT.fullmatch(text)
    hint = f"Did you mean {meant[1]}:{meant[2]}?" if meant else "Write it as 4:5."
    return Fault(Code.RATIO_SYNTAX, f"{quote(text)} is not W:H.", hint)


def size(text: str) -> Size | Fault:
    """Read "1K", "1024", or width and height: "1376x768" is 1K at 16:9."""
    spelled = _SPELLED.get(text.upper())
    if spelled:
        return Size(spelled)
    pixels = _PIXELS.fullmatch(text)
    if pixels:
        return from_pixels(int(pixels[1]), int(pixels[2])) if pixels[2] else _square(text)
    return Fault(Code.SIZE_SYNTAX, f"{quote(text)} is not an image size.", _size_hint(text))


def _square(text: str) -> Size | Fault:
    name = _BY_PIXELS.get(int(text))
    return Size(name) if name else _no_size(text, f"Sizes are {', '.join(SIZES)}.")


def from_pixels(width: int, height: int) -> Size | Fault:
    """Find the size and the ratio that are meant; the model's own pixels may be a few others."""
    written = f"{width}x{height}"
    if not (width and height):
        return _no_size(written, f"Sizes are {', '.join(SIZES)}.")
    ratio, off_ratio = _nearest(log(width / height), _RATIO_LOGS)
    name, off_size = _nearest(log(width * height) / 2, _SIZE_LOGS)
    if off_ratio <= _NEAR_RATIO and off_size <= _NEAR_SIZE:
        return Size(name, ratio)
    if max(off_ratio, off_size) > _ALIKE:
        return _no_size(written, f"Sizes are {', '.join(SIZES)}; ratios are {', '.join(RATIOS)}.")
    return _no_size(written, f"Did you mean {name} with the aspect ratio {ratio}?")


def _nearest(value: float, known: dict[str, float]) -> tuple[str, float]:
    name = min(known, key=lambda each: abs(known[each] - value))
    return name, abs(known[name] - value)


_SIZE_LOGS: Final = {name: log(side) for side, name in _BY_PIXELS.items()}
_RATIO_LOGS: Final = {
    ratio: log(int(width) / int(height)) for ratio in RATIOS for width, height in [ratio.split(":")]
}


def _no_size(written: str, hint: str) -> Fault:
    return Fault(Code.SIZE_SYNTAX, f'"{written}" is not an image size.', hint)


def _size_hint(text: str) -> str:
    meant = _PIXELS_MEANT.fullmatch(text)
    if meant:
        return f"Did you mean {meant[1]}x{meant[2]}?"
    joined = text.upper().replace(" ", "").removesuffix("PX")
    if joined in _SPELLED:
        return f"Did you mean {_SPELLED[joined]}?"
    return f"Sizes are {', '.join(SIZES)}."
