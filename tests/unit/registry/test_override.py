from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from darkroom.registry import Ask, Price, Reason, Registry, RegistryError
from darkroom_manifests.tier import Tier

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEWEST = "gemini-nano-banana-2.1"

NEW_PRICE = """
[[prices]]
model = "gemini-nano-banana-2.1"
providers = ["vertex"]
level = "standard"
valid_from = {valid_from}
text_in = "1"
text_out = "5"
image_out = "20"
source = "our contract"
checked = 2026-11-01
"""


def registry(folder: Path, text: str) -> Registry:
    path = folder / "registry.toml"
    path.write_text(text, "utf-8")
    return Registry.load(path)


def price(found: Registry, tier: Tier, at: datetime = NOW) -> Price:
    listed = found.price(NEWEST, tier, at)
    assert listed is not None
    return listed


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert registry(tmp_path, "").models == Registry.load().models


def test_one_fact_of_a_model_can_be_replaced(tmp_path: Path) -> None:
    found = registry(
        tmp_path, '[models."gemini-3.1-flash-image".offers.aistudio]\ngone = 2027-01-01\n'
    )
    ask = Ask(model="gemini-3.1-flash-image")

    assert found.problems(ask, Tier.AISTUDIO, date(2026, 11, 22)) == []
    assert found.models[NEWEST] == Registry.load().models[NEWEST]


def test_the_default_model_can_be_replaced(tmp_path: Path) -> None:
    found = registry(tmp_path, 'default_model = "gemini-3-pro-image"\n')

    assert found.default_model == "gemini-3-pro-image"


def test_a_price_of_the_same_day_replaces_ours(tmp_path: Path) -> None:
    found = registry(tmp_path, NEW_PRICE.format(valid_from="2026-10-06"))

    assert price(found, Tier.VERTEX).image_out == 20_000
    assert price(found, Tier.AISTUDIO).image_out == 30_000


def test_a_price_of_a_later_day_counts_from_that_day(tmp_path: Path) -> None:
    found = registry(tmp_path, NEW_PRICE.format(valid_from="2026-12-01"))

    assert price(found, Tier.VERTEX).image_out == 30_000
    assert price(found, Tier.VERTEX, datetime(2026, 12, 1, tzinfo=UTC)).image_out == 20_000


def test_a_price_that_ends_gives_way_to_the_one_before(tmp_path: Path) -> None:
    found = registry(tmp_path, NEW_PRICE.format(valid_from="2026-11-01\nvalid_until = 2026-11-22"))

    assert price(found, Tier.VERTEX, datetime(2026, 11, 21, tzinfo=UTC)).image_out == 20_000
    assert price(found, Tier.VERTEX).image_out == 30_000


def test_a_price_is_versioned_by_the_day_it_was_checked(tmp_path: Path) -> None:
    found = registry(tmp_path, NEW_PRICE.format(valid_from="2026-10-06"))

    assert price(found, Tier.VERTEX).version == "2026-11-01"


def test_a_proxy_can_be_given_its_price(tmp_path: Path) -> None:
    found = registry(
        tmp_path,
        f"""
        [[prices]]
        model = "{NEWEST}"
        providers = ["proxy"]
        level = "standard"
        valid_from = 2026-10-06
        per_image = "0.05"
        source = "the proxy's price list"
        checked = 2026-11-22
        """,
    )

    assert price(found, Tier.PROXY).per_image == 50_000_000


def test_a_new_model_can_be_added(tmp_path: Path) -> None:
    found = registry(
        tmp_path,
        """
        [models.House-Model]
        title = "House model"
        family = "gemini"
        default_size = "1K"
        sizes = { 1K = 1000 }
        ratios = ["1:1"]
        pixels = "gemini-3"
        source = "our own"
        checked = 2026-11-22
        [models.House-Model.offers.aistudio]
        ga = 2026-11-01
        levels = ["standard"]
        output = "image/png"
        source = "our own"
        checked = 2026-11-22
        """,
    )

    assert found.problems(Ask(model="house-model"), Tier.AISTUDIO, date(2026, 11, 22)) == []
    assert [
        refusal.code
        for refusal in found.problems(Ask(model="house-model"), Tier.VERTEX, date(2026, 11, 22))
    ] == [Reason.MODEL_NOT_SERVED]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("colour = 1\n", "colour"),
        (f'[models."{NEWEST}"]\nmax_refs = 3\n', f"models.{NEWEST}"),
        (f'[models."{NEWEST}"]\nmax_refs = 3\n', "max_refs"),
        ('[models."new"]\ntitle = "New"\n', "models.new"),
        (f'[models."{NEWEST}".offers.azure]\nga = 2026-01-01\n', "azure"),
        (f'[models."{NEWEST}"]\npixels = "gemini-9"\n', "gemini-9"),
        (f'[models."{NEWEST}"]\ndefault_size = "8K"\n', "8K"),
        (f'[models."{NEWEST}"]\ndefault_thinking = "low"\n', "default_thinking"),
        (f'[models."{NEWEST}".offers.vertex]\nbatch_sizes = ["8K"]\n', "8K"),
        (f'[models."{NEWEST}".offers.vertex]\nsuccessor = "gpt"\n', "gpt"),
        ("models = 3\n", "models is not a table"),
        ("[models]\nnew = 3\n", "models.new is not a table"),
        ('default_model = "gpt"\n', "gpt"),
        ('[retired."gemini-3-pro-image-preview"]\nsuccessor = "gpt"\n', "gpt"),
        ('[pixels.gemini-3.sizes]\n"1:1" = { 1K = "1024 square" }\n', "1024 square"),
        ("[prices]\n", "[[prices]]"),
        ("prices = [1]\n", "prices is not a table"),
        (NEW_PRICE.format(valid_from='"soon"'), f"prices {NEWEST}"),
        (NEW_PRICE.format(valid_from="2026-10-06").replace(NEWEST, "gpt"), "gpt"),
        (NEW_PRICE.format(valid_from="2026-10-06").replace('"20"', "20.0"), "image_out"),
        (NEW_PRICE.format(valid_from="2026-10-06").replace('"20"', '"0.0001"'), "0.0001"),
        (NEW_PRICE.format(valid_from="2026-10-06").replace('"20"', '"-1"'), "-1"),
        ("[[prices]]\n" + "\n".join(NEW_PRICE.splitlines()[2:5]), "prices"),
        ("not toml", "line 1"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(RegistryError) as raised:
        registry(tmp_path, text)

    assert str(tmp_path / "registry.toml") in str(raised.value)
    assert key in str(raised.value)


def test_a_price_without_rates_is_not_taken_for_a_gift(tmp_path: Path) -> None:
    bare = "\n".join(
        line
        for line in NEW_PRICE.format(valid_from="2026-10-06").splitlines()
        if not line.startswith(("text_", "image_"))
    )

    with pytest.raises(RegistryError, match="free of rates"):
        registry(tmp_path, bare)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    with pytest.raises(RegistryError) as raised:
        Registry.load(path)

    assert str(raised.value).startswith(f"{path}: ")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(RegistryError, match=r"binary\.toml"):
        Registry.load(path)
