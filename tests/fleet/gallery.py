"""A web server of images on loopback, for tests: what it answers is said path by path."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

HOST = "127.0.0.1"


def picture(colour: str = "red", kind: str = "PNG", side: int = 16) -> bytes:
    """Make a small image."""
    target = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(target, kind)
    return target.getvalue()


class Gallery:
    """Serves `pages`: bytes, or an address to redirect to. Counts what was asked for.

    `endless` does not end, and `silent…` does not begin.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, bytes | str] = {}
        self.asked: Counter[str] = Counter()
        self.closing = threading.Event()
        self.types: dict[str, str] = {}

    def url(self, path: str) -> str:
        """The address of a page."""
        return f"http://{HOST}:{self.port}/{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    gallery: Gallery

    def handle_error(self, *_args: object) -> None:
        """Do not print that a client went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        gallery, name = self.server.gallery, self.path.lstrip("/").partition("?")[0]
        gallery.asked[name] += 1
        page = gallery.pages.get(name)
        if name.startswith("silent"):
            gallery.closing.wait()
            return
        if name == "endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"\x89PNG" * 16_384)
        if page is None:
            self.send_error(404)
        elif isinstance(page, str):
            self.send_response(302)
            self.send_header("location", page)
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("content-type", gallery.types.get(name, "image/png"))
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def opened() -> Iterator[Gallery]:
    """Serve for a while."""
    server = _Server((HOST, 0), _Handler)
    server.gallery = Gallery(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.gallery
    finally:
        server.gallery.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
