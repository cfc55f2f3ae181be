from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

import msgspec

from darkroom.registry import ModelRow, Registry, Status, rows
from darkroom_manifests.tier import Provider, Tier

REGISTRY = Registry.load()
TODAY = date(2026, 11, 22)
NEWEST = "gemini-nano-banana-2.1"
FLASH = "gemini-3.1-flash-image"


def row(name: str, on: date = TODAY) -> ModelRow:
    (found,) = (row for row in rows(REGISTRY, on) if row.id == name)
    return found


def test_every_model_has_a_row_with_the_default_first_and_the_dead_last() -> None:
    found = rows(REGISTRY, TODAY)

    assert {row.id for row in found} == set(REGISTRY.models)
    assert found[0].id == NEWEST
    assert [row.default for row in found] == [True] + [False] * (len(found) - 1)
    assert all(row.id.startswith("imagen") for row in found[-3:])


def test_a_row_prices_each_size_on_each_tier_that_answers() -> None:
    assert row(NEWEST).image_nusd == {
        Tier.AISTUDIO: {"1K": 33_600_000, "2K": 50_400_000, "4K": 113_400_000},
        Tier.AISTUDIO_BATCH: {"1K": 16_800_000, "2K": 25_200_000, "4K": 56_700_000},
        Tier.VERTEX: {"1K": 33_600_000, "2K": 50_400_000, "4K": 113_400_000},
        Tier.VERTEX_PRIORITY: {"1K": 60_480_000, "2K": 90_720_000, "4K": 204_120_000},
        Tier.VERTEX_BATCH: {"1K": 16_800_000},
    }


def test_a_row_shows_no_price_where_the_model_is_gone() -> None:
    tiers = row(FLASH).image_nusd

    assert Tier.AISTUDIO not in tiers
    assert tiers[Tier.VERTEX_FLEX]["4K"] == 75_600_000


def test_a_row_tells_where_the_model_stands_at_each_provider() -> None:
    standing = row(FLASH).standing

    assert standing[Provider.AISTUDIO].status is Status.GONE
    assert standing[Provider.AISTUDIO].since == date(2026, 10, 29)
    assert standing[Provider.AISTUDIO].successor == NEWEST
    assert standing[Provider.VERTEX].status is Status.GA
    assert standing[Provider.VERTEX].lives_until_at_least == date(2027, 5, 28)


def test_the_table_of_another_day_shows_that_day() -> None:
    in_october = row(FLASH, date(2026, 10, 10))
    before = row(NEWEST, date(2026, 10, 5))

    assert in_october.standing[Provider.AISTUDIO].status is Status.DEPRECATED
    assert in_october.standing[Provider.AISTUDIO].since == date(2026, 10, 6)
    assert in_october.image_nusd[Tier.AISTUDIO]["1K"] == 67_200_000
    assert before.standing[Provider.VERTEX].status is Status.UNRELEASED
    assert before.image_nusd == {}


def test_imagen_had_one_price_for_all_sizes_while_it_lived() -> None:
    found = row("imagen-4.0-generate-001", date(2026, 6, 1))

    assert found.image_nusd == {Tier.IMAGEN: {"1K": 40_000_000, "2K": 40_000_000}}


def test_the_table_is_json() -> None:
    plain = msgspec.to_builtins(rows(REGISTRY, TODAY))

    assert json.loads(json.dumps(plain))[0]["image_nusd"]["vertex"]["1K"] == 33_600_000


def test_importing_the_registry_imports_nothing_heavy() -> None:
    code = (
        "import sys, darkroom.registry;"
        "print({'sqlalchemy', 'google.genai', 'pydantic', 'celery'} & sys.modules.keys())"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )

    assert printed.stdout.strip() == "set()"
