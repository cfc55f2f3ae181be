"""Decodes HEIC and HEIF, the pictures of telephones, where the extra `heic` is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from PIL import Image

from darkroom.request import Request
from darkroom_manifests.tier import Tier

TYPES: Final = frozenset({"image/heic", "image/heif"})
INSTALL: Final = 'pip install "darkroom-render[heic]"'
REMEDY: Final = f"Convert it to JPEG, or let Darkroom do it: {INSTALL}."


def is_installed() -> bool:
    """Whether HEIC can be decoded here."""
    return find_spec("pillow_heif") is not None


def is_heic(data: bytes) -> bool:
    """Whether bytes begin as HEIC does."""
    return data[4:8] == b"ftyp"


def opened(data: bytes) -> Image.Image:
    """Decode the main image, upright. Raises OSError, and ValueError without the extra."""
    if not is_installed():
        raise ValueError(f"HEIC is not decoded here. {REMEDY}")
    import pillow_heif  # noqa: PLC0415  # an extra

    try:
        return pillow_heif.open_heif(data).to_pillow()
    except Exception as error:  # libheif says ValueError, RuntimeError, EOFError and more
        raise OSError(str(error)) from error


def unreadable(request: Request, tier: Tier) -> str | None:
    """Say that a tier takes no HEIC, and nothing here converts it; None: it is well.

    Gemini's models read HEIC themselves (Google, Agent Platform, model pages, 2026-10). OpenAI's
    image endpoints take PNG, JPEG and WebP (OpenAI, Images API), so proxies are sent JPEG.
    """
    if tier is not Tier.PROXY or is_installed():
        return None
    if any(each.mime in TYPES for each in request.all_pictures):
        return f"{tier} takes no HEIC, and the extra `heic`, which converts it, is missing."
    return None
