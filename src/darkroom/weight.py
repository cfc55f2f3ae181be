"""How large a request is on the wire, and how large a tier takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from darkroom.request import Reference, Request
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

_MB: Final = 1_000_000
_MOST_BYTES: Final[Mapping[Tier, int]] = MappingProxyType(
    {
        Tier.VERTEX_FLEX: 20 * _MB,  # Google, Agent Platform, Flex PayGo, 2026-10
        Tier.AISTUDIO: 100 * _MB,  # Google, Gemini API, changelog of 8 January 2026
    }
)
INLINE_BYTES: Final = 7 * _MB
"""Of one image within a request (Google, Agent Platform, model pages, 2026-10)."""
UPLOADED_BYTES: Final = 1 * _MB
"""From here a reference is uploaded once, where requests may point to it, and goes along with none.

An image that a request changes is its own: it goes along up to `INLINE_BYTES`.
"""
_POINTING: Final = frozenset({Tier.AISTUDIO, Tier.SIMULATOR})
_BY_BUCKET: Final = frozenset(
    {Tier.VERTEX, Tier.VERTEX_FLEX, Tier.VERTEX_PRIORITY, Tier.VERTEX_PROVISIONED}
)
_FRAME: Final = 8_192  # bytes; names of fields, parameters, addresses of references

_SMALLER: Final = 'make its references smaller (`references.policy = "fit"` does)'


def is_pointing(tier: Tier, settings: Settings) -> bool:
    """Whether requests of a tier point to larger images: then one may have 30 MB.

    On Vertex they can where a bucket for them is known.
    """
    if tier in _BY_BUCKET:
        return settings.staging is not None
    return tier.is_batch or tier in _POINTING


def heavy_hint(tier: Tier, settings: Settings) -> str:
    """What helps against a request that is too large for a tier."""
    if tier in _BY_BUCKET and not is_pointing(tier, settings):
        return (
            "Set staging_url (DARKROOM_STAGING_URL) to a bucket, through which an image may have "
            f"30 MB; or {_SMALLER}, or choose another tier."
        )
    return f"{_SMALLER.capitalize()}, put them into a bucket, or choose another tier."


def too_heavy(request: Request, tier: Tier, *, pointing: bool) -> str | None:
    """Say that a tier does not take a request so large; None: it does.

    Without `pointing` all its images go along. Raises OSError for a reference that is not there
    and whose size is not known.
    """
    if not request.all_pictures:
        return None
    if not pointing and (said := _too_large(request, tier)) is not None:
        return said
    most = _MOST_BYTES.get(tier)
    if most is None or (size := _bytes(request, pointing=pointing)) <= most:
        return None
    return f"The request has {size / _MB:.1f} MB, and {tier} takes {most / _MB:.0f} MB at most."


def _bytes(request: Request, *, pointing: bool) -> int:
    own = {each.image for each in request.history} | {request.canvas}
    sizes = [
        (_size(each), INLINE_BYTES if each in own else UPLOADED_BYTES)
        for each in request.all_pictures
        if not each.uri.startswith("gs://")
    ]
    along = [size for size, least in sizes if not pointing or size < least]
    in_base64 = sum(-(-size // 3) * 4 for size in along)
    return _FRAME + len(json.dumps(request.prompt)) + in_base64


def _too_large(request: Request, tier: Tier) -> str | None:
    """What goes along must be small, each for itself."""
    for each in request.all_pictures:
        if each.size is not None and each.size > INLINE_BYTES:
            name, size = Path(each.uri).name, each.size / _MB
            return f"{name} has {size:.1f} MB, and {tier} takes {INLINE_BYTES // _MB} MB an image."
    return None


def _size(reference: Reference) -> int:
    return Path(reference.uri).stat().st_size if reference.size is None else reference.size
