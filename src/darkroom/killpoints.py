"""Places where a worker can be made to die, so that tests can see what its death there costs.

`DARKROOM_CRASH=P3:0.25:7` kills a process by SIGKILL, with that chance and that seed, each time it
comes past P3. Without the variable a point does nothing.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from typing import Final, Protocol

VARIABLE: Final = "DARKROOM_CRASH"


class Point(StrEnum):
    """Where an attempt is on its way, in order; P on demand, B those of a provider batch."""

    RESERVED = "P1"  # in the claim's transaction, before its commit
    CLAIMED = "P2"  # committed as sent; no byte has left
    SENT = "P3"  # bytes of the request have left
    ANSWERED = "P4"  # the answer is in memory and nowhere else
    STAGED = "P5"  # its picture is in the spool
    NOTED = "P6"  # how it ended is in the spool's journal
    PUBLISHED = "P7"  # its picture lies in the storage, the books do not know
    BOOKED = "P8"  # the books are committed, the spool still holds it
    BATCHED = "B1"  # claimed for a batch, committed; its input is not written
    UPLOADED = "B2"  # its input lies at the provider, the books do not know
    ASKING = "B3"  # committed as asked for; no byte has left
    ASKED = "B4"  # the provider has the batch, the books do not know its name
    NAMED = "B5"  # the name is in the books
    COLLECTED = "B6"  # every line is in the books, the batch is not ended


class Traveller(Protocol):
    """A claim or a closing: it knows which attempt it is about."""

    @property
    def attempt_id(self) -> str:
        """The attempt's id."""
        ...


def reach(point: Point, those: Sequence[Traveller]) -> None:
    """Come past a point with some attempts; on the other side alive, unless told to die there."""
    _fate()(point, those)


@cache
def is_armed(point: Point) -> bool:
    """Tell whether this process may die there."""
    return os.environ.get(VARIABLE, "").partition(":")[0] == point


@cache
def _fate() -> Callable[[Point, Sequence[Traveller]], None]:
    """Read the variable once, at the first point. Raises ValueError where it cannot be read."""
    told = os.environ.get(VARIABLE)
    if not told:
        return _live_on
    name, _, rest = told.partition(":")
    probability, _, seed = rest.partition(":")
    deadly, chance = Point(name), float(probability or 1)
    dice = random.Random(seed)  # noqa: S311  # it only picks moments

    def fate(point: Point, those: Sequence[Traveller]) -> None:
        if point is deadly and dice.random() < chance:
            names = " ".join(one.attempt_id for one in those)
            os.write(2, f"killed at {point} {names}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return fate


def _live_on(_point: Point, _those: Sequence[Traveller]) -> None:
    return
