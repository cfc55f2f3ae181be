"""Gathers renders of one job and model into a new batch, as many as a provider takes well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.jobs import batches
from darkroom.jobs.claim import Bound, Claim
from darkroom.killpoints import Point, reach
from darkroom.models import Batch
from darkroom.request import Request
from darkroom.settings import Batches, Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.batch_input import output_bytes
from darkroom_worker.developer import Developer
from darkroom_worker.hedge import Hedge

_CLAIM_AT_MOST: Final = 500  # renders a transaction
_FRAME_BYTES: Final = 300  # that a line has besides what is asked
_REQUEST: Final = msgspec.json.Decoder(Request)


class _Load(msgspec.Struct):
    """What a batch carries so far."""

    lines: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    tokens: int = 0

    def __add__(self, other: _Load) -> _Load:
        return _Load(
            self.lines + other.lines,
            self.input_bytes + other.input_bytes,
            self.output_bytes + other.output_bytes,
            self.tokens + other.tokens,
        )


class _Room(msgspec.Struct, frozen=True):
    """Tokens of a model that may still be enqueued, and whether none is."""

    tokens: float
    is_whole: bool = True


class _Trial:
    """Says of one request after the other whether it still fits into a batch.

    The first does whatever its size where it is alone: else it would wait for ever.
    """

    def __init__(
        self, load: _Load, weigh: Callable[[str], _Load], most: Batches, room: _Room
    ) -> None:
        self._load = load
        self._weigh = weigh
        self._most = most
        self._room = room

    def __call__(self, request: str) -> bool:
        """Add it if it fits."""
        load = self._load + self._weigh(request)
        is_first = load.lines == 1
        if load.tokens > self._room.tokens and not (is_first and self._room.is_whole):
            return False
        if self._is_too_large(load) and not is_first:
            return False
        self._load = load
        return True

    def _is_too_large(self, load: _Load) -> bool:
        most_input = self._most.most_input_bytes // 2  # it is an estimate
        is_long = load.output_bytes > self._most.most_output_bytes
        return is_long or load.input_bytes > most_input


class Gathering:
    """Makes new batches, as far as caps and shard sizes allow."""

    def __init__(
        self,
        settings: Settings,
        worker_id: str,
        database: Engine,
        developer: Developer,
        hedge: Hedge,
    ) -> None:
        self._settings = settings
        self._own = settings.batches
        self._worker_id = worker_id
        self._database = database
        self._registry = developer.registry
        self._hedge = hedge

    def begin(self, tier: Tier) -> Batch | None:
        """Claim renders for a new batch and write it down; None when there are none, or no room."""
        with db.reading(self._database) as connection:
            rooms = self._token_rooms(connection, tier)
            if rooms is None:
                return None
            full = [model for model, room in rooms.items() if room.tokens <= 0]
            bound = batches.next_bound(connection, tier, full)
        if bound is None or self._hedge.overtook(tier, bound):
            return None
        load = self._gathered(tier, bound)
        return self._opened(bound, load) if load.lines else None

    def _gathered(self, tier: Tier, bound: Bound) -> _Load:
        """Claim some hundreds at a time, until a claim brings less than it could."""
        want = min(self._own.most_lines, _CLAIM_AT_MOST)
        claims, room = db.transact(self._database, lambda c: self._first(c, tier, bound, want))
        load = self._weight_of(claims, bound.model)
        while room and len(claims) == want:
            want = min(self._own.most_lines - load.lines, _CLAIM_AT_MOST)
            if want <= 0:
                break
            claims = self._more(tier, bound, want, load, room)
            load += self._weight_of(claims, bound.model)
        return load

    def _opened(self, bound: Bound, load: _Load) -> Batch:
        def opened(connection: Connection) -> Batch:
            batches.change(connection, bound.batch_id, self._worker_id, tokens=load.tokens)
            return batches.find(connection, bound.batch_id)

        batch = db.transact(self._database, opened)
        reach(Point.BATCHED, ())
        return batch

    def _token_rooms(self, connection: Connection, tier: Tier) -> Mapping[str, _Room] | None:
        """How many tokens of input may still be enqueued; None where no batch may be opened."""
        limits = self._settings.limits(tier)
        used = batches.usage(connection, tier)
        if limits.batch_jobs is not None and sum(jobs for _, jobs, _ in used) >= limits.batch_jobs:
            return None
        most = float("inf") if limits.batch_tokens is None else limits.batch_tokens
        rooms = {model: _Room(most - tokens, is_whole=False) for model, _, tokens in used}
        return defaultdict(lambda: _Room(most), rooms)

    def _first(
        self, connection: Connection, tier: Tier, bound: Bound, want: int
    ) -> tuple[list[Claim], _Room | None]:
        """Open a batch with its first renders, where there is room; with how much there was."""
        limits = self._settings.limits(tier)
        if limits.batch_jobs is not None or limits.batch_tokens is not None:
            batches.wait_to_open(connection)
        room = self._room(connection, tier, bound.model)
        if room is None:
            return [], None
        me, own, budget = self._worker_id, self._own, self._settings.budget
        fits, seconds = self._trial(_Load(), bound, room), own.lease_seconds
        claims = batches.open_batch(
            connection, tier, bound, want, me, budget=budget, lease_seconds=seconds, fits=fits
        )
        return claims, room

    def _room(self, connection: Connection, tier: Tier, model: str) -> _Room | None:
        """How many tokens a batch of a model may have, if one may be opened now."""
        is_capped = self._settings.limits(tier).batch_tokens is not None
        # Asked first: who is done in between has written down its tokens, which are counted next.
        if is_capped and batches.is_building(connection, tier, model):
            return None
        rooms = self._token_rooms(connection, tier)
        return None if rooms is None or rooms[model].tokens <= 0 else rooms[model]

    def _more(self, tier: Tier, bound: Bound, want: int, load: _Load, room: _Room) -> list[Claim]:
        me, budget = self._worker_id, self._settings.budget
        fits = self._trial(load, bound, room)

        def take(connection: Connection) -> list[Claim]:
            return batches.add_to_batch(connection, tier, bound, want, me, budget=budget, fits=fits)

        return db.transact(self._database, take)

    def _trial(self, load: _Load, bound: Bound, room: _Room) -> _Trial:
        return _Trial(load, lambda request: self._weight(request, bound.model), self._own, room)

    def _weight_of(self, claims: Sequence[Claim], model: str) -> _Load:
        return sum((self._weight(claim.request, model) for claim in claims), _Load())

    def _weight(self, asked: str, model: str) -> _Load:
        """What one line adds."""
        request = _REQUEST.decode(asked)
        return _Load(
            lines=1,
            input_bytes=len(asked.encode()) + _FRAME_BYTES,
            output_bytes=output_bytes(request, model, self._registry),
            tokens=self._registry.prompt_tokens(request.ask(model)),
        )
