"""Opens a place by its URL."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from darkroom.errors import ConfigInvalid
from darkroom.inbox.folder import Folder
from darkroom.inbox.place import Place
from darkroom.settings import Settings
from darkroom.storage import is_remote


def address(given: str) -> str:
    """Name a place so that every process of this machine finds it. Raises ConfigInvalid."""
    if is_remote(given):
        return given.rstrip("/")
    if "://" in given and not given.startswith("file://"):
        raise ConfigInvalid(
            f"{given} cannot be watched.", hint="Give a folder, or gs://bucket/prefix."
        )
    return str(Path(given.removeprefix("file://")).expanduser().resolve())


def open_place(url: str, settings: Settings) -> Place:
    """Open what an inbox's `url` names; buckets need Google's SDK, folders do not."""
    if is_remote(url):
        module = import_module("darkroom.inbox.bucket")
        return cast("Place", module.Bucket(url, settings.gcs))
    return Folder(Path(url), settings.inbox.settle_seconds)
