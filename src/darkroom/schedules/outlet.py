"""The place that a schedule publishes images to: each put there once, never over another one."""

from __future__ import annotations

import filecmp
import hashlib
import os
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Final

from darkroom.errors import StorageFault
from darkroom.export.place import new_file
from darkroom.ids import new_id
from darkroom.schedules.publications import Image
from darkroom.settings import GCS
from darkroom.storage import Storage, is_remote, open_storage
from darkroom.storage.parcel import Parcel

_BLOCK: Final = 1 << 20
_LOST: Final = "`darkroom audit` says what is missing or changed."


class Outlet:
    """A folder or a bucket. A bucket takes `at_once` images at a time, each in a thread.

    Every method raises StorageFault.
    """

    def __init__(self, url: str, gcs: GCS, staging: Path) -> None:
        self.url = url
        self.at_once = gcs.uploads if is_remote(url) else 1
        self._gcs = gcs
        self._staging = staging
        self._storage = open_storage(url, gcs)
        self._sources: dict[str, Storage] = {}
        self._manifest = b""

    def put(self, image: Image) -> str:
        """Copy an image there; the name that it has there.

        It is checked against the books on the way. To put it again is success. Where another one
        has its name, it lies beside that one, with a mark in its own.
        """
        staged = self._staging / new_id("image")
        try:
            self._stage(image, staged)
            parcel = Parcel(
                staged=staged,
                name=_name(image),
                owner=image.attempt_id,
                sha256=image.sha256,
                bytes=image.bytes,
                mime=image.mime,
                notes={"job": image.job_id},
            )
            return self._storage.publish(parcel).uri
        finally:
            staged.unlink(missing_ok=True)

    def _stage(self, image: Image, staged: Path) -> None:
        """Copy its bytes here: what lies in an outlet must not be the stored file itself."""
        digest = hashlib.sha256()
        try:
            with self._source(image).open(image.uri) as source, staged.open("xb") as target:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
            moment = int(image.finished_at.timestamp() * 1_000_000_000)
            os.utime(staged, ns=(moment, moment))  # by it a folder knows an image again
        except OSError as error:
            raise StorageFault(f"{image.uri} cannot be copied: {error}.") from error
        if digest.hexdigest() != image.sha256:
            said = f"{image.uri} in {image.storage_url} is not the image that was received."
            raise StorageFault(said, hint=_LOST)

    def _source(self, image: Image) -> Storage:
        place = self._sources.get(image.storage_url)
        if place is None:
            place = self._sources[image.storage_url] = open_storage(image.storage_url, self._gcs)
        return place

    def sync(self) -> None:
        """Make what was put there outlast a power cut."""
        self._storage.sync()

    def put_manifest(self, name: str, file: Path) -> None:
        """Write it over the earlier one, whole or not at all, if it is another one."""
        if is_remote(self.url):
            digest = hashlib.sha256(file.read_bytes()).digest()
            if digest != self._manifest:
                module = import_module("darkroom.storage.objects")
                module.Objects(self.url, self._gcs).write(name, file)
                self._manifest = digest
            return
        path = Path(self.url, name)
        if path.is_file() and filecmp.cmp(file, path, shallow=False):
            return
        with new_file(path) as target:
            target.write(file.read_bytes())


def _name(image: Image) -> str:
    """What it is called there: as in the storage, without the job's folder."""
    path = PurePosixPath(image.uri.removeprefix(f"{image.job_id}/"))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise StorageFault(f"{image.uri} is no name below a folder.")
    return str(path)
