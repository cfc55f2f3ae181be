"""Where references are kept that came from elsewhere, or were made smaller: by their content."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from darkroom.ids import new_id

_ENDINGS: Final = {"image/jpeg": "jpg"}


class Kept(msgspec.Struct, frozen=True):
    """A file on the shelf, or elsewhere on this machine."""

    path: str
    sha256: str
    mime: str
    size: int | None = None


class Shelf:
    """A folder. Files are written whole and never changed; any number of processes may write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def keep(self, data: bytes, mime: str) -> Kept:
        """Put bytes there, once. Raises OSError."""
        digest = hashlib.sha256(data).hexdigest()
        ending = _ENDINGS.get(mime, mime.partition("/")[2])
        path = self._folder / digest[:2] / f"{digest}.{ending}"
        if not path.is_file():
            _write(path, data)
        return Kept(str(path), digest, mime, len(data))

    def of_address(self, url: str, fresh_seconds: float) -> Kept | None:
        """What was fetched from an address lately."""
        note = self._note(url)
        try:
            is_fresh = time.time() - note.stat().st_mtime < fresh_seconds
            kept = msgspec.json.decode(note.read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError):
            return None
        return kept if is_fresh and Path(kept.path).is_file() else None

    def note(self, url: str, kept: Kept) -> None:
        """Remember what an address gave. Raises OSError."""
        _write(self._note(url), msgspec.json.encode(kept))

    def _note(self, url: str) -> Path:
        name = hashlib.sha256(url.encode()).hexdigest()
        return self._folder / "addresses" / name[:2] / f"{name}.json"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{new_id('tmp')}")
    try:
        part.write_bytes(data)
        os.replace(part, path)  # noqa: PTH105  # says what it does
    finally:
        part.unlink(missing_ok=True)
