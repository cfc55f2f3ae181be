"""A watched prefix of a bucket: objects are whole when they are there."""

from __future__ import annotations

import hashlib
from pathlib import Path

from darkroom.inbox import names
from darkroom.inbox.place import Changing, Copy, Refusal, Seen, Shelf, too_large
from darkroom.settings import GCS
from darkroom.storage.objects import Listed, Objects


class Bucket:
    """A prefix; `working/`, `done/` and `failed/` are names below it."""

    def __init__(self, url: str, gcs: GCS) -> None:
        self.url = url
        self.base: Path | None = None
        self.settle_seconds = 0.0
        self._objects = Objects(url, gcs)

    def look(self) -> list[Seen]:
        """See what lies there; see `Place.look`."""
        found = [one for one in self._objects.listing() if names.is_manifest(one.name)]
        return [Seen(one.name, _stamp(one), is_whole=True) for one in found]

    def is_ended(self, seen: Seen) -> bool:  # noqa: ARG002  # a folder's
        """Say that it is whole: objects are."""
        return True

    def reserve(self, shelf: Shelf, name: str, mark: str, report: bytes) -> str:
        """Keep a name on a shelf; see `Place.reserve`."""
        if self._keep(shelf, name, mark, report):
            return name
        other = names.second(name, mark)
        self._keep(shelf, other, mark, report)
        return other

    def _keep(self, shelf: Shelf, name: str, mark: str, report: bytes) -> bool:
        path = f"{shelf}/{names.beside(name, names.REPORT)}"
        is_taken = self._objects.find(f"{shelf}/{name}") is not None
        if not is_taken and self._objects.create(path, report):
            return True
        return f'{mark}"'.encode() in (self._objects.read(path) or b"")

    def take(self, name: str, stamp: str, kept: str) -> bool:
        """Move it to the working shelf; see `Place.take`."""
        working = f"{Shelf.WORKING}/{kept}"
        if self._objects.find(working) is not None:
            return self._removed(name, stamp)
        new = self._objects.find(name)
        if new is None or _stamp(new) != stamp:
            return False
        side = self._objects.find(name + names.SIDE)
        if side is not None:
            self._objects.move(side, working + names.SIDE)
        return self._objects.move(new, working)

    def _removed(self, name: str, stamp: str) -> bool:
        """Finish a move that a crash cut short: what was copied goes, what came later stays."""
        new = self._objects.find(name)
        if new is not None and _stamp(new) == stamp:
            self._objects.delete(new)
        return True

    def fetch(
        self,
        kept: str,
        stamp: str | None,  # noqa: ARG002  # nobody writes to an object
        target: Path,
        most: int,
    ) -> Copy | Refusal | Changing | None:
        """Copy it; see `Place.fetch`."""
        one = self._objects.find(f"{Shelf.WORKING}/{kept}")
        if one is None:
            return None
        if one.size > most:
            return too_large(one.size, most)
        if not self._objects.download(one, target):
            return None
        with target.open("rb") as file:
            return Copy(hashlib.file_digest(file, "sha256").hexdigest(), one.size)

    def side(self, kept: str) -> bytes | None:
        """Read its side file."""
        return self._objects.read(f"{Shelf.WORKING}/{kept}{names.SIDE}")

    def put(self, shelf: Shelf, name: str, data: bytes | Path) -> None:
        """Write a file of ours; see `Place.put`."""
        self._objects.write(f"{shelf}/{name}", data)

    def leave(self, kept: str, shelf: Shelf, name: str) -> None:
        """Move it to its last shelf; see `Place.leave`."""
        for suffix in (names.SIDE, ""):
            one = self._objects.find(f"{Shelf.WORKING}/{kept}{suffix}")
            if one is not None:
                self._objects.move(one, f"{shelf}/{name}{suffix}")
        self.forget(kept)

    def forget(self, kept: str) -> None:
        """Remove its report from the working shelf; see `Place.forget`."""
        for suffix in (names.REPORT, names.REJECTED):
            self._forget(f"{Shelf.WORKING}/{names.beside(kept, suffix)}")

    def _forget(self, path: str) -> None:
        one = self._objects.find(path)
        if one is not None:
            self._objects.delete(one)


def _stamp(one: Listed) -> str:
    return str(one.generation)
