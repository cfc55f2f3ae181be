"""A watched folder on a local or mounted disk; no symbolic link in it is followed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from darkroom.inbox import names
from darkroom.inbox.disk import (
    NOT_THERE,
    faults_named,
    is_link,
    is_same,
    is_text,
    moved,
    opened,
    stamp_of,
)
from darkroom.inbox.place import Changing, Copy, Refusal, Seen, Shelf, too_large

_log = structlog.get_logger(__name__)

_BLOCK: Final = 1 << 20
_MOST_SIDE_BYTES: Final = 64 << 10
_LINE_ENDS: Final = (b"\n", b"\r", b"]", b"}")
_LINK: Final = Refusal(
    "It is a symbolic link, which could lead anywhere.", "Put the file itself there."
)
_KIND: Final = Refusal("It is no regular file.", "Put a CSV, TSV, JSONL or text file there.")


class Folder:
    """A folder; `working/`, `done/` and `failed/` are made in it."""

    def __init__(self, path: Path, settle_seconds: float) -> None:
        self.url = str(path)
        self.base: Path | None = path
        self.settle_seconds = settle_seconds
        self._path = path
        self._unfinished: frozenset[str] = frozenset()
        self._passed_over: set[str] = set()

    def look(self) -> list[Seen]:
        """See what lies there; see `Place.look`."""
        with faults_named(self._path), os.scandir(self._path) as entries:
            found = dict(self._stats(entries))
        sides = {name: stamp_of(status) for name, status in found.items() if names.is_ours(name)}
        unfinished = {stamp_of(s) for name, s in found.items() if names.is_unfinished(name)}
        seen = [
            self._seen(name, status, sides)
            for name, status in found.items()
            if names.is_manifest(name) and self._is_taken(name, status)
        ]
        self._unfinished = frozenset(unfinished)
        return sorted(seen, key=lambda one: one.name)

    def _stats(self, entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, os.stat_result]]:
        for entry in entries:
            with suppress(FileNotFoundError):
                yield entry.name, entry.stat(follow_symlinks=False)

    def _seen(self, name: str, status: os.stat_result, sides: dict[str, str]) -> Seen:
        own = stamp_of(status)
        side = sides.get(name + names.SIDE)
        # Renamed into place from a name that said it was unfinished: its writer says it is whole.
        is_whole = own in self._unfinished and side is None
        return Seen(name, own if side is None else f"{own} {side}", is_whole or is_link(status))

    def _is_taken(self, name: str, status: os.stat_result) -> bool:
        """Whether it can be moved and told about; what cannot is passed over with one line."""
        if stat.S_ISREG(status.st_mode) or is_link(status):
            if is_text(name):
                return True
            said, hint = "its name is not UTF-8", "Rename it."
        else:
            said, hint = "it is a folder, a pipe or a device", "Put a regular file there."
        if name not in self._passed_over:
            self._passed_over.add(name)
            shown = os.fsencode(name).decode(errors="backslashreplace")
            _log.warning("passed over", inbox=self.url, file=shown, why=said, hint=hint)
        return False

    def is_ended(self, seen: Seen) -> bool:
        """Whether it ends with a line's end; see `Place.is_ended`."""
        if names.kind_of(seen.name).endswith((".gz", ".bz2", ".xz", ".zst")):
            return True
        try:
            with opened(self._path / seen.name) as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1).endswith(_LINE_ENDS)
        except OSError:
            return False  # empty, or gone, or not to be read: it waits a little longer

    def reserve(self, shelf: Shelf, name: str, mark: str, report: bytes) -> str:
        """Keep a name on a shelf; see `Place.reserve`."""
        with faults_named(self._path / shelf):
            (self._path / shelf).mkdir(exist_ok=True)
            if self._keep(shelf, name, mark, report):
                return name
            other = names.second(name, mark)
            self._keep(shelf, other, mark, report)
            return other

    def _keep(self, shelf: Shelf, name: str, mark: str, report: bytes) -> bool:
        path = self._path / shelf / names.beside(name, names.REPORT)
        is_taken = os.path.lexists(self._path / shelf / name)  # perhaps by hand, without a report
        try:
            if not is_taken:
                with path.open("xb") as file:
                    file.write(report)
                return True
        except FileExistsError:
            if not path.stat().st_size:  # a crash came before it was written
                path.write_bytes(report)
                return True
        return _is_marked(path, mark)

    def take(self, name: str, stamp: str, kept: str) -> bool:
        """Move it to the working shelf; see `Place.take`.

        Its side file goes first, so that it never lies there without it.
        """
        new, working = self._path / name, self._path / Shelf.WORKING / kept
        with faults_named(new):
            if os.path.lexists(working):  # a crash came after the move; what lies there now is new
                return True
            side, kept_side = (Path(f"{path}{names.SIDE}") for path in (new, working))
            moved(side, kept_side)
            if is_same(new, stamp) and moved(new, working):
                return True
            moved(kept_side, side)
        return False

    def fetch(
        self, kept: str, stamp: str | None, target: Path, most: int
    ) -> Copy | Refusal | Changing | None:
        """Copy it; see `Place.fetch`."""
        path = self._path / Shelf.WORKING / kept
        with faults_named(path):
            try:
                with opened(path) as source:
                    return self._copied(source, stamp, target, most)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EMLINK):
                    return _LINK
                if isinstance(error, PermissionError):
                    return Refusal("It may not be read.", "Let the scheduler's user read it.")
                raise

    def _copied(
        self, source: BinaryIO, stamp: str | None, target: Path, most: int
    ) -> Copy | Refusal | Changing:
        before = os.fstat(source.fileno())
        if not stat.S_ISREG(before.st_mode):
            return _KIND
        if before.st_size > most:
            return too_large(before.st_size, most)
        if stamp is not None and stamp_of(before) != stamp.partition(" ")[0]:
            return Changing(stamp_of(before))
        sha256, size = hashlib.sha256(), 0
        with target.open("wb") as copy:
            while block := source.read(_BLOCK):
                size += len(block)
                sha256.update(block)
                copy.write(block)
        after = stamp_of(os.fstat(source.fileno()))
        if after != stamp_of(before) or size != before.st_size:
            return Changing(after)
        return Copy(sha256.hexdigest(), size)

    def side(self, kept: str) -> bytes | None:
        """Read its side file."""
        path = self._path / Shelf.WORKING / (kept + names.SIDE)
        with faults_named(path):
            try:
                with opened(path) as file:
                    return file.read(_MOST_SIDE_BYTES)
            except OSError as error:
                if error.errno in NOT_THERE:
                    return None
                raise

    def put(self, shelf: Shelf, name: str, data: bytes | Path) -> None:
        """Write a file of ours; see `Place.put`."""
        folder = self._path / shelf
        with faults_named(folder / name):
            folder.mkdir(exist_ok=True)
            part = folder / names.beside(f".{name}", ".part")
            with part.open("wb") as target:
                if isinstance(data, bytes):
                    target.write(data)
                else:
                    with data.open("rb") as source:
                        while block := source.read(_BLOCK):
                            target.write(block)
            part.replace(folder / name)

    def leave(self, kept: str, shelf: Shelf, name: str) -> None:
        """Move it to its last shelf; see `Place.leave`."""
        working = self._path / Shelf.WORKING
        with faults_named(self._path / shelf):
            moved(working / (kept + names.SIDE), self._path / shelf / (name + names.SIDE))
            moved(working / kept, self._path / shelf / name)
        self.forget(kept)

    def forget(self, kept: str) -> None:
        """Remove its report from the working shelf; see `Place.forget`."""
        with faults_named(self._path / Shelf.WORKING):
            for suffix in (names.REPORT, names.REJECTED):
                path = self._path / Shelf.WORKING / names.beside(kept, suffix)
                path.unlink(missing_ok=True)


def _is_marked(report: Path, mark: str) -> bool:
    """Whether a report is there and of this drop."""
    try:
        return f'{mark}"'.encode() in report.read_bytes()
    except FileNotFoundError:
        return False
