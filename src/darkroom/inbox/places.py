"""Opens a place by its URL."""

from __future__ import annotations

from pathlib import Path

from darkroom.errors import ConfigInvalid
from darkroom.inbox.folder import Folder
from darkroom.inbox.place import Place
from darkroom.settings import Settings


def address(given: str) -> str:
    """Name a place so that every process of this machine finds it. Raises ConfigInvalid."""
    if "://" in given and not given.startswith("file://"):
        hint = "Give a folder; a bucket can be mounted as one."
        raise ConfigInvalid(f"{given} cannot be watched.", hint=hint)
    return str(Path(given.removeprefix("file://")).expanduser().resolve())


def open_place(url: str, settings: Settings) -> Place:
    """Open what an inbox's `url` names."""
    return Folder(Path(url), settings.inbox.settle_seconds)
