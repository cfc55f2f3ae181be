"""Names for rows that have no id: by their first picture, numbered where it comes again."""

from __future__ import annotations

from typing import Final

from darkroom_manifests.ids import Seen
from darkroom_manifests.problem import Code, Fault, Severity

_DIGITS: Final = 12


class RowNames:
    """Names the rows of one manifest in their order, so that reading it anew names them alike."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._counts: dict[str, int] = {}

    def of(self, fingerprint: str, line: int) -> tuple[str, Fault | None]:
        """Name a row, and doubt one whose picture an earlier row asks for."""
        name = fingerprint[:_DIGITS]
        first = self._seen.first(name, line)
        if first is None:
            return name, None
        self._counts[name] = self._counts.get(name, 1) + 1
        return f"{name}-{self._counts[name]}", Fault(
            Code.ROW_REPEATED,
            f"The row is the same as line {first:,}; unless --no-share is given, one picture is "
            "made for both.",
            "Say n for more pictures of one prompt.",
            Severity.WARNING,
        )
