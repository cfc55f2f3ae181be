"""Bytes that come in piece by piece: they go to disk, and are summed up on their way."""

from __future__ import annotations

import base64
import hashlib
import shutil
from pathlib import Path

import google_crc32c


class Intake:
    """A file being written. `digest` names a hash of hashlib; no file descriptor is held."""

    def __init__(self, path: Path, digest: str = "md5") -> None:
        self.path = path
        self.size = 0
        self._crc = 0
        self._digest = hashlib.new(digest, usedforsecurity=False)
        path.touch()

    def write(self, *pieces: bytes) -> None:
        """Append."""
        with self.path.open("ab", buffering=0) as file:
            for piece in filter(None, pieces):
                file.write(piece)
                self._crc = google_crc32c.extend(self._crc, piece)
                self._digest.update(piece)
                self.size += len(piece)

    @property
    def crc32c(self) -> str:
        """The sum as storage gives it: CRC32C, big-endian, in base64."""
        return base64.b64encode(self._crc.to_bytes(4, "big")).decode()

    @property
    def digest(self) -> str:
        """The hash in base64."""
        return base64.b64encode(self._digest.digest()).decode()

    def move(self, place: Path) -> None:
        """Put the file somewhere else, over what is there; a rename where that is possible."""
        shutil.move(self.path, place)
        self.path = place

    def drop(self) -> None:
        """Delete what came."""
        self.path.unlink(missing_ok=True)
