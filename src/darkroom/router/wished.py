"""Which tiers can be told what is wished of a picture beside its prompt and shape."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from darkroom.registry import Reason, Refusal
from darkroom_manifests.tier import Provider, Tier

# Google, Generate Content, 2026-10; google-genai 3.4.0 raises for them outside of Vertex.
VERTEX_ALONE: Final = frozenset(
    {"person_generation", "output_mime_type", "compression_quality", "labels"}
)
"""What neither AI Studio nor a proxy has a word for."""
# Google, Vertex AI, Imagen API, 2025-10: `predict` has no fields for them.
_NOT_IMAGEN: Final = frozenset({"system_instruction", "grounding"})


def unheard(told: Collection[str], tier: Tier) -> str | None:
    """The first wish that a tier has no word for, as it was told; see `Kind.told`."""
    return next((name for name in told if not _is_heard(bare(name), tier)), None)


def bare(name: str) -> str:
    """The name of a wish without where it was told."""
    return name.rpartition(".")[2]


def _is_heard(name: str, tier: Tier) -> bool:
    if tier is Tier.PROXY:  # it depends on how it is spoken to: see `relay`
        return True
    if tier is Tier.IMAGEN:
        return name not in _NOT_IMAGEN
    return tier.provider is Provider.VERTEX or name not in VERTEX_ALONE


def refused(told: Collection[str], tier: Tier) -> Refusal | None:
    """Refuse a tier that a wish cannot be told. What the row does not say is no column's fault."""
    name = unheard(told, tier)
    if name is None:
        return None
    elsewhere = "a model of Gemini's" if tier is Tier.IMAGEN else str(Tier.VERTEX)
    return wordless(name, str(tier), elsewhere)


def wordless(name: str, who: str, elsewhere: str) -> Refusal:
    """Refuse one wish, by the name that it was told by."""
    wish = bare(name)
    column = wish if name == wish else "tier"
    hint = f"Choose {elsewhere}; or leave {name} out."
    return Refusal(column, Reason.WISH_NOT_HEARD, f"{who} takes no {wish}.", hint)
