"""Keeps answers on disk until the books have them: what was paid for survives any crash.

A process owns a folder and holds a lock on it. Pictures are staged there, whole; how attempts
ended is noted in a journal before the books are touched. Whoever finds a folder whose lock is
free knows that its process is dead, and settles what it left. A folder has its lock from before it
has its name until nothing else is in it: one without a lock is nobody's to take.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from darkroom.jobs.close import Closing
from darkroom_worker.durable import Writer

_LOCK: Final = "lock"
_HIDDEN: Final = "."  # before the name of a folder that is being made
_JOURNAL: Final = "journal.jsonl"
_PART: Final = ".part"
_SLACK: Final = 1 << 18  # bytes of settled notes that a journal may carry along
_TOLD: Final = "user.darkroom.answer"
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Closing)


class Spool:
    """One process's folder. Safe to share between threads."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        self._writer = Writer()
        self._writing = threading.Lock()
        self._waiting: dict[str, bytes] = {}
        self._journal = _opened(folder / _JOURNAL)
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    @classmethod
    def open(cls, home: Path, worker_id: str) -> Self:
        """Make and lock the folder of a new process."""
        folder = _root(home) / worker_id
        hidden = folder.with_name(f"{_HIDDEN}{worker_id}")
        hidden.mkdir(mode=0o700, parents=True)
        os.close(os.open(hidden / _LOCK, os.O_RDWR | os.O_CREAT, 0o600))
        lock = _locked(hidden)
        assert lock is not None, "a new name is nobody else's"
        hidden.rename(folder)
        return cls(folder, lock)

    @classmethod
    def abandoned(cls, home: Path) -> Iterator[Self]:
        """Take over the folders of dead processes, one after the other."""
        root = _root(home)
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            lock = None if folder.name.startswith(_HIDDEN) else _locked(folder)
            if lock is not None:
                yield cls(folder, lock)

    @property
    def owner(self) -> str:
        """The id of the worker whose folder it is."""
        return self.folder.name

    def path(self, attempt_id: str) -> Path:
        """Where an attempt's picture is staged."""
        return self.folder / attempt_id

    def stage(self, attempt_id: str, image: bytes, told: bytes = b"") -> None:
        """Write a picture so that it is there whole or not at all. Raises OSError.

        What was `told` beside it, such as its usage, goes along where the file system lets it.
        """
        part = self.folder / (attempt_id + _PART)
        self._writer.write(part, image, lambda descriptor: _attach(descriptor, told))
        part.rename(self.path(attempt_id))

    def note(self, closings: Iterable[Closing]) -> None:
        """Write down how attempts ended; on disk, with their pictures, when this returns."""
        lines = {
            closing.attempt_id: _ENCODER.encode(closing) + b"\n"
            for closing in closings
            if closing.attempt_id not in self._waiting
        }
        with self._writing:
            if lines:
                _append(self._journal, b"".join(lines.values()))
                os.fsync(self._journal)
                os.fsync(self._folder)
            self._waiting |= lines

    def settled(self, attempt_ids: Iterable[str]) -> None:
        """Forget attempts that the books now hold."""
        with self._writing:
            for attempt_id in attempt_ids:
                self.path(attempt_id).unlink(missing_ok=True)
                self._waiting.pop(attempt_id, None)
            if not self._waiting:
                os.ftruncate(self._journal, 0)
            elif os.fstat(self._journal).st_size > 2 * _size(self._waiting) + _SLACK:
                self._write_anew()

    def _write_anew(self) -> None:
        """Replace the journal by one that holds only what still waits."""
        part = _opened(self.folder / (_JOURNAL + _PART))
        os.ftruncate(part, 0)
        _append(part, b"".join(self._waiting.values()))
        os.fsync(part)
        (self.folder / (_JOURNAL + _PART)).rename(self.folder / _JOURNAL)
        os.fsync(self._folder)
        os.close(self._journal)
        self._journal = part

    def inherit(self, left: Spool, closings: Sequence[Closing]) -> None:
        """Take the pictures and notes of a dead process along; its folder may go after this."""
        for closing in closings:
            with suppress(FileNotFoundError, FileExistsError):  # it has none; we were here before
                os.link(left.path(closing.attempt_id), self.path(closing.attempt_id))
        self.note(closings)

    def set_aside(self, attempt_id: str, note: bytes = b"") -> None:
        """Keep a picture that is nobody's result: spoiled, or paid for twice. A note says why."""
        aside = self.folder.parents[1] / "quarantine"
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path(attempt_id).exists():
            _move(self.path(attempt_id), aside / attempt_id)
        if note:
            with (aside / f"{attempt_id}.txt").open("ab") as file:
                file.write(note)

    def keep_aside(self, name: str, raw: bytes) -> Path:
        """Keep bytes that are nobody's answer, under a name; what is there already stays."""
        aside = self.folder.parents[1] / "quarantine"
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = aside / (name + _PART)
        part.write_bytes(raw)
        part.rename(aside / name)
        return aside / name

    def noted(self) -> list[Closing]:
        """What the journal holds; a last line that a crash cut short is no note."""
        found = []
        for line in (self.folder / _JOURNAL).read_bytes().splitlines():
            try:
                found.append(_DECODER.decode(line))
            except msgspec.MsgspecError:
                break
        return found

    def unnoted(self, noted: Sequence[Closing]) -> list[str]:
        """Attempts whose picture is staged whole, but whose process died before the note."""
        known = {closing.attempt_id for closing in noted} | {_LOCK, _JOURNAL}
        names = (entry.name for entry in self.folder.iterdir())
        return [name for name in names if name not in known and not name.endswith(_PART)]

    @property
    def is_empty(self) -> bool:
        """Whether all that was noted is in the books."""
        return not self._waiting

    def close(self, *, remove: bool) -> None:
        """Let the folder go; `remove` it when nothing in it is needed any more.

        What cannot be removed is found again by whoever looks for the dead next.
        """
        os.close(self._journal)
        os.close(self._folder)
        if remove:
            with suppress(OSError):
                self._remove()
        os.close(self._lock)

    def _remove(self) -> None:
        """The lock goes last: without it nobody would find what is left."""
        for entry in self.folder.iterdir():
            if entry.name != _LOCK:
                entry.unlink()
        (self.folder / _LOCK).unlink()
        self.folder.rmdir()


def _move(source: Path, target: Path) -> None:
    """Move a file whole or not at all, even to another file system."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = target.with_name(target.name + _PART)
        shutil.copyfile(source, part)
        part.rename(target)
        source.unlink()


def _attach(descriptor: int, told: bytes) -> None:
    """Let a note travel with the file itself: a second file could be missing after a crash."""
    with suppress(AttributeError, OSError):  # not every system has such notes: then it is estimated
        os.setxattr(descriptor, _TOLD, told)


def told(staged: Path) -> bytes:
    """What was told beside a staged picture; nothing where the file system kept nothing."""
    try:
        return os.getxattr(staged, _TOLD)
    except (AttributeError, OSError):
        return b""


def _root(home: Path) -> Path:
    return home / "spool"


def _locked(folder: Path) -> int | None:
    """Lock a folder; None when its process lives, or somebody else just took it over."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not folder.exists():
        os.close(descriptor)
        return None
    return descriptor


def _opened(journal: Path) -> int:
    return os.open(journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def _append(journal: int, lines: bytes) -> None:
    """Write all or nothing: half a line in the middle would hide the notes that follow it."""
    end = os.fstat(journal).st_size
    view = memoryview(lines)
    try:
        while view:
            view = view[os.write(journal, view) :]
    except OSError:
        os.ftruncate(journal, end)
        raise


def _size(lines: Mapping[str, bytes]) -> int:
    return sum(map(len, lines.values()))
