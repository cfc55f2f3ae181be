"""Spoilt goods: what faults do to pictures, and which of them cut the connection."""

from __future__ import annotations

import binascii

from darkroom_simulator.faults import Faults, Name

CUT = frozenset({Name.DROP_BEFORE, Name.DROP_AFTER, Name.RESET, Name.TRUNCATED})
HEADER = 24  # bytes left whole, so that the type still looks right


def size(width: int, height: int, faults: Faults) -> tuple[int, int]:
    """Return the size to draw, which one fault gets wrong."""
    return (width // 2, height // 2) if Name.WRONG_SIZE in faults else (width, height)


def base64(text: bytes, faults: Faults) -> bytes:
    """Damage a picture's base64, or return it untouched."""
    if Name.BAD_BASE64 in faults:
        middle = len(text) // 2
        return text[:middle] + b"*!" + text[middle + 2 :]
    if faults.keys().isdisjoint({Name.CORRUPT, Name.TRUNCATED_IMAGE}):
        return text
    picture = binascii.a2b_base64(text)
    half = len(picture) // 2
    if Name.CORRUPT in faults:
        damaged = picture[:HEADER] + b"\x55" * (half - HEADER) + picture[half:]
    else:
        damaged = picture[:half]
    return binascii.b2a_base64(damaged, newline=False)
