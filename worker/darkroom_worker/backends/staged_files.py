"""Reference images in a bucket that Vertex reads: uploaded once by content, for batches and others.

Nobody knows when the last request for one was made, so nothing is deleted; a lifecycle rule of the
bucket may do that.
"""

from __future__ import annotations

import mimetypes

import structlog

from darkroom.errors import DarkroomError
from darkroom.request import Reference
from darkroom.settings import Settings
from darkroom.storage.staging import Staging
from darkroom_worker.backends.uploads import Uploads

_log = structlog.get_logger(__name__)


def object_name(reference: Reference) -> str:
    """Name the object of a content."""
    extension = mimetypes.guess_extension(reference.mime) or ".bin"
    return f"references/{reference.content}{extension}"


class StagedFiles:
    """The images of one client that lie in the bucket for staging."""

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._uploads = Uploads(staging.put_once)

    async def uri_of(self, reference: Reference, data: bytes) -> str | None:
        """See `Pointed.uri_of`."""
        return await self._uploads.uri_of(object_name(reference), reference.mime, data)

    def is_gone(self, error: Exception) -> bool:  # noqa: ARG002  # part of `Pointed`
        """What lies in a bucket of ours stays there."""
        return False

    def close(self) -> None:
        """See `Pointed.close`."""
        self._uploads.close()
        self._staging.close()


def open_staged_files(settings: Settings) -> StagedFiles | None:
    """Open the bucket for staging; None where there is none: then all images go along."""
    if settings.staging is None:
        return None
    try:
        return StagedFiles(Staging(settings.staging, settings.gcs))
    except DarkroomError as error:
        _log.warning("references go along with each request", error=error.message, hint=error.hint)
        return None
