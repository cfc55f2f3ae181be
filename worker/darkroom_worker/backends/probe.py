"""What was found at one door of a provider, without anything being drawn or paid."""

from __future__ import annotations

import msgspec


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One door. `said` is a sentence; `fix` says what to do about it."""

    door: str
    answers: bool
    said: str
    fix: str | None = None
