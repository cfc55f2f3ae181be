"""A proxy in the settings: its address, its own prices, and who rows go to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from darkroom.configure import load
from darkroom.price_list import registry_of
from darkroom.registry import Ask, Price, RegistryError, Usage
from darkroom.router import Kind, Market, Outlook
from darkroom.settings import Mode, Proxy, ProxyPrice, Settings
from darkroom_manifests.tier import AUTO, Tier

NEWEST = "gemini-nano-banana-2.1"
PRO = "gemini-3-pro-image"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOST = "https://proxy.example"


def given(**told: Any) -> Settings:
    return Settings(proxy=Proxy.model_validate({"base_url": HOST, **told}))


def price(settings: Settings, model: str) -> Price:
    found = registry_of(settings).price(model, Tier.PROXY, NOW)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("url", "used"),
    [
        (HOST, f"{HOST}/v1"),
        (f"{HOST}/", f"{HOST}/v1"),
        (f"{HOST}/v1/", f"{HOST}/v1"),
        (f"{HOST}/api/v1", f"{HOST}/api/v1"),
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000/v1"),
    ],
)
def test_an_address_is_taken_as_the_sdk_takes_it(url: str, used: str) -> None:
    assert Proxy(base_url=url).base_url == used


@pytest.mark.parametrize(
    "url", ["proxy.example", "ftp://proxy.example", f"{HOST}?key=1", "https://"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Proxy(base_url=url)


def test_a_price_list_without_a_price_is_refused() -> None:
    with pytest.raises(ValidationError, match="per_call"):
        ProxyPrice.model_validate({"text_in": "1"})


def test_a_price_by_the_call_is_charged_by_the_call() -> None:
    found = price(given(prices={NEWEST: {"per_call": "0.05"}}), NEWEST)

    assert found.charge(Usage(image_tokens=1120), 1) == 50_000_000
    assert found.charge(Usage(), 0, 1) == 50_000_000
    assert found.charge(Usage(), 0) == 0
    assert found.version == "proxy.prices"


def test_prices_by_tokens_count_for_references_too() -> None:
    found = price(given(prices={PRO: {"text_in": "0.66", "image_out": "13.2"}}), PRO)

    assert (found.text_in, found.image_in, found.image_out) == (660, 660, 13_200)


def test_the_own_list_comes_before_the_registrys_and_only_for_the_proxy(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    entry = f'[[prices]]\nmodel = "{NEWEST}"\nproviders = ["proxy"]\nlevel = "standard"\n'
    dated = 'valid_from = 2026-11-01\nper_image = "0.09"\nsource = "s"\nchecked = 2026-11-01\n'
    file.write_text(entry + dated, encoding="utf-8")
    own = given(prices={"nano-banana-2.1": {"per_call": "0.05"}})
    both = own.model_copy(update={"registry_file": file})

    assert price(both, NEWEST).per_call == 50_000_000
    studio = registry_of(both).price(NEWEST, Tier.AISTUDIO, NOW)
    assert studio == registry_of(Settings()).price(NEWEST, Tier.AISTUDIO, NOW)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"dall-e-3": {"per_call": "0.04"}}, "dall-e-3 is not a model"),
        ({NEWEST: {"image_out": "0.0000001"}}, f"proxy.prices.{NEWEST}"),
    ],
)
def test_a_price_list_that_cannot_be_used_is_named(prices: dict[str, Any], said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        registry_of(given(prices=prices))


def test_a_proxy_alone_is_where_rows_go_and_beside_google_it_is_not() -> None:
    alone = given()
    beside = Settings.model_validate({"proxy": {"base_url": HOST}, "aistudio": {"api_key": "key"}})

    assert (alone.default_tier(), alone.usual_tiers()) == (Tier.PROXY, [Tier.PROXY])
    assert (beside.default_tier(), beside.usual_tiers()) == (Tier.AISTUDIO, [Tier.AISTUDIO])
    assert Tier.PROXY in beside.candidates()


def test_what_is_chosen_unasked_is_googles_and_what_is_asked_for_may_be_the_proxys() -> None:
    told = {
        "proxy": {"base_url": HOST, "prices": {NEWEST: {"per_call": "0.001"}}},
        "aistudio": {"api_key": "key"},
        "vertex": {"project": "p"},
    }
    settings = Settings.model_validate(told)
    registry, kind = registry_of(settings), Kind(Ask(model=NEWEST), AUTO)

    unasked = Market(settings, registry, Outlook(NOW), is_patient=False).bids(kind, 10)
    asked = Market(settings, registry, Outlook(NOW)).bids(kind, 10)
    alone = Market(given(), registry, Outlook(NOW), is_patient=False).bids(kind, 10)

    assert [bid.tier for bid in unasked.bids] == [Tier.AISTUDIO, Tier.VERTEX]
    assert asked.bids[0].tier is Tier.PROXY
    assert [bid.tier for bid in alone.bids] == [Tier.PROXY]


def test_hosts_are_listed_with_commas_in_a_variable(tmp_path: Path) -> None:
    env = {
        "DARKROOM_PROXY__BASE_URL": HOST,
        "DARKROOM_PROXY__ALLOW_HOSTS": "cdn.internal, 10.0.0.7",
        "DARKROOM_PROXY__API_KEY": "a-secret-key",
    }

    settings = load({}, env, tmp_path).settings

    assert settings.proxy.allow_hosts == ("cdn.internal", "10.0.0.7")
    assert "a-secret-key" in set(settings.secrets())


def refused(settings: Settings, *, in_bucket: bool = False, model: str = PRO, **wish: Any) -> str:
    market = Market(settings, registry_of(settings), Outlook(NOW))
    kind = Kind(Ask(model=model, **wish), Tier.PROXY, in_bucket)
    return " ".join(f"{one.column}: {one.message}" for one in market.refusals(kind, Tier.PROXY))


@pytest.mark.parametrize(
    ("mode", "wish", "said"),
    [
        (Mode.IMAGES, {"seed": 7}, "seed: proxy takes no seed in mode images."),
        (Mode.IMAGES, {"thinking": "high"}, "thinking: proxy takes no thinking in mode images."),
        (Mode.CHAT, {"seed": 7, "thinking": "high", "temperature": 0.5}, ""),
        (Mode.NATIVE, {"seed": 7}, ""),
        (Mode.IMAGES, {"image_size": "4K", "aspect_ratio": "16:9"}, ""),
        (Mode.CHAT, {"image_size": "8K"}, f"image_size: {PRO} on proxy does not draw 8K."),
    ],
)
def test_what_a_mode_has_no_word_for_is_refused(
    mode: Mode, wish: dict[str, Any], said: str
) -> None:
    assert refused(given(mode=mode), **wish) == said


def test_a_proxy_reads_no_bucket() -> None:
    settings = given()

    assert "reads no gs:// references" in refused(settings, in_bucket=True)
    market = Market(settings, registry_of(settings), Outlook(NOW))
    assert market.bids(Kind(Ask(model=PRO), AUTO, in_bucket=True), 10).bids == ()


def test_a_retired_model_is_served_where_a_proxy_still_has_it() -> None:
    imagen = "imagen-4.0-generate-001"

    assert refused(given(mode=Mode.IMAGES), model=imagen) == ""
    assert "not served on proxy in mode native" in refused(given(mode=Mode.NATIVE), model=imagen)
