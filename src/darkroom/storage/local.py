"""Images in a folder: linked into place whole, through no symbolic link, over no other file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from darkroom.errors import StorageFault
from darkroom.storage.parcel import Parcel, Stored

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK: Final = 1 << 20


class Folder:
    """A folder on a local or mounted disk. Not safe to share between threads."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._open: dict[tuple[str, ...], int] = {}

    def publish(self, parcel: Parcel) -> Stored:
        """Link the staged file under its name; see `Storage.publish`."""
        try:
            for name in parcel.names:
                if self._put(parcel, name):
                    return Stored(name, parcel.bytes)
        except OSError as error:
            raise StorageFault(
                f"{self.root / parcel.name} cannot be written: {error.strerror or error}",
                hint="Nothing is lost: the image waits in the spool. Mend the place and run again.",
            ) from error
        raise StorageFault(f"{self.root / name} is taken by another file.")

    def _put(self, parcel: Parcel, name: str) -> bool:
        *folders, leaf = name.split("/")
        folder = self._folder(tuple(folders))
        try:
            os.link(parcel.staged, leaf, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return _is_ours(parcel, folder, leaf)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
                raise
            return self._copy(parcel, folder, leaf)
        return True

    def _copy(self, parcel: Parcel, folder: int, leaf: str) -> bool:
        """For a place on another disk: a copy beside the name, then a link within the disk."""
        part = f".{leaf}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with (
            parcel.staged.open("rb") as source,
            os.fdopen(os.open(part, flags, 0o644, dir_fd=folder), "wb") as target,
        ):
            shutil.copyfileobj(source, target, _BLOCK)
            target.flush()
            stamp = os.fstat(source.fileno()).st_mtime_ns
            os.utime(target.fileno(), ns=(stamp, stamp))  # by it a copy knows its original again
            os.fsync(target.fileno())
        try:
            os.link(part, leaf, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return _is_ours(parcel, folder, leaf)
        finally:
            os.unlink(part, dir_fd=folder)
        return True

    def withdraw(self, parcel: Parcel) -> None:
        """Remove the link or copy of the staged file; see `Storage.withdraw`."""
        try:
            for name in parcel.names:
                *folders, leaf = name.split("/")
                with suppress(FileNotFoundError):
                    folder = self._folder(tuple(folders))
                    if _is_ours(parcel, folder, leaf):
                        os.unlink(leaf, dir_fd=folder)
        except OSError as error:
            raise StorageFault(
                f"{self.root / parcel.name} cannot be taken back: {error.strerror or error}"
            ) from error

    def _folder(self, parts: tuple[str, ...]) -> int:
        """Open a folder below the root part by part, so that no link can lead out of it."""
        if parts in self._open:
            return self._open[parts]
        if not parts:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        else:
            parent = self._folder(parts[:-1])
            with suppress(FileExistsError):
                os.mkdir(parts[-1], dir_fd=parent)
            descriptor = os.open(parts[-1], _FOLDER, dir_fd=parent)
        self._open[parts] = descriptor
        return descriptor

    def sync(self) -> None:
        """Flush the folders that were written to, and let go of them."""
        while self._open:
            _, descriptor = self._open.popitem()
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise StorageFault(f"{self.root} cannot be written: {error.strerror}") from error
            finally:
                os.close(descriptor)

    def open(self, uri: str) -> BinaryIO:
        """Read an image."""
        try:
            return (self.root / uri).open("rb")
        except OSError as error:
            raise StorageFault(f"{self.root / uri} cannot be read: {error.strerror}") from error

    def listing(self, prefix: str = "") -> Iterator[Stored]:
        """Every file below a prefix folder."""
        for folder, _, files in os.walk(self.root / prefix):
            for name in files:
                path = Path(folder, name)
                yield Stored(path.relative_to(self.root).as_posix(), path.stat().st_size)


def _is_ours(parcel: Parcel, folder: int, leaf: str) -> bool:
    """Whether a file is the staged one, or a copy that was made of it before a crash.

    The same bytes alone do not tell: another attempt's picture may be equal to ours.
    """
    there = os.stat(leaf, dir_fd=folder, follow_symlinks=False)
    staged = parcel.staged.stat()
    if (there.st_dev, there.st_ino) == (staged.st_dev, staged.st_ino):
        return True
    if (there.st_mtime_ns, there.st_size) != (staged.st_mtime_ns, staged.st_size):
        return False
    descriptor = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == parcel.sha256
