"""How large a request is on the wire, and how large a tier takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from darkroom.request import Reference, Request
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
_FRAME: Final = 8_192  # bytes; names of fields, parameters, addresses of references

HEAVY_HINT: Final = (
    'Make its references smaller (`references.policy = "fit"` does), put them into a bucket, or '
    "choose another tier."
)


def too_heavy(request: Request, tier: Tier) -> str | None:
    """Say that a tier does not take a request so large; None: it does.

    Raises OSError for a reference that is not there and whose size is not known.
    """
    if not request.all_pictures:
        return None
    is_pointing = tier.is_batch or tier in _POINTING
    if not is_pointing and (said := _too_large(request, tier)) is not None:
        return said
    most = _MOST_BYTES.get(tier)
    if most is None or (size := _bytes(request, tier)) <= most:
        return None
    return f"The request has {size / _MB:.1f} MB, and {tier} takes {most / _MB:.0f} MB at most."


def _bytes(request: Request, tier: Tier) -> int:
    own = {each.image for each in request.history} | {request.canvas}
    sizes = [
        (_size(each), INLINE_BYTES if each in own else UPLOADED_BYTES)
        for each in request.all_pictures
        if not each.uri.startswith("gs://")
    ]
    along = [size for size, least in sizes if tier not in _POINTING or size < least]
    in_base64 = sum(-(-size // 3) * 4 for size in along)
    return _FRAME + len(json.dumps(request.prompt)) + in_base64


def _too_large(request: Request, tier: Tier) -> str | None:
    """Batches point to their images; other requests hold them."""
    for each in request.all_pictures:
        if each.size is not None and each.size > INLINE_BYTES:
            name, size = Path(each.uri).name, each.size / _MB
            return f"{name} has {size:.1f} MB, and {tier} takes {INLINE_BYTES // _MB} MB an image."
    return None


def _size(reference: Reference) -> int:
    return Path(reference.uri).stat().st_size if reference.size is None else reference.size
