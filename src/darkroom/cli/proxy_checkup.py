"""What `darkroom doctor` says of the proxy: where it is, its key, its prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from darkroom.cli.finding import Finding, Grade
from darkroom.configure import without_password
from darkroom.price_list import registry_of
from darkroom.registry import RegistryError
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TRY: Final = f"`darkroom backend test {Tier.PROXY}` says which modes work."


def proxy_finding(settings: Settings) -> Finding:
    """State what is set; nothing is sent."""
    told = settings.proxy
    if told.base_url is None:
        return Finding(Tier.PROXY, Grade.OK, "no address, not used")
    keyed = "with a key" if told.api_key is not None else "without a key"
    fact = f"{without_password(told.base_url)} in mode {told.mode}, {keyed}"
    parts = urlsplit(told.base_url)
    if parts.scheme == "http" and parts.hostname not in _HERE and told.api_key is not None:
        fix = "Use https: on the way to it, anybody can read the key."
        return Finding(Tier.PROXY, Grade.WARN, fact, fix)
    if not _is_priced(settings):
        fix = "Set proxy.prices: without them plans and caps know no price."
        return Finding(Tier.PROXY, Grade.WARN, f"{fact}, without a price for the model", fix)
    return Finding(Tier.PROXY, Grade.OK, fact, _TRY)


def _is_priced(settings: Settings) -> bool:
    """Whether the model of rows that name none has a price; a registry that is ill is told of."""
    try:
        registry = registry_of(settings)
    except RegistryError:
        return True
    model = settings.defaults.model or registry.default_model
    return registry.price(model, Tier.PROXY, datetime.now(UTC)) is not None
