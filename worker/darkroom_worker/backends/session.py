"""The connections of a provider's client: aiohttp, tuned for thousands of slow answers."""

from __future__ import annotations

import asyncio
import os
import socket
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


def open_session() -> aiohttp.ClientSession:
    """Make a session that looks for a proxy or .netrc only where a proxy is set: it costs a hop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, socket_factory=_kept_alive),
        trust_env=any(os.environ.get(name) for name in _PROXIES),
        read_bufsize=_BUFFER_BYTES,
        trace_configs=[_mark_of_sent()] if is_armed(Point.SENT) else None,
        response_class=RawResponse,
    )


def _kept_alive(address: Any) -> socket.socket:  # noqa: ANN401  # as `getaddrinfo` lists them
    """Make a socket that asks now and then whether the other side is still there."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
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
