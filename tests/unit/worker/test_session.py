from __future__ import annotations

import socket

from darkroom_worker.backends.session import _kept_alive


def test_a_connection_that_is_silent_for_a_minute_is_asked_whether_it_lives() -> None:
    idle = next(n for n in ("TCP_KEEPIDLE", "TCP_KEEPALIVE") if hasattr(socket, n))

    with _kept_alive((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        assert made.getsockopt(socket.IPPROTO_TCP, getattr(socket, idle)) == 60
