"""Where a request goes."""

from __future__ import annotations

from dataclasses import dataclass

from darkroom_simulator.catalog import Model, Platform, Service


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the platform, its location, the model by the name used, the level."""

    platform: Platform
    location: str
    name: str
    model: Model
    service: Service

    @property
    def regional(self) -> bool:
        """Vertex outside `global`: Google adds 10 % there since July 2026."""
        return self.platform is Platform.VERTEX and self.location != "global"
