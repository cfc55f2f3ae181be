"""Looks at received bytes: what they are, how large, whether they are whole. Never changes them."""

from __future__ import annotations

import hashlib
import io
from typing import Final

import msgspec
from PIL import Image

from darkroom.jobs.close import Picture

_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_EXTENSIONS: Final = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_MOST_PIXELS: Final = 64_000_000  # 4K at 8:1 has 19 million


class Damage(msgspec.Struct, frozen=True):
    """Why received bytes are no usable picture."""

    reason: str
    message: str


def examine(image: bytes, expected: tuple[int, int] | None) -> Picture | Damage:
    """Identify a picture by its bytes. `expected` is its width and height in pixels, if known.

    The header is parsed and the end is looked at, which finds a cut-off file; pixels are not
    decoded, which would cost more than the whole request.
    """
    try:
        with Image.open(io.BytesIO(image), formats=_FORMATS) as opened:
            kind, (width, height) = opened.format or "", opened.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning) as error:
        return Damage("UNDECODABLE", f"The image cannot be read: {error}")
    if width * height > _MOST_PIXELS:
        return Damage("WRONG_SIZE", f"The image claims {width}x{height} pixels.")
    if not _is_whole(image, kind):
        return Damage("TRUNCATED", f"The {kind} image is cut off after {len(image):,} bytes.")
    if expected is not None and (width, height) != expected:
        want = f"{expected[0]}x{expected[1]}"
        return Damage("WRONG_SIZE", f"The image has {width}x{height} pixels instead of {want}.")
    return Picture(
        sha256=hashlib.sha256(image).hexdigest(),
        bytes=len(image),
        mime=f"image/{kind.lower()}",
        extension=_EXTENSIONS[kind],
        width=width,
        height=height,
    )


def _is_whole(image: bytes, kind: str) -> bool:
    match kind:
        case "PNG":
            return b"IEND" in image[-16:]
        case "JPEG":
            return image.rstrip(b"\x00")[-2:] == b"\xff\xd9"
        case _:
            return int.from_bytes(image[4:8], "little") + 8 <= len(image) + 1
