"""Provider batches as a person handles them: looked at, cancelled, adopted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.jobs import batches
from darkroom.report import ProviderBatch, find_batch, find_job, provider_batches
from darkroom_manifests.tier import Tier

T = TypeVar("T")


class Room(Protocol):
    """What is needed of the room that batches live in."""

    @property
    def database(self) -> Engine:
        """The books."""
        ...

    def ring(self, tiers: Sequence[Tier]) -> None:
        """Say that there is work."""
        ...


class Batches:
    """All batches of a room; a batch is named by its id, or a beginning or end of it."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def all(self, job: str | None = None, *, ended_too: bool = False) -> list[ProviderBatch]:
        """Those that are not ended, or all, the newest first; of one job if it is named."""
        with db.reading(self._room.database) as connection:
            job_id = None if job is None else find_job(connection, job)
            return provider_batches(connection, job_id=job_id, ended_too=ended_too)

    def one(self, name: str) -> ProviderBatch:
        """One of them. Raises NotFound."""
        with db.reading(self._room.database) as connection:
            batch_id = find_batch(connection, name)
            every = provider_batches(connection, ended_too=True)
        return next(each for each in every if each.id == batch_id)

    def cancel(self, name: str) -> bool:
        """Let it end early: what is finished is kept and paid for. False when it was over."""

        def cancel(connection: Connection) -> bool:
            batch_id = find_batch(connection, name)
            return batches.ask_to_cancel(connection, [batch_id], "a person said so") > 0

        return self._change(cancel)

    def adopt(self, name: str, provider_name: str) -> None:
        """Say which batch at the provider is one that was perhaps created. Raises NotFound."""

        def adopt(connection: Connection) -> None:
            batches.adopt(connection, find_batch(connection, name), provider_name)

        self._change(adopt)

    def _change(self, work: Callable[[Connection], T]) -> T:
        changed = db.transact(self._room.database, work)
        self._room.ring([tier for tier in Tier if tier.is_batch])
        return changed
