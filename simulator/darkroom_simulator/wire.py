"""Replies on the wire, and everything that can happen to them there."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib

from aiohttp import web

from darkroom_simulator.call import Reply
from darkroom_simulator.faults import Fault, Name
from darkroom_simulator.problem import HTML, page

SLICE = 256 * 1024
DRIPS = 20
LINGER_RESET = struct.pack("ii", 1, 0)  # close sends RST instead of FIN


async def send(request: web.Request, reply: Reply, *, compress: bool) -> web.StreamResponse:
    """Send a reply, or what the faults leave of it, to a client that may have gone."""
    try:
        return await sent(request, reply, compress=compress)
    except ConnectionResetError:
        return cut(request)


async def sent(request: web.Request, reply: Reply, *, compress: bool) -> web.StreamResponse:
    """Send a reply the way its faults say."""
    faults = reply.faults
    if faults.keys() & {Name.DROP_BEFORE, Name.DROP_AFTER}:
        return cut(request)
    if Name.RESET in faults:
        return reset(request)
    if Name.GARBAGE in faults:
        return web.Response(body=page(502), headers={"Content-Type": HTML})
    response = headed(reply)
    if Name.ENDLESS in faults:
        return await endless(request, response)
    if Name.GZIP_BOMB in faults:
        response.headers["Content-Encoding"] = "gzip"
        return await whole(request, response, [bomb()])
    pieces = reply.pieces
    if compress and "gzip" in request.headers.get("Accept-Encoding", ""):
        pieces = [gzip.compress(b"".join(pieces), 1)]
        response.headers["Content-Encoding"] = "gzip"
    if Name.TRUNCATED in faults:
        return await truncated(request, response, pieces)
    if Name.DRIP in faults:
        return await dripped(request, response, pieces, faults[Name.DRIP])
    return await whole(request, response, pieces)


def headed(reply: Reply) -> web.StreamResponse:
    """Start a response."""
    headers = {"Content-Type": reply.content_type, **(reply.headers or {})}
    return web.StreamResponse(status=reply.status, headers=headers)


async def whole(
    request: web.Request, response: web.StreamResponse, pieces: list[bytes]
) -> web.StreamResponse:
    """Send every byte, in slices that the socket takes without keeping a copy."""
    response.content_length = sum(map(len, pieces))
    await response.prepare(request)
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), SLICE):
            await response.write(view[start : start + SLICE])
    await response.write_eof()
    return response


async def truncated(
    request: web.Request, response: web.StreamResponse, pieces: list[bytes]
) -> web.StreamResponse:
    """Promise the whole body, send half, hang up."""
    body = b"".join(pieces)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return cut(request, response)


async def dripped(
    request: web.Request, response: web.StreamResponse, pieces: list[bytes], fault: Fault
) -> web.StreamResponse:
    """Send the body in drips, over some seconds."""
    body = b"".join(pieces)
    response.content_length = len(body)
    await response.prepare(request)
    step = -(-len(body) // DRIPS)
    for start in range(0, len(body), step):
        await asyncio.sleep(fault.seconds(10) / DRIPS)
        await response.write(body[start : start + step])
    await response.write_eof()
    return response


async def endless(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send white space, which JSON may begin with, until the client goes away."""
    await response.prepare(request)
    while True:
        await response.write(b" " * SLICE)


def bomb() -> bytes:
    """A gibibyte of white space in a few megabytes, made at once: one block, over and over.

    A full flush lets each block be read without the ones before it. The end, which would hold
    the checksum of all, is left off: whoever reads that far has read too far.
    """
    squeezer = zlib.compressobj(1, wbits=31)
    head = squeezer.compress(b"") + squeezer.flush(zlib.Z_FULL_FLUSH)
    block = squeezer.compress(b" " * (1 << 20)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 1024


def cut(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Close the connection; what was written before still arrives."""
    if request.transport:
        request.transport.close()
    return response or web.Response()


def reset(request: web.Request) -> web.StreamResponse:
    """Tear the connection down with a TCP reset."""
    if request.transport:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        request.transport.abort()
    return web.Response()
