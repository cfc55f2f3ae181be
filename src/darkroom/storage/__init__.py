"""Where finished images are kept: write-once places that never overwrite.

A place is a folder or a bucket. Every place passes one suite, `tests/contract/test_storage.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from darkroom.errors import ConfigInvalid
from darkroom.settings import GCS
from darkroom.storage.local import Folder
from darkroom.storage.parcel import Parcel, Stored

_BUCKET: Final = "gs://"


class Storage(Protocol):
    """A write-once place for images. Every method raises StorageFault when the place fails."""

    def publish(self, parcel: Parcel) -> Stored:
        """Put a staged file under its name, whole or not at all.

        What the same owner put there before is success. Anything else there is left alone, and
        the file gets its name set apart.
        """
        ...

    def withdraw(self, parcel: Parcel) -> None:
        """Take back what publishing this parcel put there, if it is there; nothing else."""
        ...

    def sync(self) -> None:
        """Make everything published so far outlast a power cut."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """Read an object."""
        ...

    def listing(self, prefix: str = "") -> Iterator[Stored]:
        """Every object below a prefix, which is a folder's name or empty."""
        ...


def is_remote(url: str) -> bool:
    """Whether publishing there waits for a network: then many at once, each in its thread."""
    return url.startswith(_BUCKET)


def open_storage(url: str, gcs: GCS) -> Storage:
    """Open a place by its URL: a folder, with or without `file://`, or `gs://bucket/prefix`.

    Folders belong to one thread, buckets to any number. Raises ConfigInvalid for other URLs.
    """
    if is_remote(url):  # Google's SDK takes a third of a second to import: only who needs it does
        module = import_module("darkroom.storage.gcs")
        return cast("Storage", module.open_bucket(url, gcs))
    if "://" in url and not url.startswith("file://"):
        raise ConfigInvalid(
            f"{url} is not a place that this version can write to.",
            hint="Give a folder, such as ./out, or gs://bucket/prefix.",
        )
    return Folder(Path(url.removeprefix("file://")))
