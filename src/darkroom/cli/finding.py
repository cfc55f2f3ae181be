"""One fact that `darkroom doctor` found out."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(msgspec.Struct, frozen=True):
    """One fact. `fix` says what to do about it."""

    check: str
    grade: Grade
    fact: str
    fix: str | None = None
