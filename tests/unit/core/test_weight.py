"""What a tier takes of references, by their sizes alone."""

from __future__ import annotations

from typing import Any

import pytest

from darkroom.request import Reference, Request
from darkroom.settings import Settings
from darkroom.weight import heavy_hint, is_pointing, too_heavy
from darkroom_manifests.tier import Tier

BUCKET = {"staging_url": "gs://stage/desk"}


def asking(count: int, size: int) -> Request:
    one = Reference("/somewhere/a.png", "image/png", sha256="0" * 64, size=size)
    return Request(prompt="p", references=(one,) * count)


@pytest.mark.parametrize(
    ("tier", "told", "count", "size", "said"),
    [
        (Tier.AISTUDIO, {}, 1, 7_000_000, None),
        (Tier.AISTUDIO, {}, 14, 30_000_000, None),
        (Tier.SIMULATOR, {}, 14, 30_000_000, None),
        (Tier.AISTUDIO, {}, 100, 900_000, "100 MB at most"),
        (Tier.VERTEX, {}, 14, 7_000_000, None),
        (Tier.VERTEX, {}, 1, 7_000_001, "7 MB an image"),
        (Tier.VERTEX, BUCKET, 14, 30_000_000, None),
        (Tier.VERTEX_PRIORITY, BUCKET, 14, 30_000_000, None),
        (Tier.VERTEX_PROVISIONED, BUCKET, 14, 30_000_000, None),
        (Tier.VERTEX, {"storage_url": "gs://shop/images"}, 14, 30_000_000, None),
        (Tier.VERTEX_FLEX, {}, 3, 7_000_000, "20 MB at most"),
        (Tier.VERTEX_FLEX, BUCKET, 14, 30_000_000, None),
        (Tier.VERTEX_FLEX, BUCKET, 17, 900_000, "20 MB at most"),
        (Tier.PROXY, BUCKET, 1, 7_000_001, "7 MB an image"),
        (Tier.VERTEX_BATCH, {}, 14, 30_000_000, None),
        (Tier.AISTUDIO_BATCH, {}, 14, 30_000_000, None),
    ],
)
def test_references_are_weighed_for_the_tier_that_would_take_them(
    tier: Tier, told: dict[str, Any], count: int, size: int, said: str | None
) -> None:
    pointing = is_pointing(tier, Settings.model_validate(told))

    found = too_heavy(asking(count, size), tier, pointing=pointing)

    assert (found is None) == (said is None)
    assert (said or "") in (found or "")


@pytest.mark.parametrize(
    ("tier", "told", "times"),
    [(Tier.VERTEX, {}, 1), (Tier.VERTEX, BUCKET, 0), (Tier.PROXY, {}, 0)],
)
def test_a_bucket_is_advised_where_it_would_help(
    tier: Tier, told: dict[str, str], times: int
) -> None:
    hint = heavy_hint(tier, Settings.model_validate(told))

    assert hint.count("DARKROOM_STAGING_URL") == times
    assert "fit" in hint
