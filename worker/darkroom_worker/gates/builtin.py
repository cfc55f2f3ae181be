"""The gates that come along."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageStat

from darkroom_manifests.asked import WHITE
from darkroom_worker.gates.gate import Candidate

# A flat 1K image has 0.003 bytes a pixel as PNG and 0.02 as JPEG; a drawn one 0.1 to 1.6. Only what
# is suspiciously small is decoded: an image costs no more for this gate than a division.
_SUSPICIOUS: Final = 0.1
_LEAST_DEVIATION: Final = 2.0  # of 255, of the channel that differs most
_NEARLY_WHITE: Final = 245
_OF_BORDER: Final = 0.97  # share of the outermost pixels that must be so


def blank(candidate: Candidate) -> str | None:
    """Stop what is one colour all over."""
    if candidate.bytes_per_pixel > _SUSPICIOUS:
        return None
    deviation = max(ImageStat.Stat(candidate.thumbnail).stddev)
    if deviation >= _LEAST_DEVIATION:
        return None
    return f"It is one colour all over (deviation {deviation:.1f} of 255)."


def whole(candidate: Candidate) -> str | None:
    """Stop what cannot be decoded to its last pixel. Of a JPEG, decoders forgive much."""
    try:
        with Image.open(io.BytesIO(candidate.data)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        return f"It cannot be decoded to its end: {error}"
    return None


def white_border(candidate: Candidate) -> str | None:
    """Stop what is not on white, as shops want their products."""
    small = candidate.thumbnail
    width, height = small.size
    edges = [(0, 0, width, 1), (0, height - 1, width, height)]
    edges += [(0, 0, 1, height), (width - 1, 0, width, height)]
    pixels = [min(pixel) for box in edges for pixel in _pixels(small.crop(box))]
    share = sum(least >= _NEARLY_WHITE for least in pixels) / len(pixels)
    return None if share >= _OF_BORDER else f"Only {share:.0%} of its border is white."


def white_where_asked(candidate: Candidate) -> str | None:
    """Stop what is not on white although its row says so."""
    return white_border(candidate) if candidate.background == WHITE else None


def _pixels(image: Image.Image) -> list[tuple[int, ...]]:
    data = image.tobytes()
    return [tuple(data[at : at + 3]) for at in range(0, len(data), 3)]
