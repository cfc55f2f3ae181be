"""Reference images in a bucket that Vertex reads: uploaded once by content, for batches and others.

Nobody knows when the last request for one was made, so nothing is deleted; a lifecycle rule of the
bucket may do that.
"""

from __future__ import annotations

import mimetypes

from darkroom.errors import DarkroomError, StorageFault
from darkroom.request import Reference
from darkroom.settings import GCS, Settings
from darkroom.storage.staging import Staging
from darkroom_worker.backends.uploads import Uploads


def object_name(reference: Reference) -> str:
    """Name the object of a content."""
    extension = mimetypes.guess_extension(reference.mime) or ".bin"
    return f"references/{reference.content}{extension}"


class StagedFiles:
    """The images of one client that lie in the bucket for staging."""

    def __init__(self, url: str, gcs: GCS) -> None:
        self._url = url
        self._gcs = gcs
        self._staging: Staging | None = None
        self._uploads = Uploads(self._put)

    async def uri_of(self, reference: Reference, data: bytes) -> str | None:
        """See `Pointed.uri_of`."""
        return await self._uploads.uri_of(object_name(reference), reference.mime, data)

    def _put(self, name: str, data: bytes, mime: str) -> str:
        """Open the bucket when it is first needed: keys that are mended later are found then."""
        try:
            self._staging = self._staging or Staging(self._url, self._gcs)
        except DarkroomError as error:
            raise StorageFault(error.message, hint=error.hint) from error
        return self._staging.put_once(name, data, mime)

    def is_gone(self, error: Exception) -> bool:  # noqa: ARG002  # part of `Pointed`
        """What lies in a bucket of ours stays there."""
        return False

    def close(self) -> None:
        """See `Pointed.close`."""
        self._uploads.close()
        if self._staging is not None:
            self._staging.close()


def open_staged_files(settings: Settings) -> StagedFiles | None:
    """The bucket for staging; None where none is known: then all images go along."""
    if settings.staging is None:
        return None
    return StagedFiles(settings.staging, settings.gcs)
