"""How much a manifest may hold before reading stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes or characters; a file beyond them is a Problem, never a swollen process."""

    file_bytes: int = 2_000_000_000  # after decompression
    compression_ratio: int = 200  # decoded bytes per compressed byte; deflate itself ends at 1,032
    rows: int = 5_000_000
    line_bytes: int = 1_000_000
    field_chars: int = 65_536
    prompt_chars: int = 32_000
    columns: int = 256
    json_depth: int = 16


DEFAULT_LIMITS: Final = Limits()
