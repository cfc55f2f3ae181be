"""What the dice decide about a run before it begins."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final, Self

import msgspec
from tests.fault.rig.disk import MOUNTABLE

from darkroom.killpoints import Point
from darkroom_manifests.tier import Tier


class Kind(StrEnum):
    """What strikes the fleet of a run."""

    MIXTURE = "mixture"
    POINT = "killed at"
    CRASHES = "PostgreSQL crashed every few seconds"
    STORM = "a minute of 429"
    FLOOD = "100,000 messages"


class Database(StrEnum):
    """Where the books are."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


_WEIGHTS: Final = {
    Kind.MIXTURE: 50,
    Kind.POINT: 36,
    Kind.CRASHES: 7,
    Kind.STORM: 4,
    Kind.FLOOD: 3,
}
_POINTS: Final = [point for point in Point if point.startswith("P")]  # of answers that come at once
_DISKS: Final = {"the spool": "home/spool", "the storage": "out", "the books": "books"}


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `disk` is the place, by its folder in the fleet's, that is on a small disk."""

    kind: Kind
    point: Point | None
    database: Database
    tier: Tier
    in_bucket: bool
    keeps: bool  # the broker, what it was told
    workers: int
    clocks: int
    ahead: bool  # one more worker, whose clock is wrong: SQLite is of one machine, and its clock
    strangers: bool  # have the names of some images
    disk: str | None

    @classmethod
    def drawn(cls, dice: random.Random) -> Self:
        """Draw a lot."""
        kind = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        database, in_bucket = dice.choice(list(Database)), dice.random() < 0.5
        disks = set(_DISKS)
        if in_bucket:
            disks.discard("the storage")
        if database is Database.POSTGRESQL or kind is Kind.CRASHES:
            disks.discard("the books")
        is_mixed = kind is Kind.MIXTURE
        return cls(
            kind=kind,
            point=dice.choice(_POINTS) if kind is Kind.POINT else None,
            database=Database.POSTGRESQL if kind is Kind.CRASHES else database,
            tier=dice.choice([Tier.SIMULATOR, Tier.VERTEX]),
            in_bucket=in_bucket,
            keeps=dice.random() < 0.5,
            workers=dice.choice([2, 3]),
            clocks=dice.choice([1, 2]),
            ahead=is_mixed and dice.random() < 0.3 and database is Database.POSTGRESQL,
            strangers=is_mixed and dice.random() < 0.5,
            disk=_DISKS[dice.choice(sorted(disks))] if is_mixed and MOUNTABLE else None,
        )

    @property
    def crash(self) -> float:
        """The chance of a death at the point. Uploads pass it one by one, the others together."""
        return 0.05 if self.in_bucket and self.point is Point.PUBLISHED else 0.25

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.kind} {self.point}" if self.point else self.kind

    @property
    def where(self) -> str:
        """Where its books and its images go."""
        return f"{self.database} + {'bucket' if self.in_bucket else 'folder'}"
