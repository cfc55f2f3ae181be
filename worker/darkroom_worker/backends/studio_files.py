"""Reference images that lie at Google for a while: uploaded once, for all requests of a day.

An image has the name of its content and of the day, as in batches. So it is uploaded
once for the whole fleet, and since Google keeps it for 48 hours (Files API, 2026) it is never used
in its last. Nobody knows when the last request for it was made, so nothing is deleted: it expires.
"""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from google.genai import errors

from darkroom.request import Reference
from darkroom_worker.backends.google_files import Files
from darkroom_worker.backends.uploads import Uploads

_REFUSED: Final = frozenset({400, 403, 404})
_NAMED: Final = re.compile(r"dk-[0-9a-f]{24}-[0-9]{8}")
_TIMES: Final = 2  # how often a file may get lost, before its bytes go along again


class FileGone(Exception):
    """Google refused a request, since a file of it is not there: nothing was drawn or paid."""


class NotPlaced(Exception):
    """An image that is too large to go along could not be uploaded, so nothing was sent."""


def name_of(content: str, day: datetime) -> str:
    """Name the file of a content: letters, digits and hyphens, 40 at most."""
    return f"dk-{content[:24]}-{day:%Y%m%d}"


class StudioFiles:
    """The uploaded images of one API key."""

    def __init__(self, files: Files, now: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._uploads = Uploads(self._put, now)
        self._lost: Counter[str] = Counter()

    async def uri_of(self, reference: Reference, data: bytes) -> str | None:
        """See `Pointed.uri_of`."""
        name = name_of(reference.content or "", datetime.now(UTC))
        if self._lost[name] >= _TIMES:
            return None
        return await self._uploads.uri_of(name, reference.mime, data)

    def _put(self, name: str, data: bytes, mime: str) -> str:
        return self._files.put(name, io.BytesIO(data), len(data), mime)

    def is_gone(self, error: Exception) -> bool:
        """Whether Google says that a file of ours is not there; it is uploaded anew then."""
        if not isinstance(error, errors.APIError) or error.code not in _REFUSED:
            return False
        named = set(_NAMED.findall(str(error)))
        for name in named:
            self._lost[name] += self._uploads.forget(name)
        return bool(named)

    def close(self) -> None:
        """See `Pointed.close`."""
        self._uploads.close()
        self._files.close()
