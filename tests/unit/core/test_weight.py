"""What a tier takes of references, by their sizes alone."""

from __future__ import annotations

import pytest

from darkroom.request import Reference, Request
from darkroom.weight import too_heavy
from darkroom_manifests.tier import Tier


def asking(count: int, size: int) -> Request:
    one = Reference("/somewhere/a.png", "image/png", sha256="0" * 64, size=size)
    return Request(prompt="p", references=(one,) * count)


@pytest.mark.parametrize(
    ("tier", "count", "size", "said"),
    [
        (Tier.AISTUDIO, 1, 7_000_000, None),
        (Tier.AISTUDIO, 14, 30_000_000, None),
        (Tier.SIMULATOR, 14, 30_000_000, None),
        (Tier.AISTUDIO, 100, 900_000, "100 MB at most"),
        (Tier.VERTEX, 14, 7_000_000, None),
        (Tier.VERTEX, 1, 7_000_001, "7 MB an image"),
        (Tier.VERTEX_FLEX, 3, 7_000_000, "20 MB at most"),
        (Tier.VERTEX_BATCH, 14, 30_000_000, None),
        (Tier.AISTUDIO_BATCH, 14, 30_000_000, None),
    ],
)
def test_references_are_weighed_for_the_tier_that_would_take_them(
    tier: Tier, count: int, size: int, said: str | None
) -> None:
    found = too_heavy(asking(count, size), tier)

    assert (found is None) == (said is None)
    assert (said or "") in (found or "")
