"""A handle on one job, cheap to make anew by its id in any process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from sqlalchemy import Connection, Engine

from darkroom import db, live
from darkroom.consent import Amount, nano_dollars
from darkroom.errors import StillPending
from darkroom.export import Exported, Kind, Order, export
from darkroom.export.address import Address
from darkroom.idle import is_idle
from darkroom.jobs import control
from darkroom.models import RenderState, Rest
from darkroom.report import (
    Batching,
    Costs,
    JobState,
    Quarantined,
    Reason,
    Rejected,
    Result,
    Waste,
    alike,
    batching,
    costs,
    job_states,
    quarantined,
    reasons,
    rejections,
    results,
    waits,
    waste,
)
from darkroom.reviews import Reviews
from darkroom.settings import Settings
from darkroom.stream import Stream
from darkroom_manifests.tier import Tier

_POLL_SECONDS: Final = 0.2


class Room(Protocol):
    """What a handle needs of the room that its job lives in."""

    @property
    def database(self) -> Engine:
        """The books."""
        ...

    @property
    def settings(self) -> Settings:
        """Where images lie, and how to get at them."""
        ...

    def ring(self, tiers: Sequence[str]) -> None:
        """Say that there is work."""
        ...

    def render_here(self) -> None:
        """See that somebody works, where that is this process's business."""
        ...


class Job:
    """A handle on one job: nothing lives in it but the id."""

    def __init__(self, room: Room, job_id: str) -> None:
        self.id = job_id
        self._room = room

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    @property
    def state(self) -> JobState:
        """The job as it stands now."""
        with db.reading(self._room.database) as connection:
            return job_states(connection, [self.id])[0]

    @property
    def cost(self) -> Costs:
        """What it cost so far."""
        with db.reading(self._room.database) as connection:
            return costs(connection, self.id)

    def results(
        self, states: Sequence[RenderState] = (), *, turns: bool = False
    ) -> Iterator[Result]:
        """Its renders in the order of the rows; a failed one is a value, never an exception.

        Earlier turns that are not delivered come with `turns` alone, or where one went wrong.
        """
        return results(self._room.database, self.id, states, turns=turns)

    def stream(
        self,
        states: Sequence[RenderState] = (),
        *,
        after: datetime | None = None,
        timeout: float | None = None,
    ) -> Iterator[Result]:
        """Its renders as they finish, in any process, rendering here in embedded mode.

        Ends when nothing moves by itself any more. To go on after a restart give `after` the latest
        `finished_at` that was seen: results of the minute before it may come once more. A render
        that is tried again comes again. Raises StillPending after `timeout` seconds.
        """
        ends = math.inf if timeout is None else time.monotonic() + timeout
        stream = self.reader(states, after)
        while True:
            news = stream.news()
            yield from news.results
            if news.is_over:
                return
            if news.is_all:
                self._require_time(ends)
                self._room.render_here()
                time.sleep(min(_POLL_SECONDS, max(0.0, ends - time.monotonic())))

    def reader(self, states: Sequence[RenderState] = (), after: datetime | None = None) -> Stream:
        """What `stream` reads by, for loops that wait in their own way."""
        return Stream(self._room.database, self.id, states, after)

    def _require_time(self, ends: float) -> None:
        if time.monotonic() >= ends:
            raise StillPending(f"{self.id} is not finished.", hint="It goes on meanwhile.")

    def reasons(self) -> list[Reason]:
        """Why renders are held, were refused or failed."""
        with db.reading(self._room.database) as connection:
            return reasons(connection, self.id)

    def waits(self) -> list[Rest]:
        """The rests that keep it from going on now."""
        with db.reading(self._room.database) as connection:
            return waits(connection, self.id)

    def batching(self) -> Batching | None:
        """How far its batches at the provider are; None when none is open."""
        with db.reading(self._room.database) as connection:
            return batching(connection, self.id)

    def rejections(self) -> Iterator[Rejected]:
        """What was wrong with the rows that were left out of it."""
        return rejections(self._room.database, self.id)

    def waste(self) -> list[Waste]:
        """Its images that were paid and set aside, by the reasons."""
        with db.reading(self._room.database) as connection:
            return waste(connection, self.id)

    def quarantined(self) -> Iterator[Quarantined]:
        """The same one by one, the oldest first."""
        return quarantined(self._room.database, self.id)

    def alike(self) -> list[list[str]]:
        """Ids of rows whose images look alike, where `gates.duplicate` says to find them."""
        with db.reading(self._room.database) as connection:
            return alike(connection, self.id)

    @property
    def reviews(self) -> Reviews:
        """What is decided on its images."""
        return Reviews(self._room.database, self.id)

    def export(
        self,
        kind: str,
        out: str | Path | BinaryIO,
        *,
        base_url: str | None = None,
        source: str | Path | None = None,
        raw: bool = False,
    ) -> Exported:
        """Write its pictures as a `Kind`, such as "catalog", whole or not at all.

        `base_url` is the public address of the storage place; `source` its manifest, where that
        was moved. Raises ValueError for another kind, ManifestRejected for a catalog that is gone
        or changed, ConfigInvalid, StorageFault.
        """
        order = Order(
            database=self._room.database,
            gcs=self._room.settings.gcs,
            job_id=self.id,
            address=Address.below(base_url),
            source=None if source is None else Path(source),
            raw=raw,
        )
        return export(order, Kind(kind), Path(out) if isinstance(out, str) else out)

    def wait(
        self, timeout: float | None = None, *, tell: Callable[[JobState], None] = lambda _: None
    ) -> JobState:
        """Wait until nothing moves by itself any more, rendering here in embedded mode.

        Returns the job as it then stands: finished, or held or paused for a person to decide.
        Raises StillPending after `timeout` seconds.
        """
        ends = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            state, is_over = self.look()
            tell(state)
            if is_over:
                return state
            self._require_time(ends)
            self._room.render_here()
            time.sleep(min(_POLL_SECONDS, max(0.0, ends - time.monotonic())))

    def watch(self, timeout: float | None = None) -> JobState:
        """Wait as `wait` does, and show how it goes: a live table in a notebook, else lines."""
        return self.wait(timeout, tell=live.Watcher())

    def look(self) -> tuple[JobState, bool]:
        """Read the job, and whether it is finished or waits for a person, at one moment."""
        with db.reading(self._room.database) as connection:
            state = job_states(connection, [self.id])[0]
            return state, state.is_finished or is_idle(connection, self.id)

    def pause(self) -> None:
        """Send nothing more of it; what is in flight comes home."""
        with db.writing(self._room.database) as connection:
            control.pause(connection, self.id)

    def resume(self, max_cost: Amount | None = None) -> int:
        """Go on, with another cap if one is given; how many held renders are pending again."""

        def go_on(connection: Connection) -> int:
            if max_cost is not None:
                control.set_cap(connection, self.id, nano_dollars(max_cost))
            return control.resume(connection, self.id)

        return self._change(go_on)

    def cancel(self) -> int:
        """Cancel what was not sent; how many renders."""
        return self._change(lambda connection: control.cancel(connection, self.id))

    def approve(self) -> int:
        """Let what waits for approval be sent; how many renders, none if nothing waits for it."""
        return self._change(lambda connection: control.approve(connection, self.id))

    def reject(self) -> int:
        """Cancel it, if it waits for approval; how many renders, none if it does not."""
        return self._change(lambda connection: control.reject(connection, self.id))

    def retry(self, states: Sequence[RenderState] = (RenderState.FAILED,)) -> int:
        """Try again what ended in these states; how many renders."""
        return self._change(lambda connection: control.retry(connection, self.id, states))

    def _change(self, work: Callable[[Connection], int]) -> int:
        changed = db.transact(self._room.database, work)
        self._room.ring(list(Tier))
        return changed

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        return live.of_job(self.state)
