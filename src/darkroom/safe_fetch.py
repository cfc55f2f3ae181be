"""Fetches from addresses of somebody else's choosing: checked, pinned, bounded.

The connection goes to the very address that was judged, so that a name that changes its answer
gains nothing; TLS still asks for the name. No proxy, no cookie, no redirect that was not judged.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final
from urllib.parse import urljoin

import msgspec

from darkroom.safe_address import Place, Refusal, Resolve, judge, resolve

_CHUNK: Final = 1 << 16
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_AGENT: Final = "darkroom"
_LEAST_SECONDS: Final = 0.01


class Bounds(msgspec.Struct, frozen=True):
    """What one fetch may take. `cut`: what is beyond `most_bytes` is left unread, not refused."""

    seconds: float = 30.0
    most_bytes: int = 20 << 20
    redirects: int = 0
    types: tuple[str, ...] = ()
    cut: bool = False


class Answer(msgspec.Struct, frozen=True):
    """What came back. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class SafeFetcher:
    """Makes one request after the other, each on a connection of its own."""

    def __init__(
        self,
        allow_hosts: Collection[str] = (),
        *,
        look_up: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_hosts = allow_hosts
        self._look_up = look_up
        self._tls = tls or ssl.create_default_context()

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], bounds: Bounds
    ) -> Answer | Refusal:
        """Post once; a redirect is an answer like another."""
        place = judge(url, self._allow_hosts, self._look_up)
        if isinstance(place, Refusal):
            return place
        return self._ask("POST", place, body, headers, bounds, bounds.seconds)

    def get(self, url: str, bounds: Bounds) -> Answer | Refusal:
        """Get, along at most `bounds.redirects` redirects, each of them judged like the first."""
        ends = time.monotonic() + bounds.seconds
        for _ in range(bounds.redirects + 1):
            place = judge(url, self._allow_hosts, self._look_up)
            if isinstance(place, Refusal):
                return place
            answer = self._ask("GET", place, None, {}, bounds, ends - time.monotonic())
            if isinstance(answer, Refusal) or answer.status not in _MOVED:
                return answer
            try:
                url = urljoin(url, answer.headers.get("location", ""))
            except ValueError:
                return Refusal("redirect", f"{place.host} redirects to what is no URL.")
        return Refusal("redirect", f"There are more than {bounds.redirects} redirects.")

    def _ask(
        self,
        method: str,
        place: Place,
        body: bytes | None,
        headers: Mapping[str, str],
        bounds: Bounds,
        seconds: float,
    ) -> Answer | Refusal:
        late = Refusal("time", f"{place.host} took more than {bounds.seconds:g} s.")
        if seconds <= 0:
            return late
        connection = _Pinned(place, seconds, self._tls)
        with _deadline(connection, seconds) as is_over:
            try:
                connection.connect()
                sent = {"user-agent": _AGENT, "accept-encoding": "identity", **headers}
                connection.request(method, place.path, body, sent)
                found = _read(connection.getresponse(), bounds)
            except (OSError, HTTPException, ValueError) as error:
                if is_over.is_set() or isinstance(error, TimeoutError):
                    return late
                said = getattr(error, "strerror", None) or str(error) or type(error).__name__
                return Refusal("fetch", f"{place.host} did not answer: {said}.")
            return late if is_over.is_set() else found  # a cut reads like an end


class _Pinned(HTTPConnection):
    """A connection to an address that was judged, whatever its name resolves to by now."""

    def __init__(self, place: Place, seconds: float, tls: ssl.SSLContext) -> None:
        super().__init__(place.host, place.port, timeout=seconds)
        self._place = place
        self._ends = time.monotonic() + seconds
        self._own_tls = tls if place.scheme == "https" else None
        self.default_port = 443 if self._own_tls else 80

    def connect(self) -> None:
        """Try the addresses in their order."""
        last = OSError("it has no address")
        for address in self._place.addresses:
            try:
                left = max(_LEAST_SECONDS, self._ends - time.monotonic())
                sock = socket.create_connection((address, self._place.port), left)
                break
            except OSError as error:
                last = error
        else:
            raise last
        self.sock = sock  # so that a deadline reaches it while TLS is agreed on
        if self._own_tls is not None:
            self.sock = self._own_tls.wrap_socket(sock, server_hostname=self._place.host)


@contextmanager
def _deadline(connection: _Pinned, seconds: float) -> Iterator[threading.Event]:
    """Cut a connection off that takes too long altogether: a timeout bounds only each read."""
    is_over = threading.Event()

    def cut() -> None:
        is_over.set()
        sock: socket.socket | None = connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()
        connection.close()


def _read(response: HTTPResponse, bounds: Bounds) -> Answer | Refusal:
    headers = {name.lower(): value for name, value in response.getheaders()}
    if (refusal := _unwanted(response.status, headers, bounds)) is not None:
        return refusal
    body = bytearray()
    while len(body) <= bounds.most_bytes and (chunk := response.read1(_CHUNK)):
        body += chunk
    if len(body) > bounds.most_bytes and not bounds.cut:
        return _too_large(bounds)
    if response.length and not bounds.cut:
        return Refusal("fetch", f"It ended {response.length:,} bytes early.")
    return Answer(response.status, headers, bytes(body[: bounds.most_bytes]))


def _unwanted(status: int, headers: Mapping[str, str], bounds: Bounds) -> Refusal | None:
    """What need not be read to be refused."""
    if status in _MOVED or bounds.cut:
        return None
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > bounds.most_bytes:
        return _too_large(bounds)
    if headers.get("content-encoding", "identity") != "identity":
        return Refusal("type", "It is compressed, which was not asked for.")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if bounds.types and kind not in bounds.types:
        return Refusal("type", f"It is {kind or 'of no type'}, not {' or '.join(bounds.types)}.")
    return None


def _too_large(bounds: Bounds) -> Refusal:
    return Refusal("size", f"It has more than {bounds.most_bytes:,} bytes.")
