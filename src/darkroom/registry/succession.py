"""What to take instead of a model that was shut down, and what that costs more or less."""

from __future__ import annotations

from typing import Final

from darkroom.registry.instead import abroad, heir, joined, lives_on
from darkroom.registry.model import Model
from darkroom.registry.price import Usage
from darkroom.registry.wish import Wish
from darkroom_manifests.money import short_dollars
from darkroom_manifests.tier import Tier

_ALLOWED: Final = "Set allow_retired, if your endpoint still serves it"


def succession(wish: Wish) -> str | None:
    """Name the successor with the difference in price, where the model itself lives, the setting.

    A successor on another tier is named only where the model lives on none.
    """
    lives = lives_on(wish)
    here = heir(wish.models, wish.model.id, wish.tier, wish.on)
    if here is not None:
        return joined(f"Choose {here}{_beside(wish, here, wish.tier)}", lives, _ALLOWED)
    found = None if lives else abroad(wish)
    if found is None:
        return joined(lives, _ALLOWED)
    name, tier = found
    return joined(f"Choose {name} on {tier}{_beside(wish, name, tier)}", _ALLOWED)


def _beside(wish: Wish, name: str, tier: Tier) -> str:
    """Compare what the image alone costs, in the size that is asked for if both draw it."""
    model = wish.models[name]
    asked = wish.ask.image_size
    size = asked if asked in model.sizes else model.default_size
    own = asked if asked in wish.model.sizes else wish.model.default_size
    now, before = _image(wish, model, tier, size), _image(wish, wish.model, wish.tier, own)
    if now is None or before is None:
        return ""
    than = "" if own == size else f" of {own}"
    prices = f"{short_dollars(now)} an image of {size} instead of {short_dollars(before)}{than}"
    return f" ({prices})"


def _image(wish: Wish, model: Model, tier: Tier, size: str) -> int | None:
    price = wish.price(model.id, tier)
    return None if price is None else price.charge(Usage(image_tokens=model.sizes[size]), 1)
