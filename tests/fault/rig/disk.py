"""A disk so small that it can be filled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MOUNTABLE: Final = os.getuid() == 0
"""Whether small disks can be mounted here: that needs root."""


class SmallDisk:
    """A file system of a few megabytes, filled to the last byte by a ballast."""

    def __init__(self, point: Path) -> None:
        self._ballast = point / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                return

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def mounted(point: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Make a folder that is such a disk."""
    point.mkdir(parents=True)
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "darkroom-test", point], check=True)
    try:
        yield SmallDisk(point)
    finally:
        subprocess.run(["umount", "--lazy", point], check=True)
