from __future__ import annotations

import os
import socket

import pytest

from darkroom_worker.backends.session import _kept_alive, _share


def test_a_connection_that_is_silent_for_a_minute_is_asked_whether_it_lives() -> None:
    idle = next(n for n in ("TCP_KEEPIDLE", "TCP_KEEPALIVE") if hasattr(socket, n))

    with _kept_alive((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        assert made.getsockopt(socket.IPPROTO_TCP, getattr(socket, idle)) == 60


@pytest.mark.parametrize("connections", [1, 64, 256])
def test_few_connections_keep_as_much_as_the_kernel_lets_them(connections: int) -> None:
    assert _receive_buffer_of(connections) == _receive_buffer_of(1)


@pytest.mark.parametrize("connections", [500, 2_000, 4_000])
def test_many_connections_share_what_may_wait_in_the_kernel(connections: int) -> None:
    doubled = 2 if os.uname().sysname == "Linux" else 1

    assert _receive_buffer_of(connections) * connections <= doubled * (256 << 20)


def _receive_buffer_of(connections: int) -> int:
    """What a socket may keep that is one of so many."""
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    with _kept_alive(address, _share(connections)) as made:
        return made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
