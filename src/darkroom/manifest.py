"""A manifest: rows that can be read more than once, wherever they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from darkroom_manifests.problem import Problem
from darkroom_manifests.read import read, read_rows
from darkroom_manifests.row import Row

Rows = Callable[[], Iterable[Row | Problem]]
"""Reads the manifest from its beginning, each time it is called."""


class Manifest(msgspec.Struct, frozen=True):
    """A manifest that can be read more than once. `file` None: it came from Python."""

    name: str
    rows: Rows
    file: Path | None = None

    @classmethod
    def of_file(cls, path: Path) -> Manifest:
        """Name a file; it is read when it is planned."""
        return cls(path.stem, lambda: read(path), path)

    @classmethod
    def of_rows(cls, rows: list[dict[str, object]], name: str = "rows") -> Manifest:
        """Name rows that are here already."""
        return cls(name, lambda: read_rows(rows, name))

    def sha256(self) -> str | None:
        """Hash the file as it is now; None for rows from Python, or a file that cannot be read."""
        if self.file is None or not self.file.is_file():
            return None
        try:
            with self.file.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
