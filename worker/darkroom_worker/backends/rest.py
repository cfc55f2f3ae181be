"""Plain REST calls: each leaves once, and its end is known, known to be nothing, or in doubt."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import requests
import urllib3
from google.auth import exceptions as auth
from google.genai import errors
from requests.adapters import HTTPAdapter

from darkroom.models import AttemptState
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.batch import Doubt, NotDone
from darkroom_worker.backends.faults import read_error

_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 120.0
_PIECE: Final = 1 << 20
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 15.0
_MESSAGE_LENGTH: Final = 500
_RESUMES: Final = 8  # broken pieces of one download in a row without a byte between them


class Rest:
    """A session with one host. Nothing is sent twice by itself; redirects are not followed."""

    def __init__(
        self, session: requests.Session, base_url: str, headers: Mapping[str, str] | None = None
    ) -> None:
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=0))
        self._session = session
        self._base = base_url.rstrip("/")
        self._headers = dict(headers or {})

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str | int] | None = None,
        seconds: float = _READ_SECONDS,
    ) -> dict[str, Any]:
        """Send one request and read its JSON. Raises NotDone or Doubt."""
        answer = self.send(method, path, query=query, json=body, seconds=seconds)
        with _translated():
            found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = _READ_SECONDS,
        stream: bool = False,
        **content: Any,
    ) -> requests.Response:
        """Send one request. `path` may be a whole URL. Raises NotDone or Doubt."""
        url = path if "://" in path else f"{self._base}{path}"
        with _translated():
            answer = self._session.request(
                method,
                url,
                params=dict(query or {}),
                headers={**self._headers, **(headers or {})},
                timeout=(_CONNECT_SECONDS, seconds),
                allow_redirects=False,
                stream=stream,
                **content,
            )
            if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                _refuse(answer)
            return answer

    def download(self, path: str, query: Mapping[str, str | int] | None = None) -> Iterator[bytes]:
        """Stream a file; where the stream breaks, the rest is asked for from there."""
        at, failures = 0, 0
        while True:
            try:
                for piece in self._pieces(path, query, at):
                    at, failures = at + len(piece), 0
                    yield piece
            except (Doubt, NotDone) as error:
                failures += 1
                if failures > _RESUMES or not _may_pass(error):
                    raise
                time.sleep(min(_LONGEST_PAUSE, _PAUSE * 2**failures))
            else:
                return

    def _pieces(self, path: str, query: Mapping[str, str | int] | None, at: int) -> Iterator[bytes]:
        # Bytes are counted as they lie there: compressed ones could not be gone on with.
        wanted = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={at}-"} if at else {})
        answer = self.send("GET", path, query=query, headers=wanted, stream=True)
        with answer, _translated():
            whole = answer.status_code != HTTPStatus.PARTIAL_CONTENT
            skip = at if whole else 0
            size = int(answer.headers.get("Content-Length", 0))
            got = 0
            for piece in answer.iter_content(_PIECE):
                got += len(piece)
                kept = piece[skip:]
                skip = max(0, skip - len(piece))
                if kept:
                    yield kept
            if size and got < size:
                raise Doubt(f"the download ended after {got:,} of {size:,} bytes")

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()


def _may_pass(error: Doubt | NotDone) -> bool:
    """Whether the same download may work a moment later."""
    if isinstance(error, Doubt):
        return True
    return error.outcome.ended in {
        AttemptState.BUSY,
        AttemptState.NOT_SENT,
        AttemptState.TRANSIENT,
        AttemptState.LOST,
    }


def _refuse(answer: requests.Response) -> None:
    """Raise what an error answer means."""
    try:
        said = answer.json()
    except ValueError:
        said = {"message": answer.text[:200]}
    outcome = read_error(errors.APIError(answer.status_code, said, answer))
    if outcome.ended is AttemptState.LOST:
        raise Doubt(outcome.message or f"HTTP {answer.status_code}")
    raise NotDone(outcome)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what requests raises into NotDone where no byte left, else into Doubt."""
    try:
        yield
    except auth.GoogleAuthError as error:
        raise NotDone(read_error(error)) from error
    except (requests.RequestException, OSError, ValueError) as error:
        said = str(error)[:_MESSAGE_LENGTH]
        if _never_left(error):
            raise NotDone(Outcome(ended=AttemptState.NOT_SENT, message=said)) from error
        raise Doubt(said) from error


def _never_left(error: BaseException) -> bool:
    """Whether the connection was never made: the host is unknown, silent or refuses."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
