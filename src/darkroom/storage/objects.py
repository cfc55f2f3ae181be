"""Objects of a prefix that come, move and go: a bucket as a folder that people drop files into.

Objects are whole when they are there, and a generation names the bytes of one for good. So a move
is a copy of a generation to a name that was free, then the removal of that generation: after a
crash in between, or in a race, it is done again to the same end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY

from darkroom.settings import GCS
from darkroom.storage.gcs import connect, faults_named

_ABSENT: Final = 0
_REQUEST_SECONDS: Final = 60.0
_FIELDS: Final = "items(name,size,generation),nextPageToken"


class Listed(NamedTuple):
    """An object that lies directly below the prefix."""

    name: str
    size: int
    generation: int


class Objects:
    """A prefix of a bucket. Every method raises StorageFault. Used from one thread."""

    def __init__(self, url: str, gcs: GCS) -> None:
        self._client, bucket, prefix = connect(url, gcs)
        self._bucket = self._client.bucket(bucket)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._kms_key = gcs.kms_key
        self._timeout = min(gcs.deadline_seconds, _REQUEST_SECONDS)
        self._retry = DEFAULT_RETRY.with_delay(0.5, 8.0, 2.0).with_timeout(gcs.deadline_seconds)

    def listing(self) -> list[Listed]:
        """What lies directly below the prefix, not in folders below it."""
        with faults_named(self._uri("")):
            found = self._bucket.list_blobs(
                prefix=self._prefix,
                delimiter="/",
                fields=_FIELDS,
                timeout=self._timeout,
                retry=self._retry,
            )
            return [
                Listed(blob.name.removeprefix(self._prefix), blob.size, blob.generation)
                for blob in found
                if blob.name != self._prefix
            ]

    def find(self, name: str) -> Listed | None:
        """One object as it is now; None when it is not there."""
        with faults_named(self._uri(name)):
            blob = self._bucket.get_blob(
                self._prefix + name, timeout=self._timeout, retry=self._retry
            )
        return None if blob is None else Listed(name, blob.size, blob.generation)

    def read(self, name: str) -> bytes | None:
        """A small object whole; None when it is not there."""
        with faults_named(self._uri(name)):
            try:
                data: bytes = self._bucket.blob(self._prefix + name).download_as_bytes(
                    checksum="crc32c", timeout=self._timeout, retry=self._retry
                )
            except NotFound:
                return None
        return data

    def download(self, one: Listed, target: Path) -> bool:
        """Write the bytes of a generation to a file; False when it is not there any more."""
        blob = self._bucket.blob(self._prefix + one.name, generation=one.generation)
        with faults_named(self._uri(one.name)):
            try:
                blob.download_to_filename(
                    str(target), checksum="crc32c", timeout=self._timeout, retry=self._retry
                )
            except NotFound:
                target.unlink(missing_ok=True)
                return False
        return True

    def create(self, name: str, data: bytes) -> bool:
        """Put a small object where nothing is; False when something is there."""
        with faults_named(self._uri(name)):
            try:
                self._blob(name).upload_from_string(
                    data,
                    "application/json",
                    if_generation_match=_ABSENT,
                    checksum="crc32c",
                    timeout=self._timeout,
                    retry=self._retry,
                )
            except PreconditionFailed:
                return False
        return True

    def write(self, name: str, data: bytes | Path) -> None:
        """Put an object over whatever is there; only for what has one writer."""
        how = {"checksum": "crc32c", "timeout": self._timeout, "retry": self._retry}
        with faults_named(self._uri(name)):
            if isinstance(data, bytes):
                self._blob(name).upload_from_string(data, "application/json", **how)
            else:
                self._blob(name).upload_from_filename(str(data), "text/csv", **how)

    def move(self, one: Listed, to: str) -> bool:
        """Move a generation to a free name; True when it lies there, by this call or before.

        False: it is gone, and nothing lies there. What is there already stays.
        """
        target = self._blob(to)
        with faults_named(self._uri(one.name)):
            try:
                self._rewrite(one, target)
            except PreconditionFailed:
                pass  # it was copied before a crash: names of shelves are reserved, so it is ours
            except NotFound:
                return self.find(to) is not None
        self.delete(one)
        return True

    def _rewrite(self, one: Listed, target: Blob) -> None:
        source = self._bucket.blob(self._prefix + one.name, generation=one.generation)
        token = None
        while True:  # a large object to another storage class takes several calls
            token, _, _ = target.rewrite(
                source,
                token=token,
                if_generation_match=_ABSENT,
                timeout=self._timeout,
                retry=self._retry,
            )
            if token is None:
                return

    def delete(self, one: Listed) -> None:
        """Remove a generation, if it is there."""
        with faults_named(self._uri(one.name)):
            try:
                self._bucket.blob(self._prefix + one.name).delete(
                    if_generation_match=one.generation, timeout=self._timeout, retry=self._retry
                )
            except (NotFound, PreconditionFailed):
                return

    def _blob(self, name: str) -> Blob:
        made: Blob = self._bucket.blob(self._prefix + name, kms_key_name=self._kms_key)
        return made

    def _uri(self, name: str) -> str:
        return f"gs://{self._bucket.name}/{self._prefix}{name}"
