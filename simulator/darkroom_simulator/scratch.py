"""A temporary folder of this process, for what is on its way in or not asked for yet."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory


class Scratch:
    """Paths for new files. The folder is made with the first of them and deleted at the end."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._given = 0

    def path(self) -> Path:
        """Return the path of a file that is not there yet."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="simulator-")
        self._given += 1
        return Path(self._folder.name, str(self._given))

    def close(self) -> None:
        """Delete the folder and all that is left in it."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
