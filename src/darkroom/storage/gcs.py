"""Images in a Google Cloud Storage bucket: each created once, under a precondition, and checked.

Facts of the API: https://cloud.google.com/storage/docs/request-preconditions and
https://cloud.google.com/storage/docs/retry-strategy, read in November 2026.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import google.auth
import google_crc32c
import structlog
from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Blob, Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

from darkroom.errors import ConfigInvalid, StorageFault
from darkroom.settings import GCS
from darkroom.storage.parcel import Parcel, Stored

_URL: Final = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*))?")
_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
_EMULATOR: Final = "STORAGE_EMULATOR_HOST"
_ABSENT: Final = 0  # the generation of an object that is not there
_CHUNK: Final = 8 << 20  # the SDK sends in one request up to this, and resumably above
_REQUEST_SECONDS: Final = 60.0
_PAGE: Final = 1_000
_OWNER: Final = "attempt"
_WAITS: Final = "Nothing is lost: the image waits in the spool. Mend the place and run again."
_FAULTS: Final = (GoogleAPIError, GoogleAuthError, DataCorruption, InvalidResponse, OSError)

_log = structlog.get_logger(__name__)


class Bucket:
    """A bucket, or a prefix in one. Safe to share between threads."""

    def __init__(self, client: Client, bucket: str, prefix: str, gcs: GCS) -> None:
        self._bucket = client.bucket(bucket)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._kms_key = gcs.kms_key
        self._timeout = min(gcs.deadline_seconds, _REQUEST_SECONDS)
        # Safe for every call here: each write and delete names the generation that it expects.
        self._retry = DEFAULT_RETRY.with_delay(0.5, 8.0, 2.0).with_timeout(gcs.deadline_seconds)

    def publish(self, parcel: Parcel) -> Stored:
        """Create the object; see `Storage.publish`."""
        data = parcel.staged.read_bytes()
        sent = Stored(parcel.name, len(data), _crc32c(data))
        for name in parcel.names:
            with faults_named(self._uri(name)):
                stored = self._create(parcel, name, data) or self._earlier(parcel, name)
            if stored is not None:
                self._check(name, sent, stored)
                return _described(name, stored)
        raise StorageFault(f"{self._uri(name)} is taken by another object.")

    def _create(self, parcel: Parcel, name: str, data: bytes) -> Blob | None:
        """Upload under the precondition that nothing is there; None when something is."""
        blob = self._bucket.blob(self._prefix + name, chunk_size=_CHUNK, kms_key_name=self._kms_key)
        blob.metadata = {**parcel.notes, _OWNER: parcel.owner, "sha256": parcel.sha256}
        try:
            blob.upload_from_file(
                io.BytesIO(data),
                size=len(data),
                content_type=parcel.mime,
                if_generation_match=_ABSENT,
                checksum="crc32c",
                timeout=self._timeout,
                retry=self._retry,
            )
        except PreconditionFailed:
            return None
        return blob

    def _earlier(self, parcel: Parcel, name: str) -> Blob | None:
        """What is there, if an earlier try of ours put it: its reply was lost, or we crashed."""
        blob = self._look(name)
        if blob is None:
            raise StorageFault(f"{self._uri(name)} was there and is gone.", hint=_WAITS)
        if (blob.metadata or {}).get(_OWNER) == parcel.owner:
            return blob
        self._tell_of_stranger(parcel, name, blob)
        return None

    def _tell_of_stranger(self, parcel: Parcel, name: str, blob: Blob) -> None:
        """Another attempt's image is what `--again` or a template brings; other things are odd."""
        notes = blob.metadata or {}
        tell = _log.warning if _OWNER in notes else _log.error
        tell(
            "another object has an image's name",
            uri=self._uri(name),
            generation=blob.generation,
            of_attempt=notes.get(_OWNER),
            of_job=notes.get("job"),
            attempt=parcel.owner,
        )

    def _check(self, name: str, sent: Stored, stored: Blob) -> None:
        """Compare what the bucket says it holds; damaged bytes of ours are removed at once."""
        if (stored.size, stored.crc32c) == (sent.bytes, sent.crc32c):
            return
        with faults_named(self._uri(name)):
            self._delete(stored)
        raise StorageFault(
            f"{self._uri(name)} arrived with {stored.size} bytes and crc32c {stored.crc32c}"
            f" instead of {sent.bytes} and {sent.crc32c}.",
            hint=_WAITS,
        )

    def withdraw(self, parcel: Parcel) -> None:
        """Delete the generation that this attempt created; see `Storage.withdraw`."""
        for name in parcel.names:
            with faults_named(self._uri(name)):
                blob = self._look(name)
                if blob is not None and (blob.metadata or {}).get(_OWNER) == parcel.owner:
                    self._delete(blob)

    def _look(self, name: str) -> Blob | None:
        blob: Blob | None = self._bucket.get_blob(
            self._prefix + name, timeout=self._timeout, retry=self._retry
        )
        return blob

    def _delete(self, blob: Blob) -> None:
        try:
            blob.delete(
                if_generation_match=blob.generation, timeout=self._timeout, retry=self._retry
            )
        except (NotFound, PreconditionFailed):
            return  # a lost reply, or somebody was faster: this generation is gone

    def sync(self) -> None:
        """Do nothing: an object that was acknowledged is durable."""

    def open(self, uri: str) -> BinaryIO:
        """Read an object whole; its crc32c is checked on the way."""
        with faults_named(self._uri(uri)):
            data: bytes = self._bucket.blob(self._prefix + uri).download_as_bytes(
                checksum="crc32c", timeout=self._timeout, retry=self._retry
            )
        return io.BytesIO(data)

    def listing(self, prefix: str = "") -> Iterator[Stored]:
        """Every object below a folder's name, a thousand a request."""
        below = self._prefix + (f"{prefix}/" if prefix else "")
        with faults_named(self._uri(prefix)):
            for blob in self._bucket.list_blobs(
                prefix=below,
                page_size=_PAGE,
                fields="items(name,size,crc32c),nextPageToken",
                timeout=self._timeout,
                retry=self._retry,
            ):
                yield _described(blob.name.removeprefix(self._prefix), blob)

    def _uri(self, name: str) -> str:
        return f"gs://{self._bucket.name}/{self._prefix}{name}"


def open_bucket(url: str, gcs: GCS) -> Bucket:
    """Open a place for images; see `connect`."""
    return Bucket(*connect(url, gcs), gcs)


def connect(url: str, gcs: GCS) -> tuple[Client, str, str]:
    """Make a client for gs://bucket/prefix, and name the two; nothing is sent yet.

    Raises ConfigInvalid, or StorageFault without keys.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ConfigInvalid(f"{url} names no bucket.", hint="Give gs://bucket/prefix.")
    with faults_named(url):
        client = Client(project=gcs.project, credentials=_credentials(gcs))
    adapter = HTTPAdapter(pool_maxsize=gcs.uploads)  # the SDK's ten would be reopened all the time
    client._http.mount("https://", adapter)  # noqa: SLF001  # the SDK offers no other way
    client._http.mount("http://", adapter)  # noqa: SLF001  # same
    return client, found[1], found[2] or ""


def _credentials(gcs: GCS) -> Credentials:
    """Find credentials; an emulator gets none, and no metadata server is asked for them."""
    if os.environ.get(_EMULATOR):
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    if gcs.credentials_file is not None:
        path = str(gcs.credentials_file)
        found = google.auth.load_credentials_from_file(path, scopes=[_SCOPE])  # type: ignore[no-untyped-call]
    else:
        found = google.auth.default(scopes=[_SCOPE])
    credentials: Credentials = found[0]
    return credentials


@contextmanager
def faults_named(what: str) -> Iterator[None]:
    """Translate whatever the SDK and its transport raise into a StorageFault that says `what`."""
    try:
        yield
    except _FAULTS as error:
        said = str(error).strip().partition("\n")[0]
        raise StorageFault(f"{what}: {said}", hint=_hint(error)) from error


def _hint(error: Exception) -> str:
    if isinstance(error, NotFound):
        return "Does the bucket exist? " + _WAITS
    if isinstance(error, Forbidden):
        return "The account needs roles/storage.objectUser on the bucket. " + _WAITS
    if isinstance(error, GoogleAuthError):
        return "Set gcs.credentials_file, or run `gcloud auth application-default login`."
    return _WAITS


def _described(uri: str, blob: Blob) -> Stored:
    return Stored(uri, blob.size, blob.crc32c)


def _crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
