"""Uploads to the Files API: sessions that are spoken to in X-Goog-Upload headers.

Google, Gemini API, Files; google-genai 3.4.0, _api_client.py.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiohttp import web

from darkroom_simulator.files import File, Files, Named
from darkroom_simulator.intake import Intake
from darkroom_simulator.problem import Problem, invalid

GRAIN = 256 << 10  # chunks but the last are multiples of it; told to clients
CHUNK = 1 << 20
LARGEST = 2 << 30  # Google, Gemini API, Files


@dataclass(slots=True)
class Session:
    """An upload on its way. `promised` is the length that its beginning named, or None."""

    named: Named
    data: Intake
    promised: int | None
    made: File | None = None

    @property
    def status(self) -> dict[str, str]:
        """The headers that say how far it is."""
        status = "final" if self.made else "active"
        received = str(self.data.size)
        return {"X-Goog-Upload-Status": status, "X-Goog-Upload-Size-Received": received}


class FileSessions:
    """The uploads that were begun."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._sessions: dict[str, Session] = {}

    def begin(self, named: Named, promised: int | None) -> str | Problem:
        """Begin one; its id."""
        if promised is not None and promised > LARGEST:
            return invalid("The file is larger than 2 GB.")
        key = secrets.token_urlsafe(24)
        self._sessions[key] = Session(named, self.files.intake(), promised)
        return key

    def find(self, key: str) -> Session | Problem:
        """Return one."""
        return self._sessions.get(key) or Problem(404, "No such upload.", "not-found")

    def cancel(self, key: str) -> None:
        """Forget one that is not over."""
        self._sessions.pop(key).data.drop()

    def finish(self, session: Session) -> File | Problem:
        """Make the file."""
        size = session.data.size
        if session.promised not in {None, size}:
            return invalid(f"The upload is {size} bytes long, not {session.promised}.")
        made = self.files.add(session.named, session.data)
        if isinstance(made, File):
            session.made = made
        return made


async def take(session: Session, request: web.Request, *, last: bool) -> Problem | None:
    """Take a chunk in; what came of one that was cut stays, and the client can ask how much."""
    offset = request.headers.get("X-Goog-Upload-Offset", "")
    if session.made or offset != str(session.data.size):
        return invalid(f"Invalid offset {offset!r}: {session.data.size} bytes have come.")
    if not last and (request.content_length or 0) % GRAIN:
        return invalid(f"Chunks but the last must be multiples of {GRAIN} bytes.")
    async for chunk in request.content.iter_chunked(CHUNK):
        session.data.write(chunk)
        if session.data.size > LARGEST:
            return invalid("The file is larger than 2 GB.")
    return None
