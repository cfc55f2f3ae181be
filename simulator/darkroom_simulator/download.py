"""Files on their way out: whole or a range of them, never more than a slice in memory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from aiohttp import web

from darkroom_simulator.wire import SLICE, cut, reset

RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")


class Broken(StrEnum):
    """How a download ends half-way: with a TCP reset, or as if that were all."""

    RESET = "reset"
    CUT = "cut"


class NoSuchRangeError(Exception):
    """The range asked for lies behind the end."""


def chosen(header: str | None, size: int) -> tuple[int, int] | None:
    """Read a Range header as (first, behind the last); None for no range or one of many parts."""
    match = RANGE.fullmatch((header or "").strip())
    if match is None or match["first"] == match["last"] == "":
        return None
    if not match["first"]:
        return max(0, size - int(match["last"])), size
    first = int(match["first"])
    if first >= size:
        raise NoSuchRangeError
    return first, min(size, int(match["last"]) + 1) if match["last"] else size


async def download(
    request: web.Request, path: Path, headers: Mapping[str, str], broken: Broken | None = None
) -> web.StreamResponse:
    """Send a file; raise NoSuchRangeError before anything is sent. A deletion meanwhile is fine."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        span = chosen(request.headers.get("Range"), size)
        first, end = span or (0, size)
        response = headed(headers, span, size)
        response.content_length = end - first
        await response.prepare(request)
        if broken:
            end = first + (end - first) // 2
        await pumped(response, descriptor, first, end)
        return await ended(request, response, broken)
    finally:
        os.close(descriptor)


def headed(
    headers: Mapping[str, str], span: tuple[int, int] | None, size: int
) -> web.StreamResponse:
    """Start a response, 206 for a range."""
    if span is None:
        return web.StreamResponse(headers={"Accept-Ranges": "bytes", **headers})
    part = {"Content-Range": f"bytes {span[0]}-{span[1] - 1}/{size}"}
    return web.StreamResponse(status=206, headers={**headers, **part})


async def pumped(response: web.StreamResponse, descriptor: int, first: int, end: int) -> None:
    """Send the bytes from `first` to `end`."""
    while first < end:
        piece = os.pread(descriptor, min(SLICE, end - first), first)
        await response.write(piece)
        first += len(piece)


async def ended(
    request: web.Request, response: web.StreamResponse, broken: Broken | None
) -> web.StreamResponse:
    """End a download, in the way it is to end."""
    if broken is Broken.RESET:
        reset(request)
    elif broken is Broken.CUT:
        cut(request)
    else:
        await response.write_eof()
    return response
