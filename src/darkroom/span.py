"""Lengths of time as people write them."""

from __future__ import annotations

from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds_of(text: str) -> int:
    """Read a length of time such as `90m`, `12h` or `2d`. Raises ValueError."""
    number, unit = text.strip()[:-1], text.strip()[-1:].lower()
    if not number.isdecimal() or unit not in _SECONDS or not int(number):
        raise ValueError(f'"{text[:40]}" is no length of time such as 90m, 12h or 2d')
    return int(number) * _SECONDS[unit]
