"""How an image looks at a glance, as a short text that is equal for images that look alike."""

from __future__ import annotations

from typing import Final

import structlog
from PIL import Image

from darkroom_worker.gates.gate import Candidate

_log = structlog.get_logger(__name__)

_COLUMNS, _ROWS = 8, 8
_STEP: Final = 2  # of 255: what differs by less is a plain ground, and its noise says nothing
_QUARTERS: Final = (2, 2)
_SHADE: Final = 32  # of 255: as finely as colours are told apart


def look(candidate: Candidate) -> str | None:
    """28 hex digits: where it gets darker to the right, and the colours of its quarters.

    The same picture in another file has the same look, and mostly so when it was encoded anew. None
    for an image that cannot be decoded.
    """
    try:
        small = candidate.thumbnail
    except (OSError, SyntaxError, ValueError) as error:
        _log.warning("an image cannot be looked at", error=str(error))
        return None
    return f"{_falls(small):016x}{_colours(small)}"


def _falls(small: Image.Image) -> int:
    """The difference hash: one bit for each pixel that is brighter than its right neighbour."""
    grey = small.convert("L").resize((_COLUMNS + 1, _ROWS), Image.Resampling.BOX).tobytes()
    bits = 0
    for row in range(_ROWS):
        at = row * (_COLUMNS + 1)
        for column in range(at, at + _COLUMNS):
            bits = bits << 1 | (grey[column] > grey[column + 1] + _STEP)
    return bits


def _colours(small: Image.Image) -> str:
    quarters = small.resize(_QUARTERS, Image.Resampling.BOX).tobytes()
    return "".join(f"{value // _SHADE:x}" for value in quarters)
