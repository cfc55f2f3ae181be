"""Fetching from places that others name, with a server on loopback that misbehaves."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from darkroom.safe_address import Refusal
from darkroom.safe_fetch import Answer, Bounds, SafeFetcher

LOOPBACK = "127.0.0.1"


class Handler(BaseHTTPRequestHandler):
    """Does what the path says."""

    def do_GET(self) -> None:
        name, _, rest = self.path.lstrip("/").partition("/")
        getattr(self, f"_{name}")(rest)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def _reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        told = {"content_length": str(len(body)), "content_type": "image/png", **headers}
        for name, value in told.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _ok(self, rest: str) -> None:
        said = f"{self.headers['host']} {self.headers['x-told']} {rest}"
        self._reply(said.encode())

    def _go(self, rest: str) -> None:
        self._reply(b"", 302, location=f"http://{rest}")

    def _big(self, rest: str) -> None:
        self._reply(b"x" * int(rest))

    def _endless(self, _rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65_536)

    def _short(self, _rest: str) -> None:
        self._reply(b"x", content_length="99")

    def _drip(self, _rest: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000):
            self.wfile.write(f"x-{number}: 1\r\n".encode())
            self.wfile.flush()
            time.sleep(0.05)

    def _packed(self, _rest: str) -> None:
        self._reply(b"x", content_encoding="gzip")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """Does not print that a client went away."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = Quiet((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


Get = Callable[..., Answer | Refusal]


@pytest.fixture
def get(server: ThreadingHTTPServer) -> Get:
    """Get a path from the server, which is allowed to be where it is."""

    def fetch(path: str, **bounds: object) -> Answer | Refusal:
        url = f"http://{LOOPBACK}:{server.server_port}/{path}"
        told = {"seconds": 20.0, **bounds}
        return SafeFetcher([LOOPBACK]).get(url, Bounds(**told))  # type: ignore[arg-type]  # by name

    return fetch


def refused(found: Answer | Refusal) -> str:
    assert isinstance(found, Refusal), found
    return found.code


def test_what_is_allowed_is_fetched(get: Get, server: ThreadingHTTPServer) -> None:
    found = get("ok/1", types=("image/png",))

    assert isinstance(found, Answer)
    assert found.body == f"{LOOPBACK}:{server.server_port} None 1".encode()


def test_loopback_is_refused_unless_it_is_allowed(server: ThreadingHTTPServer) -> None:
    url = f"https://{LOOPBACK}:{server.server_port}/ok/1"

    assert refused(SafeFetcher().get(url, Bounds())) == "url"
    assert refused(SafeFetcher().get(f"https://{LOOPBACK}/ok/1", Bounds())) == "address"


def test_a_name_that_changes_its_answer_is_connected_to_where_it_was_judged(
    server: ThreadingHTTPServer,
) -> None:
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return [LOOPBACK] if len(asked) == 1 else ["127.0.0.2"]

    fetcher = SafeFetcher(["rebind.example"], look_up=rebinding)

    found = fetcher.get(f"http://rebind.example:{server.server_port}/ok/1", Bounds())

    assert isinstance(found, Answer)
    assert found.body == f"rebind.example:{server.server_port} None 1".encode()
    assert asked == ["rebind.example"]


def test_a_name_that_becomes_private_is_refused_at_the_redirect(
    server: ThreadingHTTPServer,
) -> None:
    answers = {"out.example": [LOOPBACK], "in.example": ["169.254.169.254"]}
    fetcher = SafeFetcher(["out.example"], look_up=lambda host, _port: answers[host])
    url = f"http://out.example:{server.server_port}/go/in.example/latest/meta-data/"

    found = fetcher.get(url, Bounds(redirects=3))

    assert refused(found) == "url"  # it is not https, either


def test_a_redirect_to_where_one_may_go_is_followed_and_no_more_than_some(
    get: Get, server: ThreadingHTTPServer
) -> None:
    here = f"{LOOPBACK}:{server.server_port}"

    found = get(f"go/{here}/ok/end", redirects=1)

    assert isinstance(found, Answer)
    assert found.body.endswith(b" end")
    assert refused(get(f"go/{here}/go/{here}/ok/end", redirects=1)) == "redirect"


def test_a_post_follows_no_redirect(server: ThreadingHTTPServer) -> None:
    here = f"{LOOPBACK}:{server.server_port}"

    found = SafeFetcher([LOOPBACK]).post(f"http://{here}/go/{here}/ok/1", b"x", {}, Bounds())

    assert isinstance(found, Answer)
    assert found.status == 302


@pytest.mark.parametrize("path", ["big/101", "endless"])
def test_what_is_too_large_is_refused_unread_or_cut_off(get: Get, path: str) -> None:
    assert refused(get(path, most_bytes=100)) == "size"
    cut = get(path, most_bytes=100, cut=True)
    assert isinstance(cut, Answer)
    assert len(cut.body) == 100


def test_what_drips_is_cut_off_when_its_time_is_over(get: Get) -> None:
    assert refused(get("drip", seconds=0.5)) == "time"


def test_half_a_body_a_packed_one_and_one_of_another_type_are_refused(get: Get) -> None:
    assert refused(get("short")) == "fetch"
    assert refused(get("packed")) == "type"
    assert refused(get("ok/1", types=("image/jpeg",))) == "type"


def test_nobody_there_is_said_in_a_sentence(server: ThreadingHTTPServer) -> None:
    url = f"http://{LOOPBACK}:{server.server_port}/ok/1"
    server.shutdown()
    server.server_close()

    found = SafeFetcher([LOOPBACK]).get(url, Bounds())

    assert refused(found) == "fetch"
    assert "Connection refused" in str(found)


def certificate(folder: Path, name: str) -> Path:
    """A key and a certificate that speaks for a name, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName(name), x509.IPAddress(IPv4Address("9.9.9.9"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_tls_asks_for_the_name_although_the_address_is_pinned(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    own = certificate(tmp_path, "good.example")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(own)
    server.socket = served.wrap_socket(server.socket, server_side=True)
    trusting = ssl.create_default_context(cafile=str(own))
    hosts = ["good.example", "evil.example"]
    fetcher = SafeFetcher(hosts, look_up=lambda _host, _port: [LOOPBACK], tls=trusting)

    good, evil = (
        fetcher.get(f"https://{host}:{server.server_port}/ok/1", Bounds()) for host in hosts
    )

    assert isinstance(good, Answer)
    assert refused(evil) == "fetch"
    assert "CERTIFICATE_VERIFY_FAILED" in str(evil) or "Hostname mismatch" in str(evil)
