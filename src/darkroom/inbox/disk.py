"""Single steps on a disk, through no symbolic link, and what goes wrong with them in words."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from darkroom.errors import StorageFault

NOT_THERE: Final = (errno.ENOENT, errno.ENAMETOOLONG)  # no side file has a name that is too long
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def moved(source: Path, target: Path) -> bool:
    """Rename a file; False when it is not there."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in NOT_THERE:
            return False
        raise
    return True


def is_same(path: Path, stamp: str) -> bool:
    """Whether a file lies there and is the one that was seen with this stamp."""
    try:
        return stamp_of(path.lstat()) == stamp.partition(" ")[0]
    except FileNotFoundError:
        return False


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open what is no link, without ever waiting for a pipe's other end."""
    with os.fdopen(os.open(path, _OPEN), "rb") as file:
        yield file


def stamp_of(status: os.stat_result) -> str:
    """Which file it is, and how it stands; its side file's stamp may follow after a space."""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def is_link(status: os.stat_result) -> bool:
    """Whether it is a symbolic link."""
    return stat.S_ISLNK(status.st_mode)


def is_text(name: str) -> bool:
    """Whether a name can be written down: on disk it is any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def faults_named(path: Path) -> Iterator[None]:
    """Translate what the disk says into a StorageFault with a remedy."""
    try:
        yield
    except FileNotFoundError as error:
        hint = "Make it again, or `darkroom inbox rm` it."
        raise StorageFault(f"{path} is not there.", hint=hint) from error
    except OSError as error:
        hint = "The scheduler must be able to read, write and rename there."
        raise StorageFault(f"{path}: {error.strerror or error}.", hint=hint) from error
