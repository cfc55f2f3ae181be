"""What an account may not have, whatever the model can do."""

from __future__ import annotations

from darkroom.registry import Ask, Model, Reason, Refusal, Registry
from darkroom.settings import Settings
from darkroom_manifests.tier import Provider, Tier


def unopened(ask: Ask, tier: Tier, settings: Settings, registry: Registry) -> Refusal | None:
    """Refuse a tier, or a size on it, that the limits in force do not open."""
    limits = settings.limits(tier)
    who = tier.value
    if tier.provider is Provider.AISTUDIO:
        who = f"{tier} with account tier {settings.aistudio.account_tier}"
    if not limits.offered:
        hint = f"Choose another tier; or set tiers.{tier}.offered."
        return Refusal("tier", Reason.LEVEL_NOT_OFFERED, f"{who} is not offered.", hint)
    model = registry.find(ask.model)
    size = ask.image_size or (model.default_size if isinstance(model, Model) else None)
    if limits.image_sizes is None or size is None or size in limits.image_sizes:
        return None
    hint = f"Choose {', '.join(limits.image_sizes)}; or set tiers.{tier}.image_sizes."
    message = f"{who} does not draw {size}."
    return Refusal("image_size", Reason.SIZE_NOT_OFFERED, message, hint)
