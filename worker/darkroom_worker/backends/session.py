"""The connections of a provider's client: aiohttp, tuned for thousands of slow answers."""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial
from typing import Any, Final

import aiohttp

from darkroom.killpoints import Point, is_armed, reach
from darkroom_worker.backends.raw import RawResponse

_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY")

# What an answer may fill before it has a seat. Twice as much is read ahead, and thousands may wait.
_BUFFER_BYTES: Final = 64 << 10

# Flex answers after up to half an hour of silence; firewalls forget a silent connection sooner
# (AWS, Network Firewall, FlowTimeouts: 350 seconds; read 2026-11).
_SILENT_SECONDS: Final = 60
_PROBES: Final = ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL")  # as each system has them

# What answers may fill of the kernel's memory while they wait for a seat, in bytes. Left to itself,
# Linux lets each connection have megabytes of it; past `tcp_mem` it drops what comes, and whole
# answers then stand still for minutes (measured: 2,000 answers of 2 MB at once).
_WAITING_BYTES: Final = 256 << 20
_LEAST_BYTES: Final = 64 << 10
# A share as large as this slows no answer down: it is left to the kernel, which tunes it.
_AMPLE_BYTES: Final = 1 << 20


def open_session(connections: int = 1) -> aiohttp.ClientSession:
    """Make a session for about so many connections at a time.

    It looks for a proxy or .netrc only where a proxy is set: that costs a hop.
    """
    made = partial(_kept_alive, receive=_share(connections))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, socket_factory=made),
        trust_env=any(os.environ.get(name) for name in _PROXIES),
        read_bufsize=_BUFFER_BYTES,
        trace_configs=[_mark_of_sent()] if is_armed(Point.SENT) else None,
        response_class=RawResponse,
    )


def _share(connections: int) -> int | None:
    """How much one connection may keep, in bytes; None: as much as the kernel lets it."""
    share = max(_LEAST_BYTES, _WAITING_BYTES // connections)
    return None if share >= _AMPLE_BYTES else share


def _kept_alive(address: Any, receive: int | None = None) -> socket.socket:  # noqa: ANN401  # as `getaddrinfo` lists them
    """Make a socket that asks now and then whether the other side is still there.

    `receive` bounds what it keeps unread, in bytes; Linux takes twice that, for its own accounts.
    """
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if receive is not None:  # before it connects: the window is agreed on then
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    for name in _PROBES:
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), _SILENT_SECONDS)
    return made


def _mark_of_sent() -> aiohttp.TraceConfig:
    """Come past the kill point of requests that have left; aiohttp tells just before it writes."""

    async def soon(*_: object) -> None:
        asyncio.get_running_loop().call_soon(reach, Point.SENT, ())

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(soon)
    return trace
