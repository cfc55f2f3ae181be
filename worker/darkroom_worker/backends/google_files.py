"""The Gemini API's file store: uploads that go on where they broke, downloads, deletes.

Protocol: Google, Gemini API, Files API, resumable upload, read in 2026. A file is
kept for 48 hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from darkroom.storage.lines import lines_of
from darkroom_worker.backends.batch import Doubt, NotDone
from darkroom_worker.backends.rest import Rest

VERSION: Final = "v1"
HOST: Final = "https://generativelanguage.googleapis.com"
"""Google's own address of the Gemini API."""

_PIECE: Final = 8 << 20  # a multiple of 256 KiB, as the protocol asks
_TRIES: Final = 6
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404


class Files:
    """The files of one API key. Names are ours, so that nothing is uploaded twice."""

    def __init__(self, rest: Rest, version: str) -> None:
        self._rest = rest
        self._version = version

    def put(self, name: str, source: BinaryIO, size: int, mime: str) -> str:
        """Upload under `files/NAME`, unless it is there whole; its URI. Raises NotDone, Doubt."""
        there = self.find(name)
        if there is not None and int(there.get("sizeBytes", -1)) == size:
            return str(there["uri"])
        try:
            self._send(self._begin(name, size, mime), source, size)
        except NotDone as error:
            if error.outcome.http_status != _CONFLICT:
                raise
        there = self.find(name)
        if there is None or int(there.get("sizeBytes", -1)) != size:
            raise Doubt(f"files/{name} did not arrive whole")
        return str(there["uri"])

    def put_file(self, name: str, file: Path, mime: str) -> str:
        """Upload a file; see `put`."""
        with file.open("rb") as source:
            return self.put(name, source, file.stat().st_size, mime)

    def find(self, name: str) -> dict[str, Any] | None:
        """What is known of a file; None when there is none."""
        try:
            return self._rest.call("GET", f"/{self._version}/files/{name}")
        except NotDone as error:
            # Google says 403 of a file that is not there: it may be another project's.
            if error.outcome.http_status in (403, _NOT_FOUND):
                return None
            raise

    def _begin(self, name: str, size: int, mime: str) -> str:
        answer = self._rest.send(
            "POST",
            f"/upload/{self._version}/files",
            headers={
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": str(size),
                "X-Goog-Upload-Header-Content-Type": mime,
            },
            json={"file": {"name": f"files/{name}", "displayName": name}},
        )
        return answer.headers["X-Goog-Upload-URL"]

    def _send(self, url: str, source: BinaryIO, size: int) -> None:
        """Send all pieces; after a failure the server is asked how far it came."""
        at, failures = 0, 0
        while True:
            source.seek(at)
            piece = source.read(_PIECE)
            is_last = at + len(piece) >= size
            try:
                self._send_piece(url, piece, at, is_last=is_last)
            except (Doubt, NotDone):
                failures += 1
                if failures >= _TRIES:
                    raise
                received = self._received(url)
                if received is None:
                    return
                at = received
            else:
                at += len(piece)
                if is_last:
                    return

    def _send_piece(self, url: str, piece: bytes, at: int, *, is_last: bool) -> None:
        command = "upload, finalize" if is_last else "upload"
        headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(at)}
        self._rest.send("POST", url, headers=headers, data=piece)

    def _received(self, url: str) -> int | None:
        """How many bytes have arrived; None when the file is finished."""
        answer = self._rest.send("POST", url, headers={"X-Goog-Upload-Command": "query"})
        if answer.headers.get("X-Goog-Upload-Status") == "final":
            return None
        return int(answer.headers.get("X-Goog-Upload-Size-Received", 0))

    def lines(self, name: str) -> Iterator[bytes]:
        """Stream the lines of `files/ID`; a broken download goes on where it broke."""
        path = f"/{self._version}/{name}:download"
        return lines_of(self._rest.download(path, {"alt": "media"}))

    def close(self) -> None:
        """Let go of connections."""
        self._rest.close()

    def delete(self, name: str) -> None:
        """Delete `files/ID`, if it is there."""
        try:
            self._rest.call("DELETE", f"/{self._version}/{name}")
        except NotDone as error:
            if error.outcome.http_status not in (403, _NOT_FOUND):
                raise
