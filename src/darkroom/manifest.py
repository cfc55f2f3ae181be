"""A manifest: rows that can be read more than once, wherever they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from darkroom_manifests.problem import Problem
from darkroom_manifests.read import read, read_rows
from darkroom_manifests.reading import PLAIN, Reading
from darkroom_manifests.row import Row
from darkroom_manifests.sight import Sight, look, look_at_rows

Rows = Callable[[], Iterable[Row | Problem]]
"""Reads the manifest from its beginning, each time it is called."""


class Manifest(msgspec.Struct, frozen=True):
    """A manifest that can be read more than once. `file` None: it came from Python.

    `copy` is where its bytes lie, if `file` is only where they were found; `address` names a place
    that is no file. `sight` says what it is seen to be; None where its beginning cannot be made
    out.
    """

    name: str
    rows: Rows
    file: Path | None = None
    copy: Path | None = None
    address: str | None = None
    sight: Callable[[], Sight | None] = lambda: None

    @property
    def source(self) -> str | None:
        """Where it came from; None for rows from Python."""
        return self.address or (None if self.file is None else str(self.file.absolute()))

    @classmethod
    def of_file(cls, path: Path, reading: Reading = PLAIN) -> Manifest:
        """Name a file; it is read when it is planned."""

        def rows() -> Iterable[Row | Problem]:
            return read(path, reading=reading)

        return cls(path.stem, rows, path, sight=lambda: look(path, reading=reading))

    @classmethod
    def of_rows(
        cls, rows: list[dict[str, object]], name: str = "rows", reading: Reading = PLAIN
    ) -> Manifest:
        """Name rows that are here already."""

        def again() -> Iterable[Row | Problem]:
            return read_rows(rows, name, reading=reading)

        return cls(name, again, sight=lambda: look_at_rows(rows, reading))

    def sha256(self) -> str | None:
        """Hash the file as it is now; None for rows from Python, or a file that cannot be read."""
        held = self.copy or self.file
        if held is None or not held.is_file():
            return None
        try:
            with held.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
