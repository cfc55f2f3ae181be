"""Names for jobs, attempts and workers: sortable by time, not to be guessed, safe in file names."""

from __future__ import annotations

import secrets
import time
from typing import Final

_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


def _spell(number: int, letters: int) -> str:
    return "".join(_LETTERS[(number >> shift) & 31] for shift in range(5 * letters - 5, -5, -5))


def new_id(prefix: str) -> str:
    """Make a name such as `job_01kay5t0m2x7q4c9z0` : 9 letters of time (ms), 9 of chance."""
    return f"{prefix}_{_spell(time.time_ns() // 1_000_000, 9)}{_spell(secrets.randbits(45), 9)}"
