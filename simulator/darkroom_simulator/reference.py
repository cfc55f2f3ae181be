"""Reference images: what may be sent, and the shape the answer takes after them."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterable
from typing import Any

from PIL import Image, UnidentifiedImageError

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
INLINE_LIMIT = 7 << 20  # bytes of an inline image; Google, model pages, October 2026


def is_image(part: dict[str, Any]) -> bool:
    """Tell a reference image from text, video and documents."""
    media = part.get("inlineData") or part.get("fileData") or {}
    return str(media.get("mimeType", "")).startswith("image/")


def image_refused(part: dict[str, Any]) -> str | None:
    """Check one reference image's type and size."""
    media = part.get("inlineData") or part["fileData"]
    if media["mimeType"] not in IMAGE_TYPES:
        return f"Unsupported MIME type: {media['mimeType']}"
    if len(media.get("data", b"")) > INLINE_LIMIT:
        return "The image is larger than the inline limit of 7 MB."
    return None


def hashes_of(parts: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Name the images that came within a request by their bytes, in their order."""
    datas = [part["inlineData"].get("data", b"") for part in parts if "inlineData" in part]
    return tuple(hashlib.sha256(data).hexdigest() for data in datas)


def followed(parts: Iterable[dict[str, Any]], ratios: Iterable[str]) -> str:
    """Choose the ratio of a request that names none: the first readable image's, else square."""
    for part in filter(is_image, parts):
        data = part.get("inlineData", {}).get("data", b"")
        try:
            width, height = Image.open(io.BytesIO(data)).size
        except (UnidentifiedImageError, Image.DecompressionBombError):
            continue
        return min(ratios, key=lambda ratio: abs(math.log(width / height / share(ratio))))
    return "1:1"


def share(ratio: str) -> float:
    """Turn `16:9` into a number."""
    width, _, height = ratio.partition(":")
    return int(width) / int(height)
