"""A bucket as a desk between us and Vertex: inputs are put there, results are fetched from there.

Names are made from ids and contents, and each object is created once: to put something a second
time is success.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage.retry import DEFAULT_RETRY

from darkroom.settings import GCS
from darkroom.storage.gcs import connect, faults_named
from darkroom.storage.lines import lines_of

_ABSENT: Final = 0
_CHUNK: Final = 8 << 20
_READ_CHUNK: Final = 4 << 20
_REQUEST_SECONDS: Final = 60.0


class Staging:
    """A prefix of a bucket. Every method raises StorageFault. Used from one thread."""

    def __init__(self, url: str, gcs: GCS) -> None:
        self._client, bucket, prefix = connect(url, gcs)
        self._bucket = self._client.bucket(bucket)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._kms_key = gcs.kms_key
        self._timeout = min(gcs.deadline_seconds, _REQUEST_SECONDS)
        self._retry = DEFAULT_RETRY.with_delay(0.5, 8.0, 2.0).with_timeout(gcs.deadline_seconds)

    def uri(self, name: str) -> str:
        """The `gs://` address of a name here."""
        return f"gs://{self._bucket.name}/{self._prefix}{name}"

    def put_file(self, name: str, file: Path) -> str:
        """Create an object from a file, resumably, with its crc32c; what is there stays."""
        size = file.stat().st_size
        with file.open("rb") as source:
            return self._put(name, source, size, "application/jsonl")

    def put_once(self, name: str, data: bytes, mime: str) -> str:
        """Create a small object, unless it is there already."""
        return self._put(name, io.BytesIO(data), len(data), mime)

    def _put(self, name: str, source: BinaryIO, size: int, mime: str) -> str:
        blob = self._bucket.blob(self._prefix + name, chunk_size=_CHUNK, kms_key_name=self._kms_key)
        with faults_named(self.uri(name)), suppress(PreconditionFailed):
            blob.upload_from_file(
                source,
                size=size,
                content_type=mime,
                if_generation_match=_ABSENT,
                checksum="crc32c",
                timeout=self._timeout,
                retry=self._retry,
            )
        return self.uri(name)

    def below(self, uri: str) -> list[str]:
        """The addresses of all objects below an address, in the order of their names."""
        folder = self._name(uri).rstrip("/") + "/"
        with faults_named(uri):
            blobs = self._bucket.list_blobs(prefix=folder, timeout=self._timeout, retry=self._retry)
            return sorted(f"gs://{self._bucket.name}/{blob.name}" for blob in blobs)

    def lines(self, uri: str) -> Iterator[bytes]:
        """Stream the lines of an object; pieces that fail are asked for again."""
        blob = self._bucket.blob(self._name(uri))
        with (
            faults_named(uri),
            blob.open(
                "rb", chunk_size=_READ_CHUNK, retry=self._retry, timeout=self._timeout
            ) as source,
        ):
            yield from lines_of(iter(lambda: source.read(_READ_CHUNK), b""))

    def delete(self, uri: str) -> None:
        """Delete an object, if it is there."""
        with faults_named(uri):
            try:
                self._bucket.blob(self._name(uri)).delete(timeout=self._timeout, retry=self._retry)
            except NotFound:
                return

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _name(self, uri: str) -> str:
        return uri.removeprefix(f"gs://{self._bucket.name}/")
