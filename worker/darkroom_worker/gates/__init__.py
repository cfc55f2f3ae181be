"""Gates: whether an image that came whole is one that a person would keep."""

from __future__ import annotations

from darkroom_worker.gates.gate import Candidate, Gate
from darkroom_worker.gates.look import look
from darkroom_worker.gates.row import GateRow, open_gates

__all__ = ["Candidate", "Gate", "GateRow", "look", "open_gates"]
