from __future__ import annotations

import math

import pytest

from darkroom.registry import Ask, Expected, Registry

REGISTRY = Registry.load()
NEWEST = "gemini-nano-banana-2.1"
FLASH = "gemini-3.1-flash-image"


@pytest.mark.parametrize(
    ("model", "ratio", "size", "expected"),
    [
        (NEWEST, "1:1", "1K", (1024, 1024, 1120)),
        (NEWEST, "4:5", "2K", (1856, 2304, 1680)),
        (NEWEST, "1:8", "4K", (1536, 12288, 3780)),
        (NEWEST, "21:9", "1K", (1584, 672, 1120)),
        (FLASH, "9:16", "512", (384, 688, 747)),
        (FLASH, "16:9", "4K", (5504, 3072, 2520)),
        ("gemini-3.1-flash-lite-image", "3:4", "1K", (896, 1200, 1120)),
        ("gemini-3-pro-image", "3:2", "2K", (2528, 1696, 1120)),
        ("gemini-3-pro-image", "1:1", "4K", (4096, 4096, 2000)),
        ("gemini-2.5-flash-image", "3:4", "1K", (864, 1184, 1290)),
        ("imagen-4.0-generate-001", "16:9", "2K", (2816, 1536, 0)),
        ("imagen-4.0-fast-generate-001", "9:16", "1K", (768, 1408, 0)),
    ],
)
def test_a_picture_has_the_pixels_and_tokens_google_lists(
    model: str, ratio: str, size: str, expected: tuple[int, int, int]
) -> None:
    picture = REGISTRY.expected(Ask(model=model, aspect_ratio=ratio, image_size=size))

    assert (picture.width, picture.height, picture.image_tokens) == expected


def test_without_wishes_a_picture_is_a_1k_square() -> None:
    assert REGISTRY.expected(Ask(model=NEWEST)) == Expected(
        width=1024, height=1024, image_tokens=1120
    )


def test_without_a_ratio_a_picture_follows_its_reference_so_its_pixels_are_unknown() -> None:
    picture = REGISTRY.expected(Ask(model=NEWEST, references=1, image_size="2K"))

    assert picture == Expected(width=None, height=None, image_tokens=1680)


def test_pixels_that_google_misprints_are_unknown() -> None:
    picture = REGISTRY.expected(Ask(model=FLASH, aspect_ratio="21:9", image_size="512"))

    assert picture == Expected(width=None, height=None, image_tokens=747)


@pytest.mark.parametrize("ask", [Ask(model="dall-e-3"), Ask(model=NEWEST, image_size="8K")])
def test_what_is_refused_cannot_be_expected(ask: Ask) -> None:
    with pytest.raises(LookupError):
        REGISTRY.expected(ask)


@pytest.mark.parametrize(
    ("model", "ratio", "size"),
    [
        (model.id, ratio, size)
        for model in REGISTRY.models.values()
        for ratio in model.ratios
        for size in model.sizes
    ],
)
def test_listed_pixels_have_the_ratio_they_stand_under(model: str, ratio: str, size: str) -> None:
    picture = REGISTRY.expected(Ask(model=model, aspect_ratio=ratio, image_size=size))
    wide, high = (int(side) for side in ratio.split(":"))

    known = picture.width is not None and picture.height is not None
    drift = math.log((picture.width or wide) * high / ((picture.height or high) * wide))

    assert known or (ratio, size) == ("21:9", "512")
    assert abs(drift) < 0.08  # Google rounds to its own blocks of pixels
