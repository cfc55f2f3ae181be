"""A web server on loopback that takes notices and keeps them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks import Webhook

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the one of the public examples


class Received:
    """One request, as it came."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.headers = headers
        self.body = body

    @property
    def id(self) -> str:
        """What says that two are one."""
        return self.headers["webhook-id"]

    def verified(self) -> dict[str, Any]:
        """Its document. Raises where the signature is wrong."""
        document: dict[str, Any] = Webhook(SECRET).verify(self.body, self.headers)
        return document


class Receiver:
    """Answers with `status`, whatever comes."""

    def __init__(self, port: int = 0, status: int = 204) -> None:
        self.status = status
        self.received: list[Received] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                told = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(told, body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        return Handler

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/notices"

    def target(self, **more: Any) -> dict[str, Any]:
        """The settings of a target that leads here."""
        return {"url": self.url, "secret": SECRET, "allow_hosts": ["127.0.0.1"], **more}

    def documents(self) -> list[dict[str, Any]]:
        """All that came, each with a good signature."""
        return [one.verified() for one in list(self.received)]

    def until(self, is_so: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait for something to come."""
        ends = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < ends, [one.body for one in self.received]
            time.sleep(0.05)

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
