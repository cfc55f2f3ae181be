"""Where an export is written: whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from darkroom.errors import ConfigInvalid, StorageFault


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write beside it, and put it in place at the end. Raises StorageFault."""
    with _refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        part = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside it, and put it in place at the end. Raises ConfigInvalid."""
    with _refused(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ConfigInvalid(f"{path} holds something already.", hint="Give a new folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name[:100]}.", dir=path.parent))
        try:
            yield part
            part.chmod(0o755)
            part.replace(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        said = f"{path} cannot be written: {error.strerror or error}."
        raise StorageFault(said, hint="Give another place by --out.") from error
