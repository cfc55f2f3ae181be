from __future__ import annotations

from datetime import date

import pytest

from darkroom.registry import Model, Registry, Retired, Unknown

REGISTRY = Registry.load()


def test_the_default_model_is_nano_banana_2_1() -> None:
    assert REGISTRY.default_model == "gemini-nano-banana-2.1"


@pytest.mark.parametrize("name", list(REGISTRY.models))
def test_every_id_finds_its_own_model(name: str) -> None:
    found = REGISTRY.find(name)

    assert isinstance(found, Model)
    assert found.id == name


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("nano-banana-2.1", "gemini-nano-banana-2.1"),
        ("nano-banana-2", "gemini-3.1-flash-image"),
        ("Nano-Banana-Pro", "gemini-3-pro-image"),
        (" gemini-3-pro-image ", "gemini-3-pro-image"),
        ("models/gemini-3-pro-image", "gemini-3-pro-image"),
        ("publishers/google/models/gemini-3-pro-image", "gemini-3-pro-image"),
        ("google/gemini-2.5-flash-image", "gemini-2.5-flash-image"),
    ],
)
def test_an_alias_finds_the_model_it_stands_for(name: str, model_id: str) -> None:
    found = REGISTRY.find(name)

    assert isinstance(found, Model)
    assert found.id == model_id


@pytest.mark.parametrize(
    ("name", "successor"),
    [
        ("gemini-3.1-flash-image-preview", "gemini-3.1-flash-image"),
        ("gemini-3-pro-image-preview", "gemini-3-pro-image"),
        ("nano-banana-pro-preview", "gemini-3-pro-image"),
        ("imagen-4.0-ultra-generate-preview-06-06", "imagen-4.0-ultra-generate-001"),
    ],
)
def test_a_retired_name_names_its_successor(name: str, successor: str) -> None:
    found = REGISTRY.find(name)

    assert isinstance(found, Retired)
    assert found.successor == successor
    assert found.name in found.message


def test_a_retired_name_says_since_when() -> None:
    found = REGISTRY.find("gemini-3.1-flash-image-preview")

    assert isinstance(found, Retired)
    assert found.since == date(2026, 7, 17)
    assert "since 2026-07-17" in found.message


def test_a_misspelt_name_suggests_the_right_one_first() -> None:
    found = REGISTRY.find("gemini-nano-bananna-2.1")

    assert isinstance(found, Unknown)
    assert found.suggestions[0] == "gemini-nano-banana-2.1"


def test_a_name_like_nothing_suggests_nothing() -> None:
    assert REGISTRY.find("dall-e-3") == Unknown("dall-e-3", ())


def test_a_registry_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        REGISTRY.default_model = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        REGISTRY.models["other"] = REGISTRY.models["gemini-3-pro-image"]  # type: ignore[index]
