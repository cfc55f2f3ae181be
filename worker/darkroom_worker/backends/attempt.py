"""Which attempt a request is, for backends whose provider can be told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_ATTEMPT: Final[ContextVar[str | None]] = ContextVar("attempt", default=None)


@contextmanager
def named(attempt_id: str) -> Iterator[None]:
    """Let what this task sends meanwhile be known as that attempt."""
    token = _ATTEMPT.set(attempt_id)
    try:
        yield
    finally:
        _ATTEMPT.reset(token)


def attempt_id() -> str | None:
    """The attempt that this task sends; None outside of the engine."""
    return _ATTEMPT.get()
