"""Where a render is made and at which service level: the closed set everyone shares."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from darkroom_manifests.problem import quote


class Provider(StrEnum):
    """Whose bill it is."""

    AISTUDIO = "aistudio"
    VERTEX = "vertex"
    PROXY = "proxy"
    SIMULATOR = "simulator"


class Tier(StrEnum):
    """A backend at one service level, with its own limits and prices."""

    AISTUDIO = "aistudio"
    AISTUDIO_BATCH = "aistudio-batch"
    VERTEX = "vertex"
    VERTEX_FLEX = "vertex-flex"
    VERTEX_PRIORITY = "vertex-priority"
    VERTEX_PROVISIONED = "vertex-provisioned"
    VERTEX_BATCH = "vertex-batch"
    IMAGEN = "imagen"
    PROXY = "proxy"
    SIMULATOR = "simulator"
    SIMULATOR_BATCH = "simulator-batch"

    @classmethod
    def parse(cls, name: str) -> Tier:
        """Read a name as people write it: any case, `_` for `-`, or Google's newer product name.

        Raises ValueError, with a sentence for people, when there is no such tier.
        """
        folded = name.strip().lower().replace("_", "-").replace(" ", "-")
        value = folded.replace("agent-platform", "vertex", 1)
        if value not in cls._value2member_map_:
            raise ValueError(f"{quote(name)} is not a tier")
        return cls(value)

    @property
    def provider(self) -> Provider:
        """The provider that bills for it; Imagen is served and billed by Vertex."""
        if self is Tier.IMAGEN:
            return Provider.VERTEX
        return Provider(self.value.partition("-")[0])

    @property
    def is_batch(self) -> bool:
        """Whether its attempts travel as lines of a provider batch."""
        return self.value.endswith("-batch")

    @property
    def on_demand(self) -> Tier:
        """The provider's tier that answers at once at the usual price; itself where it is none."""
        return Tier(self.value.removesuffix("-batch")) if self.is_batch else self

    @property
    def is_simulated(self) -> bool:
        """Whether nothing leaves this machine and nothing is paid."""
        return self.provider is Provider.SIMULATOR

    @property
    def is_usual(self) -> bool:
        """Whether it answers at once, at its provider's usual price."""
        return self in {Tier.AISTUDIO, Tier.VERTEX, Tier.SIMULATOR}

    @property
    def is_paid_up(self) -> bool:
        """Whether it costs more than the standard level, or was bought beforehand."""
        return self in {Tier.VERTEX_PRIORITY, Tier.VERTEX_PROVISIONED}


class Auto(StrEnum):
    """The wish that a tier be chosen for each render; nothing is ever stored with it."""

    AUTO = "auto"


AUTO: Final = Auto.AUTO

TierChoice: TypeAlias = Tier | Auto
"""What people write where a tier is asked for."""


def parse_choice(name: str) -> TierChoice:
    """Read a tier as `Tier.parse` does, or "auto". Raises ValueError as it does."""
    return AUTO if name.strip().lower() == AUTO else Tier.parse(name)
