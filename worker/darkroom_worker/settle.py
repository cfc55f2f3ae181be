"""Answers become images, charges and finished renders, many at a time.

In three steps: read which pictures are awaited and where, publish those, then book everything in
one transaction. Nothing slow happens inside it. Whoever lost the race meanwhile is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

import msgspec
import structlog
from sqlalchemy import Engine

from darkroom import db
from darkroom.jobs import rests
from darkroom.jobs.close import Closing, close
from darkroom.jobs.late import Late, settle_late
from darkroom.jobs.places import Place, places
from darkroom.jobs.steps import Step
from darkroom.killpoints import Point, reach
from darkroom.models import RenderState
from darkroom.settings import Rules
from darkroom.storage import is_remote
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier
from darkroom_worker.answer import Answer, Shipment
from darkroom_worker.backends.base import Break
from darkroom_worker.publish import Publisher, shipment_of
from darkroom_worker.spool import Spool

_log = structlog.get_logger(__name__)

_KEPT = frozenset({Late.KNOWN, Late.ADOPTED})


class Settled(msgspec.Struct, frozen=True):
    """What a batch leaves to do, and what of it the books hold now.

    `upload` and `withdraw` wait for a network; `again` waits for a place that is mended. A closing
    that is `booked` without a step was closed before: it came late.
    """

    upload: tuple[Shipment, ...] = ()
    withdraw: tuple[Shipment, ...] = ()
    again: tuple[Answer, ...] = ()
    booked: tuple[Closing, ...] = ()
    steps: Mapping[str, Step] = {}


class Settler:
    """Writes the books. Used from one thread: the one beside the event loop."""

    def __init__(self, engine: Engine, rules: Rules, publisher: Publisher) -> None:
        self._engine = engine
        self._rules = rules
        self._publisher = publisher

    def settle(self, answers: Sequence[Answer], spool: Spool) -> Settled:
        """Note, publish and book. Raises a database error or OSError: then call it again.

        Nothing is lost meanwhile: the pictures and the notes stay in the spool.
        """
        spool.note(answer.closing for answer in answers)
        reach(Point.NOTED, answers)
        shipments, awaited = self._shipments(answers, spool)
        here = [each for each in awaited if not is_remote(each.storage_url)]
        upload = tuple(each for each in awaited if is_remote(each.storage_url))
        stored, again = self._publish_here(here)
        if stored:
            reach(Point.PUBLISHED, answers)
        stored |= {answer.attempt_id: answer.stored for answer in answers if answer.stored}
        away = {each.attempt_id for each in again} | {each.parcel.owner for each in upload}
        ready = [answer for answer in answers if answer.attempt_id not in away]
        steps, kept, unstored = self._book(ready, stored)
        again += [answer for answer in ready if answer.attempt_id in unstored]
        booked = [answer for answer in ready if answer.attempt_id not in unstored]
        withdraw = self._finish(booked, kept, shipments, spool)
        closings = tuple(answer.closing for answer in booked)
        return Settled(upload, withdraw, tuple(again), closings, steps)

    def _shipments(
        self, answers: Sequence[Answer], spool: Spool
    ) -> tuple[dict[str, Shipment], list[Shipment]]:
        """Address all pictures, by attempt; and those that are awaited and lie nowhere yet."""
        found = self._places([answer.attempt_id for answer in answers if answer.closing.picture])
        shipments = {
            answer.attempt_id: shipment_of(answer, answer.closing.picture, place, spool)
            for answer in answers
            if answer.closing.picture and (place := found.get(answer.attempt_id))
        }
        awaited = [
            each
            for owner, each in shipments.items()
            if found[owner].is_awaited and each.answer.stored is None
        ]
        return shipments, awaited

    def _places(self, attempt_ids: Sequence[str]) -> dict[str, Place]:
        if not attempt_ids:
            return {}
        with db.reading(self._engine) as connection:
            return places(connection, attempt_ids)

    def _publish_here(
        self, shipments: Sequence[Shipment]
    ) -> tuple[dict[str, Stored], list[Answer]]:
        """Publish to folders; what lies where, and which answers must come again."""
        stored, faults = self._publisher.publish_here(shipments)
        for fault in {str(fault): fault for fault in faults.values()}.values():
            _log.error("a picture cannot be stored", error=fault.message, hint=fault.hint)
        return stored, [e.answer.tried() for e in shipments if e.parcel.owner in faults]

    def _book(
        self, answers: Sequence[Answer], stored: Mapping[str, Stored]
    ) -> tuple[Mapping[str, Step], set[str], set[str]]:
        """Write the books: what was done, whose picture is kept, and whose must be stored first."""
        closings = [answer.closing for answer in answers]
        work = partial(close, closings=closings, rules=self._rules, stored=stored)
        closed = db.transact(self._engine, work)
        if closed.steps:
            reach(Point.BOOKED, closings)
        kept = {owner for owner, step in closed.steps.items() if step.state is RenderState.DONE}
        unstored = {closing.attempt_id for closing in closings} - closed.steps.keys()
        for late in closed.late:
            unstored.discard(late.attempt_id)
            put = stored.get(late.attempt_id)
            work_late = partial(settle_late, closing=late, stored=put)
            turned_out = db.transact(self._engine, work_late)
            if turned_out in _KEPT:
                kept.add(late.attempt_id)
            elif turned_out is Late.NOT_STORED:
                unstored.add(late.attempt_id)
        return closed.steps, kept, unstored

    def _finish(
        self,
        settled: Sequence[Answer],
        kept: AbstractSet[str],
        shipments: Mapping[str, Shipment],
        spool: Spool,
    ) -> tuple[Shipment, ...]:
        """Forget what is booked; what must be taken back over a network first is returned."""
        lost = {answer.attempt_id for answer in settled} & (shipments.keys() - kept)
        unwanted = [each for owner, each in shipments.items() if owner in lost]
        remote = tuple(each for each in unwanted if is_remote(each.storage_url))
        for each in unwanted:
            if not is_remote(each.storage_url):
                self._publisher.withdraw(each)
        later = {each.parcel.owner for each in remote}
        self.forget([answer for answer in settled if answer.attempt_id not in later], kept, spool)
        return remote

    def forget(self, answers: Sequence[Answer], kept: Collection[str], spool: Spool) -> None:
        """Clear the spool of answers that are booked; pictures that are nobody's are set aside."""
        for answer in answers:
            if answer.attempt_id not in kept:
                spool.set_aside(answer.attempt_id)
        spool.settled(answer.attempt_id for answer in answers)

    def rest(self, tier: Tier, model: str, asked: Break) -> None:
        """Write down that a tier, or a model on it, sends nothing for a while."""
        resting = rests.WHOLE_TIER if asked.whole_tier else rests.name_of(model, asked.size)
        with db.writing(self._engine) as connection:
            rests.rest(
                connection,
                tier,
                resting,
                seconds=asked.seconds,
                reason=asked.reason,
                hint=asked.hint,
            )
