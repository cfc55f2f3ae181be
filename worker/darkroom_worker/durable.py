"""Writes files that outlast a power cut, past the page cache where the system allows it."""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

_BLOCK: Final = 4096  # bytes; what a direct write must begin at and be a multiple of
_DIRECT: Final[int] = getattr(os, "O_DIRECT", 0)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class Writer:
    """Writes files whole. Safe to use from many threads; each keeps a buffer of its own.

    A picture is not read again soon, so it need not stay in memory: taking pages for it costs the
    kernel more than all else that happens to an answer.
    """

    def __init__(self) -> None:
        self._is_direct = bool(_DIRECT)
        self._own = threading.local()

    def write(
        self, path: Path, content: bytes, mark: Callable[[int], None] = lambda _: None
    ) -> None:
        """Write a file and wait until the disk has it. Raises OSError, and may leave a part.

        `mark` is called with the descriptor of what is written, before it is flushed.
        """
        if self._is_direct:
            try:
                self._write(path, self._padded(content), len(content), _DIRECT, mark)
            except OSError as error:
                if error.errno != errno.EINVAL:  # tmpfs and some network file systems say this
                    raise
                self._is_direct = False
            else:
                return
        self._write(path, memoryview(content), len(content), 0, mark)

    def _write(
        self,
        path: Path,
        content: memoryview,
        size: int,
        flags: int,
        mark: Callable[[int], None],
    ) -> None:
        descriptor = os.open(path, _NEW | flags, 0o644)
        try:
            while content:
                content = content[os.write(descriptor, content) :]
            os.ftruncate(descriptor, size)
            mark(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _padded(self, content: bytes) -> memoryview:
        """Copy to where a direct write may begin, up to the end of the last block."""
        size = -(-len(content) // _BLOCK) * _BLOCK
        buffer: mmap.mmap | None = getattr(self._own, "buffer", None)
        if buffer is None or len(buffer) < size:
            buffer = self._own.buffer = mmap.mmap(-1, max(size, mmap.PAGESIZE))
        buffer[: len(content)] = content
        return memoryview(buffer)[:size]
