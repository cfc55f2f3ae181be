"""How large a request is on the wire, and how large a tier takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from darkroom.request import Request
from darkroom_manifests.tier import Tier

_MB: Final = 1_000_000
_MOST_BYTES: Final[Mapping[Tier, int]] = MappingProxyType(
    {Tier.VERTEX_FLEX: 20 * _MB}  # Google, Agent Platform, Flex PayGo, 2026-10
)
_FRAME: Final = 8_192  # bytes; names of fields, parameters, addresses of references


def too_heavy(request: Request, tier: Tier) -> str | None:
    """Say that a tier does not take a request so large; None: it does.

    Looks at the size of each reference. Raises OSError for one that is not there.
    """
    most = _MOST_BYTES.get(tier)
    if most is None or (size := _bytes(request)) <= most:
        return None
    return f"The request has {size / _MB:.1f} MB, and {tier} takes {most / _MB:.0f} MB at most."


def _bytes(request: Request) -> int:
    sizes = [
        Path(each.uri).stat().st_size
        for each in request.references
        if not each.uri.startswith("gs://")
    ]
    in_base64 = sum(-(-size // 3) * 4 for size in sizes)
    return _FRAME + len(json.dumps(request.prompt)) + in_base64
