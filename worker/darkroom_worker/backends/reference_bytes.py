"""The bytes of reference images: read once for many requests, and no others than were planned."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image

from darkroom.references import heic
from darkroom.references.fitting import fitted
from darkroom.request import Reference

_KEPT_BYTES: Final = 64_000_000
_JPEG_BYTES: Final = 7_000_000  # what goes along within a request, at most


def read(reference: Reference) -> bytes:
    """Read a local image. Raises ValueError where it is not there, or not what was planned.

    That is no OSError: those are taken for answers that were lost, and nothing was sent.
    """
    try:
        data = Path(reference.uri).read_bytes()
    except OSError as error:
        said = error.strerror or str(error)
        raise ValueError(f"The reference {reference.uri} cannot be read: {said}.") from error
    if reference.sha256 is not None and hashlib.sha256(data).hexdigest() != reference.sha256:
        raise ValueError(f"The reference {reference.uri} changed since it was planned.")
    return _as_jpeg(reference, data) if reference.as_jpeg else data


def without_heic(reference: Reference) -> Reference:
    """What is read in its place by those who take no HEIC: JPEG."""
    if reference.mime not in heic.TYPES:
        return reference
    return msgspec.structs.replace(reference, mime="image/jpeg", as_jpeg=True)


def _as_jpeg(reference: Reference, data: bytes) -> bytes:
    try:
        written = fitted(data, _JPEG_BYTES)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        said = f"The reference {reference.uri} cannot be written as JPEG: {error}"
        raise ValueError(said) from error
    if written is None:
        raise ValueError(f"The reference {reference.uri} is too large as JPEG.")
    return written


def read_for_batch(reference: Reference) -> bytes:
    """Read a local image that a batch points to. Raises OSError: the batch waits for the file.

    What is uploaded is named by its hash, so that other bytes would be wrong for all later rows.
    """
    try:
        return read(reference)
    except ValueError as error:
        raise OSError(str(error)) from error


class ReferenceBytes:
    """Images of one backend, of which the last used are kept in memory."""

    def __init__(self, most_bytes: int = _KEPT_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    async def of(self, reference: Reference) -> bytes:
        """Give the bytes; see `read`. A file is read beside the event loop."""
        known = self._kept.get(reference.content or "")
        if known is not None:
            return known
        return await asyncio.to_thread(self._read, reference)

    def _read(self, reference: Reference) -> bytes:
        with self._lock:  # many requests ask for the same at once: one reads it
            name = reference.content
            if name is None:
                return read(reference)
            data = self._kept.get(name)
            if data is None:
                data = self._kept[name] = read(reference)
                self._size += len(data)
                while self._size > self._most and len(self._kept) > 1:
                    self._size -= len(self._kept.popitem(last=False)[1])
            return data
