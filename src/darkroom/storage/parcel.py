"""An image on its way to a place, and what the place says of an image that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from darkroom.storage.paths import set_apart


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A staged image and where it is to go.

    `owner` is the attempt that paid for it: an object belongs to one attempt, so that it can be
    taken back without a look at anybody else's. `notes` go along where a place can keep them.
    """

    staged: Path
    name: str
    owner: str
    sha256: str
    bytes: int
    mime: str
    notes: Mapping[str, str] = {}

    @property
    def names(self) -> tuple[str, str]:
        """The name that is wanted, and the one set apart if that is taken."""
        return self.name, set_apart(self.name, self.owner[-6:])


class Stored(msgspec.Struct, frozen=True):
    """An object in its place. `crc32c` is base64 as object storage gives it; folders have none."""

    uri: str
    bytes: int
    crc32c: str | None = None
