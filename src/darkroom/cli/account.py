"""What an AI Studio account may do, as `darkroom doctor` tells it."""

from __future__ import annotations

from typing import Final

from darkroom import presets
from darkroom.cli import wording
from darkroom.cli.finding import Finding, Grade
from darkroom.settings import Settings
from darkroom.settings.limits import given
from darkroom_manifests.tier import Provider, Tier

_TIERS: Final = (Tier.AISTUDIO, Tier.AISTUDIO_BATCH)
_REMEDY: Final = (
    "Set aistudio.account_tier; your own figures: https://aistudio.google.com/rate-limit."
)


def account(settings: Settings) -> Finding:
    """Tell what is in force: the account tier's figures with the operator's over them."""
    own = [name for tier in _TIERS if (said := settings.tiers.get(tier)) for name in given(said)]
    figures = f"figures of {presets.checked()}" + (f", but {', '.join(own)}" if own else "")
    limits = wording.limits(settings.limits(Tier.AISTUDIO))
    fact = f"account tier {settings.aistudio.account_tier} ({figures}): {limits}"
    return Finding(Provider.AISTUDIO, Grade.OK, fact, _REMEDY)
