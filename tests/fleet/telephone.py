"""Pictures as telephones make them: HEIC and HEIF, for tests."""

from __future__ import annotations

import io

import pillow_heif
from PIL import ExifTags, Image


def heic(width: int = 64, height: int = 48, colour: str = "red") -> bytes:
    """Make a picture of one colour."""
    return written(Image.new("RGB", (width, height), colour))


def written(image: Image.Image, orientation: int = 1) -> bytes:
    """Write an image as HEIC; telephones say how it was held by EXIF's numbers."""
    file = pillow_heif.from_pillow(image)
    held = Image.Exif()
    held[ExifTags.Base.Orientation] = orientation
    file.info["exif"] = held.tobytes()
    target = io.BytesIO()
    file.save(target, quality=60)
    return target.getvalue()
