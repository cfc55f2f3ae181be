"""Places where a worker can be made to die, so that tests can see what its death there costs.

`DARKROOM_CRASH=P3:0.25:7` kills a process by SIGKILL, with that chance and that seed, each time it
comes past P3. Without the variable a point does nothing.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import cache
from typing import Final, Protocol

VARIABLE: Final = "DARKROOM_CRASH"


class Point(StrEnum):
    """Where an attempt is on its way, in order; P on demand, B those of a provider batch.

    I are those of a file in a watched folder, S those of a schedule's run, N of a notice.
    """

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
    DROPPED = "I1"  # a dropped file is written down; it lies where it was dropped
    TAKEN = "I2"  # it is moved to the working shelf; nobody has read it
    IDENTIFIED = "I3"  # its content is in the books; it is no job
    ENTERED = "I4"  # it is a job; its drop does not know
    ACCEPTED = "I5"  # its drop knows; its report does not say so
    LEAVING = "I6"  # its name on the last shelf is reserved; it lies on the working shelf
    FIRED = "S1"  # a schedule's fire is in the books; nobody has begun it
    BEGUN = "S2"  # a run is taken; no row was asked for
    GATHERED = "S3"  # its rows are here; it is no job
    SUBMITTED = "S4"  # it is a job; its run does not know
    COPIED = "S5"  # an image lies where its schedule publishes it; the books do not know
    LEFT = "I7"  # it lies on its last shelf; the books do not know
    DELIVERED = "N1"  # a notice was taken by its receiver; the books do not know


class Traveller(Protocol):
    """A claim or a closing: it knows which attempt it is about."""

    @property
    def attempt_id(self) -> str:
        """The attempt's id."""
        ...


def reach(point: Point, those: Sequence[Traveller]) -> None:
    """Come past a point with some attempts; on the other side alive, unless told to die there."""
    _fate()(point, (one.attempt_id for one in those))


def come_past(point: Point, name: str) -> None:
    """Come past a point with something that is no attempt."""
    _fate()(point, [name])


@cache
def is_armed(point: Point) -> bool:
    """Tell whether this process may die there."""
    return os.environ.get(VARIABLE, "").partition(":")[0] == point


@cache
def _fate() -> Callable[[Point, Iterable[str]], None]:
    """Read the variable once, at the first point. Raises ValueError where it cannot be read."""
    told = os.environ.get(VARIABLE)
    if not told:
        return _live_on
    name, _, rest = told.partition(":")
    probability, _, seed = rest.partition(":")
    deadly, chance = Point(name), float(probability or 1)
    dice = random.Random(seed)  # noqa: S311  # it only picks moments

    def fate(point: Point, those: Iterable[str]) -> None:
        if point is deadly and dice.random() < chance:
            os.write(2, f"killed at {point} {' '.join(those)}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return fate


def _live_on(_point: Point, _those: Iterable[str]) -> None:
    return
