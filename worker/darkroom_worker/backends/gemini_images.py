"""Images as parts of a Gemini request: their bytes, or where they lie."""

from __future__ import annotations

from google.genai import types

from darkroom.models import AttemptState
from darkroom.request import Reference
from darkroom.weight import INLINE_BYTES, UPLOADED_BYTES
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.reference_bytes import ReferenceBytes
from darkroom_worker.backends.studio_files import FileGone, NotPlaced
from darkroom_worker.backends.uploads import Pointed


class Images:
    """The images of one client; without `files` all that are here go along with each request."""

    def __init__(self, files: Pointed | None) -> None:
        self._references = ReferenceBytes()
        self._files = files

    @property
    def are_pointed_to(self) -> bool:
        """Whether requests may point to the larger ones."""
        return self._files is not None

    async def part(
        self, reference: Reference, *, is_own: bool = False, must_lie: bool = False
    ) -> types.Part:
        """Spell an image; a request's own goes along with it, as long as it is not too large.

        With `must_lie` the request would be too large if larger images went along. Raises
        NotPlaced, and ValueError where it is not what was planned.
        """
        if reference.uri.startswith("gs://"):
            return types.Part.from_uri(file_uri=reference.uri, mime_type=reference.mime)
        data = await self._references.of(reference)
        least = INLINE_BYTES if is_own else UPLOADED_BYTES
        if len(data) >= least:
            uri = await self._uploaded(reference, data)
            if uri is not None:
                return types.Part.from_uri(file_uri=uri, mime_type=reference.mime)
            if self.are_pointed_to and (must_lie or len(data) > INLINE_BYTES):
                said = f"{reference.uri} could not be uploaded, and is too large to go along."
                raise NotPlaced(said)
        return types.Part.from_bytes(data=data, mime_type=reference.mime)

    async def _uploaded(self, reference: Reference, data: bytes) -> str | None:
        """Find where a larger image lies; None: it goes along."""
        if self._files is None or reference.content is None:
            return None
        return await self._files.uri_of(reference, data)

    def meant(self, error: Exception) -> Exception:
        """Tell an error about a file that went from all others."""
        is_gone = self._files is not None and self._files.is_gone(error)
        return FileGone(str(error)) if is_gone else error

    def close(self) -> None:
        """Upload nothing more."""
        if self._files is not None:
            self._files.close()


def read_unpointed(error: Exception) -> Outcome | None:
    """Classify what goes wrong with uploaded images alone; None: it is something else."""
    if isinstance(error, FileGone):  # and is uploaded again, for the next attempt
        return Outcome(ended=AttemptState.NOT_SENT, message=str(error))
    if isinstance(error, NotPlaced):
        return Outcome(ended=AttemptState.TRANSIENT, message=str(error))
    return None
