"""Reads the boxes of HEIC and HEIF files, which say what they are before anything is decoded.

Shape: ISO/IEC 14496-12 (boxes, `ftyp`) and ISO/IEC 23008-12 (`meta`, `ispe`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

_HEAD: Final = 8
_LONG: Final = 16  # of a box whose size is behind its name
_BRAND: Final = 4
_ISPE: Final = 20
_BOXES: Final = 1_024  # on top; true files have a handful


def brands(data: bytes) -> tuple[bytes, frozenset[bytes]]:
    """Give the brand that a file is of, and those that it is compatible with."""
    size = min(int.from_bytes(data[:4]), len(data), _BOXES)
    others = (data[at : at + _BRAND] for at in range(_LONG, size, _BRAND))
    return data[8:12], frozenset(others)


def sides(data: bytes) -> tuple[int, int]:
    """Give width and height of its largest image. Raises ValueError for what is no whole file."""
    metas = [data[start:end] for kind, start, end in _walk(data) if kind == b"meta"]
    found = [size for meta in metas for size in _sizes(meta)]
    if not found:
        raise ValueError("no image is described in it")
    return max(found, key=lambda size: size[0] * size[1])


def _walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    for _ in range(_BOXES):
        if at == len(data):
            return
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + _HEAD]
        head = _LONG if size == 1 else _HEAD
        if size == 1:
            size = int.from_bytes(data[at + _HEAD : at + _LONG])
        end = at + size if size else len(data)  # 0: to the end
        if (size and size < head) or end > len(data):
            raise ValueError("it ends too early")
        yield kind, at + head, end
        at = end


def _sizes(meta: bytes) -> Iterator[tuple[int, int]]:
    """Find the sizes of all images: of tiles, thumbnails, and the whole that is made of them."""
    at = meta.find(b"ispe")
    while at >= _BRAND:
        if int.from_bytes(meta[at - _BRAND : at]) == _ISPE and at + 16 <= len(meta):
            yield struct.unpack(">II", meta[at + 8 : at + 16])
        at = meta.find(b"ispe", at + 1)
