"""All gates that an image goes through, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final

import structlog

from darkroom.models.attempt import STOPPED
from darkroom.settings import Gates
from darkroom_worker.gates import builtin
from darkroom_worker.gates.gate import Candidate, Gate
from darkroom_worker.picture import Damage

_log = structlog.get_logger(__name__)

GROUP: Final = "darkroom.gates"
_MESSAGE_LENGTH: Final = 500
_BUILTIN: Final[Mapping[str, Gate]] = {
    "blank": builtin.blank,
    "whole": builtin.whole,
    "white_border": builtin.white_border,
}
"""By the names of their settings; `duplicate` is judged where all images of a job are known."""


class GateRow:
    """Safe to use from many threads."""

    def __init__(self, gates: Mapping[str, Gate]) -> None:
        self._gates = gates

    def stops(self, candidate: Candidate) -> Damage | None:
        """Say which gate stops an image, and why; None lets it pass.

        A gate that raises lets it pass: the image was paid, and nothing is known against it.
        """
        for name, gate in self._gates.items():
            try:
                said = gate(candidate)
            except Exception:  # noqa: BLE001  # it may be somebody else's code
                _log.exception("a gate raised, and lets the image pass", gate=name)
                continue
            if said is not None:
                reason = name.upper().replace("-", "_")
                return Damage(f"{STOPPED}{reason}", str(said)[:_MESSAGE_LENGTH])
        return None


def open_gates(settings: Gates) -> GateRow:
    """Take the gates that the settings want, and those of installed packages."""
    if not settings.enabled:
        return GateRow({})
    gates = {name: gate for name, gate in _BUILTIN.items() if getattr(settings, name)}
    gates.setdefault("white_border", builtin.white_where_asked)
    if settings.own:
        gates |= {point.name: point.load() for point in entry_points(group=GROUP)}
    return GateRow(gates)
