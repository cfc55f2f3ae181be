"""The tiers that the worker has a backend for; nothing else is ever planned or offered."""

from __future__ import annotations

from typing import Final

from darkroom_manifests.tier import Tier

SERVED: Final = (
    Tier.AISTUDIO,
    Tier.AISTUDIO_BATCH,
    Tier.VERTEX,
    Tier.VERTEX_FLEX,
    Tier.VERTEX_PRIORITY,
    Tier.VERTEX_PROVISIONED,
    Tier.VERTEX_BATCH,
    Tier.IMAGEN,
    Tier.PROXY,
    Tier.SIMULATOR,
    Tier.SIMULATOR_BATCH,
)
"""In the order in which equals are chosen."""
