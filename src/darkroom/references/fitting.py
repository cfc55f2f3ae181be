"""Makes a large image small enough to be sent: always the same bytes of the same image."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageOps

from darkroom.references import heic

# Models look at references at far fewer pixels; 4K is what they draw at most.
_LONGEST_SIDE: Final = 4_096
_QUALITIES: Final = (92, 85, 75, 60)
_WHITE: Final = (255, 255, 255)


def fitted(data: bytes, most_bytes: int) -> bytes | None:
    """Write it as JPEG of at most so many bytes, upright, on white; None where it stays larger.

    Raises what Pillow raises, and ValueError for HEIC without the extra that decodes it.
    """
    with heic.opened(data) if heic.is_heic(data) else Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
        plain = _without_alpha(upright)
    plain.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    for quality in _QUALITIES:
        made = io.BytesIO()
        plain.save(made, "JPEG", quality=quality)
        if made.tell() <= most_bytes:
            return made.getvalue()
    return None


def _without_alpha(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    paper = Image.new("RGB", seen.size, _WHITE)
    paper.paste(seen, mask=seen.getchannel("A"))
    return paper
