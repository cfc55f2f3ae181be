"""A place where files are dropped: a folder or a bucket, with three shelves beside the new ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec


class Shelf(StrEnum):
    """Where a file goes that was taken."""

    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


class Seen(msgspec.Struct, frozen=True):
    """A file that lies there. `stamp` changes when anything is written to it or its side file."""

    name: str
    stamp: str
    is_whole: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Why a file is not read, and the remedy."""

    message: str
    hint: str


class Changing(msgspec.Struct, frozen=True):
    """Somebody writes to a file that was taken: its new stamp."""

    stamp: str


class Copy(msgspec.Struct, frozen=True):
    """The bytes of a file as they were read, once and for all."""

    sha256: str
    size: int


def too_large(size: int, most: int) -> Refusal:
    """Refuse a file by its size alone."""
    said = f"It has {size:,} bytes; {most:,} are allowed."
    return Refusal(said, "Split it into several manifests, or raise inbox.max_bytes.")


class Place(Protocol):
    """Where files are dropped. Every method raises StorageFault when the place fails.

    All but `look` may be called again after a crash in the middle, and then do the rest.
    """

    url: str
    base: Path | None
    """Where relative references of a manifest are looked for."""
    settle_seconds: float

    def look(self) -> list[Seen]:
        """See the manifests that lie there, those that are being written included."""
        ...

    def is_ended(self, seen: Seen) -> bool:
        """Whether a file ends as whole ones do, with a line's end; one that does not is doubted."""
        ...

    def reserve(self, shelf: Shelf, name: str, mark: str, report: bytes) -> str:
        """Put a report there, and so keep the name beside it; gives the name that was free.

        A report with the same mark is ours, from before a crash: its name is given again.
        """
        ...

    def take(self, name: str, stamp: str, kept: str) -> bool:
        """Move a new file to the working shelf; False when it is not there any more."""
        ...

    def fetch(
        self, kept: str, stamp: str | None, target: Path, most: int
    ) -> Copy | Refusal | Changing | None:
        """Copy what lies on the working shelf, if it is what was taken; None: it is gone."""
        ...

    def side(self, kept: str) -> bytes | None:
        """Read the side file of something on the working shelf."""
        ...

    def put(self, shelf: Shelf, name: str, data: bytes | Path) -> None:
        """Write a file of ours, whole or not at all, over what is there."""
        ...

    def leave(self, kept: str, shelf: Shelf, name: str) -> None:
        """Move a file and its side file from the working shelf to another; its report goes."""
        ...

    def forget(self, kept: str) -> None:
        """Remove what `reserve` put on the working shelf for a file that went away."""
        ...
