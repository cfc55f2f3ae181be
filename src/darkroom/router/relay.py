"""What a proxy cannot be told, whatever the model behind it can do."""

from __future__ import annotations

from typing import Final

from darkroom.registry import Family, Model, Reason, Refusal, Registry
from darkroom.router.kind import Kind
from darkroom.router.wished import VERTEX_ALONE, bare, wordless
from darkroom.settings import Mode
from darkroom_manifests.tier import Provider, Tier

NO_BUCKETS: Final = frozenset({Provider.AISTUDIO, Provider.PROXY})
"""Who reads no bucket of somebody's own without more ado."""

_REASONS: Final = {
    "seed": Reason.SEED_NOT_ACCEPTED,
    "temperature": Reason.TEMPERATURE_NOT_ACCEPTED,
    "thinking": Reason.THINKING_NOT_OFFERED,
    "negative_prompt": Reason.NEGATIVE_PROMPT_NOT_ACCEPTED,
}
_WORDLESS: Final = {
    Mode.IMAGES: ("seed", "temperature", "thinking", "negative_prompt"),
    Mode.CHAT: ("negative_prompt",),
    Mode.NATIVE: ("negative_prompt",),
}
HEARD: Final[dict[Mode, frozenset[str]]] = {
    Mode.IMAGES: frozenset(),
    Mode.CHAT: frozenset({"system_instruction"}),
    Mode.NATIVE: frozenset({"system_instruction", "safety"}),
}
"""Of what is wished beside prompt and shape. A search would have a price that nobody knows."""


def is_told(kind: Kind, tier: Tier, mode: Mode, registry: Registry) -> bool:
    """Whether a tier can be told all of a request that was planned for another one."""
    if kind.in_bucket and tier.provider in NO_BUCKETS:
        return False
    return tier is not Tier.PROXY or not unspoken(kind, mode, registry)


def unspoken(kind: Kind, mode: Mode, registry: Registry) -> tuple[Refusal, ...]:
    """Refuse what the wire of the proxy's mode has no word for."""
    if kind.in_bucket:
        message = f"{Tier.PROXY} reads no gs:// references."
        return (Refusal("references", Reason.TOO_MANY_REFERENCES, message, "Give local files."),)
    if kind.goes_on and mode is not Mode.NATIVE:
        message = f"{Tier.PROXY} takes no turns in mode {mode}."
        hint = f"Set proxy.mode to {Mode.NATIVE}, or make each turn a row with edit_of."
        return (Refusal("turns", Reason.TURNS_NOT_TAKEN, message, hint),)
    model = registry.find(kind.ask.model)
    if mode is Mode.NATIVE and isinstance(model, Model) and model.family is Family.IMAGEN:
        message = f"{model.id} is not served on {Tier.PROXY} in mode {mode}."
        hint = f"Set proxy.mode to {Mode.IMAGES}."
        return (Refusal("model", Reason.MODEL_NOT_SERVED, message, hint),)
    unheard = (name for name in kind.told if bare(name) not in HEARD[mode])
    return (
        *(
            _wordless(column, mode)
            for column in _WORDLESS[mode]
            if getattr(kind.ask, column) is not None
        ),
        *(wordless(name, f"{Tier.PROXY} in mode {mode}", _elsewhere(name)) for name in unheard),
    )


def _elsewhere(name: str) -> Tier:
    return Tier.VERTEX if bare(name) in VERTEX_ALONE else Tier.AISTUDIO


def _wordless(column: str, mode: Mode) -> Refusal:
    message = f"{Tier.PROXY} takes no {column} in mode {mode}."
    others = [m.value for m in Mode if column not in _WORDLESS[m]]
    elsewhere = f"Leave it out; or set proxy.mode to {' or '.join(others)}."
    return Refusal(column, _REASONS[column], message, elsewhere if others else "Leave it out.")
