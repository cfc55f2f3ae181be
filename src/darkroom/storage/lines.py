"""Cuts a stream of bytes into lines, whatever their length, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut pieces into lines that keep their newline; the last may have none."""
    parts: list[bytes] = []
    for piece in pieces:
        at = 0
        while (end := piece.find(b"\n", at)) >= 0:
            yield b"".join([*parts, piece[at : end + 1]])
            parts, at = [], end + 1
        if at < len(piece):
            parts.append(piece[at:])
    if parts:
        yield b"".join(parts)
