"""Where the simulator of this machine listens: told by its file, or by the settings."""

from __future__ import annotations

from pathlib import Path

import msgspec

from darkroom.settings import Settings


class _Ready(msgspec.Struct, frozen=True):
    url: str


def simulator_file(home: Path) -> Path:
    """The file that a simulator of the local stack writes once it listens."""
    return home / "simulator.json"


def simulator_url(settings: Settings) -> str | None:
    """The simulator's base URL; None when there is none."""
    if settings.simulator.base_url is not None:
        return settings.simulator.base_url
    try:
        return msgspec.json.decode(simulator_file(settings.home).read_bytes(), type=_Ready).url
    except FileNotFoundError:
        return None
