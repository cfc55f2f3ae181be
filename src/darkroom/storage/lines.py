"""Cuts a stream of bytes into lines, whatever their length, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut pieces into lines that keep their newline; the last may have none."""
    parts: list[memoryview] = []  # a line has megabytes: it is copied once, when it is whole
    for piece in pieces:
        at, view = 0, memoryview(piece)
        while (end := piece.find(b"\n", at)) >= 0:
            yield b"".join([*parts, view[at : end + 1]])
            parts, at = [], end + 1
        if at < len(piece):
            parts.append(view[at:])
    if parts:
        yield b"".join(parts)
