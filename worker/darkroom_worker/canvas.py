"""The images that requests change, brought to where their provider can be shown them."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from darkroom.request import Exchange, Reference, Request
from darkroom.settings import GCS
from darkroom.storage import Storage, is_remote, open_storage
from darkroom_manifests.tier import Provider, Tier

_FOLDER: Final = "canvas"
_KEPT_SECONDS: Final = 3_600.0
_SWEEP_SECONDS: Final = 600.0


class Canvases:
    """Copies of images out of buckets, by content. Safe to share between threads.

    Vertex reads buckets itself; to everybody else the bytes are sent. A copy that nobody needed for
    an hour is deleted; it may be at any time, and is made again.
    """

    def __init__(self, home: Path, gcs: GCS) -> None:
        self._folder = home / _FOLDER
        self._gcs = gcs
        self._buckets: dict[str, Storage] = {}
        self._opening = threading.Lock()
        self._swept_at = 0.0

    def here(self, request: Request, tier: Tier) -> Request:
        """Give a request whose images can be sent on a tier. Raises StorageFault, OSError."""
        if tier.provider is Provider.VERTEX or not _lies_away(request.all_pictures):
            return request
        canvas = None if request.canvas is None else self._brought(request.canvas)
        history = tuple(self._exchange(each) for each in request.history)
        return msgspec.structs.replace(request, canvas=canvas, history=history)

    def _exchange(self, each: Exchange) -> Exchange:
        images = tuple(map(self._brought, each.references))
        return msgspec.structs.replace(each, image=self._brought(each.image), references=images)

    def _brought(self, image: Reference) -> Reference:
        if image.sha256 is None or not is_remote(image.uri):
            return image
        copy = self._folder / image.sha256
        try:
            os.utime(copy)
        except FileNotFoundError:
            self._copy(image, copy)
            self._sweep()
        return msgspec.structs.replace(image, uri=str(copy))

    def _copy(self, image: Reference, copy: Path) -> None:
        """Make a copy whole or not at all; two that are made at once are equal."""
        bucket, _, name = image.uri.removeprefix("gs://").partition("/")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = copy.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        with self._bucket(f"gs://{bucket}").open(name) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        part.replace(copy)

    def _sweep(self) -> None:
        """Delete what was not needed lately, looking for it once in a while."""
        now = time.time()
        if now < self._swept_at + _SWEEP_SECONDS:
            return
        self._swept_at = now
        for copy in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process was here
                if copy.stat().st_mtime < now - _KEPT_SECONDS:
                    copy.unlink()

    def _bucket(self, url: str) -> Storage:
        with self._opening:
            if url not in self._buckets:
                self._buckets[url] = open_storage(url, self._gcs)
            return self._buckets[url]


def _lies_away(images: Iterable[Reference]) -> bool:
    return any(image.sha256 is not None and is_remote(image.uri) for image in images)


def shown_alone(request: Request) -> Request:
    """Show the image that is to be changed without the turns before it.

    A model that thinks refuses a conversation whose answers lack its signatures (Google, Agent
    Platform, Thinking, 2026-10: for its least level).
    """
    return msgspec.structs.replace(request, canvas=request.history[-1].image, history=())
