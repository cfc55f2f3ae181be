"""Takes in the results of a provider batch, line by line, in flat memory.

A line is believed when the id that it carries and the request that it echoes agree. It may be read
any number of times: what the books hold already changes nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import islice
from typing import Final, TypeVar

import msgspec
import structlog
from sqlalchemy import Engine

from darkroom import db
from darkroom.jobs import batches
from darkroom.jobs.claim import Claim, recall
from darkroom.jobs.close import Closing, close
from darkroom.models import AttemptState, Batch
from darkroom.settings import Rules
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.batch import BatchBackend, Phase, Remote, Result, Unreadable
from darkroom_worker.developer import Developer
from darkroom_worker.spool import Spool

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_LINES_AT_ONCE: Final = 8  # held in memory together; a line of 4K has 30 MB
_CLOSE_AT_ONCE: Final = 500
_RECALL_AT_ONCE: Final = 500
_LOOK_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 2.0
_ANSWERED: Final = frozenset(
    {
        AttemptState.DELIVERED,
        AttemptState.SPOILED,
        AttemptState.NO_IMAGE,
        AttemptState.REFUSED,
    }
)
"""Ends of lines that the provider counts as successful, and bills."""


class Desk(msgspec.Struct, frozen=True):
    """Where answers go: `take_in` settles them, `is_full` asks for patience."""

    take_in: Callable[[Sequence[Closing]], None]
    is_full: Callable[[], bool]


class Collection(msgspec.Struct):
    """What one reading found: lines, those that are nobody's, and the attempts answered so far.

    `named` are those whose line said so itself, `billed` those that the provider counts as drawn.
    """

    lines: int = 0
    quarantined: int = 0
    answered: set[str] = msgspec.field(default_factory=set)
    named: set[str] = msgspec.field(default_factory=set)
    billed: set[str] = msgspec.field(default_factory=set)


class Collector:
    """Reads the results of one batch. `go_on` is asked between lines; it may raise NotCarried."""

    def __init__(
        self,
        *,
        batch: Batch,
        backend: BatchBackend,
        database: Engine,
        developer: Developer,
        spool: Spool,
        rules: Rules,
        desk: Desk,
        hands: Executor,
        go_on: Callable[[], bool],
    ) -> None:
        self._batch = batch
        self._backend = backend
        self._database = database
        self._developer = developer
        self._spool = spool
        self._rules = rules
        self._desk = desk
        self._go_on = go_on
        self._hands = hands
        self._found = Collection()
        self._by_request: dict[bytes, list[str]] | None = None
        with db.reading(database) as connection:
            self._known = frozenset(batches.attempts(connection, batch.id))
            self._waiting = frozenset(batches.unsettled(connection, batch.id))

    def collect(self, remote: Remote, *, may_be_late: bool) -> Collection | None:
        """Take everything in; None when it was cut short, and must be read again.

        Lines that the provider counts and that are not there yet `may_be_late`: then again, too.
        """
        for group in _grouped(self._backend.results(remote), _LINES_AT_ONCE):
            self._take(group)
            if not self._has_patience():
                return None
        missing = self._missing()
        destroyed = self._destroyed(remote, len(missing))
        if destroyed and may_be_late:
            return None
        self._close(missing, remote, is_lost=destroyed)
        return self._found if self._is_booked() else None

    def _take(self, lines: Sequence[bytes]) -> None:
        read = [(line, self._read(line)) for line in lines if not line.isspace()]
        claims = self._recalled(
            [result.attempt_id for _, result in read if result and result.attempt_id]
        )
        mine: list[tuple[Claim, Outcome]] = []
        for line, result in read:
            self._found.lines += 1
            claim = None if result is None else self._whose(result, claims)
            if claim is None or result is None:
                self._set_aside(line)
            elif claim.attempt_id in self._waiting:
                mine.append((claim, result.outcome))
        self._desk.take_in(list(self._hands.map(lambda each: self._kept(*each), mine)))

    def _read(self, line: bytes) -> Result | None:
        try:
            return self._backend.read(line)
        except Unreadable as error:
            _log.error("a line of a batch cannot be read", batch=self._batch.id, error=error)
            return None

    def _recalled(self, attempt_ids: Iterable[str]) -> dict[str, Claim]:
        mine = [each for each in attempt_ids if each in self._known]
        with db.reading(self._database) as connection:
            return {claim.attempt_id: claim for claim in recall(connection, mine)}

    def _whose(self, result: Result, claims: dict[str, Claim]) -> Claim | None:
        """Find the attempt of a line; None when it is a stranger's, or answered before."""
        claim = claims.get(result.attempt_id or "")
        if claim is None or not self._agrees(result, claim):
            claim = self._by_echo(result)
        elif claim.attempt_id in self._found.named:
            return None  # it comes a second time
        else:
            self._found.named.add(claim.attempt_id)
            if claim.attempt_id in self._found.answered:  # by a line that did not say whose it was
                claim = self._by_echo(result)
        if claim is not None:
            self._found.answered.add(claim.attempt_id)
            if result.outcome.ended in _ANSWERED:
                self._found.billed.add(claim.attempt_id)
        return claim

    def _agrees(self, result: Result, claim: Claim) -> bool:
        if result.asked is None:
            return True
        return result.asked == self._backend.fingerprint(self._developer.request(claim))

    def _by_echo(self, result: Result) -> Claim | None:
        """Without a label to believe, the request itself says whose line it is."""
        if result.asked is None:
            return None
        twins = self._twins().get(result.asked, [])
        free = next((each for each in twins if each not in self._found.answered), None)
        if free is None:
            return None
        _log.warning("a line was told by its request", batch=self._batch.id, attempt=free)
        return self._recalled([free])[free]

    def _twins(self) -> dict[bytes, list[str]]:
        """The attempts by what they ask; several may ask the same, and their pictures are alike."""
        if self._by_request is None:
            self._by_request = defaultdict(list)
            for some in _grouped(iter(sorted(self._known)), _RECALL_AT_ONCE):
                for claim in self._recalled(some).values():
                    asked = self._backend.fingerprint(self._developer.request(claim))
                    self._by_request[asked].append(claim.attempt_id)
        return self._by_request

    def _kept(self, claim: Claim, outcome: Outcome) -> Closing:
        """Stage and price; a full disk makes it wait, never fail."""
        while True:
            try:
                return self._developer.keep(claim, outcome, None, self._spool)
            except OSError as error:
                _log.error("the spool cannot be written; the results wait", error=error)
                if not self._go_on():
                    raise
                time.sleep(_AGAIN_SECONDS)

    def _set_aside(self, line: bytes) -> None:
        """Keep a line that is nobody's, where a person can look at it."""
        self._found.quarantined += 1
        name = f"{self._batch.id}-{hashlib.blake2b(line, digest_size=6).hexdigest()}.json"
        path = self._spool.keep_aside(name, line)
        _log.error("a line of a batch is nobody's", batch=self._batch.id, kept=str(path))

    def _has_patience(self) -> bool:
        """Wait until the desk has room; False when it is time to end."""
        while True:
            if not self._go_on():
                return False
            if not self._desk.is_full():
                return True
            time.sleep(_LOOK_SECONDS)

    def _missing(self) -> list[str]:
        """The open attempts that have no line."""
        with db.reading(self._database) as connection:
            still_open = batches.open_attempts(connection, self._batch.id)
        return [each for each in still_open if each not in self._found.answered]

    def _close(self, missing: Sequence[str], remote: Remote, *, is_lost: bool) -> None:
        """Close what has no line: known not to be drawn, or lost where the provider counts more.

        Only finished lines are billed (Vertex AI, Batch inference, 2026). If the provider counts
        more of them than came, some answer was destroyed on its way, and nobody can say which.
        """
        said = remote.message or f"The batch ended as {remote.said} without a line for it."
        ended = AttemptState.LOST if is_lost else AttemptState.NOT_SENT
        if is_lost:
            _log.error("results of a batch are missing", batch=self._batch.id, lines=len(missing))
        give_up(self._database, missing, ended, said, self._rules)

    def _destroyed(self, remote: Remote, missing: int) -> bool:
        if remote.succeeded is not None:
            return missing > 0 and remote.succeeded > len(self._found.billed)
        return missing > 0 and remote.phase is Phase.SUCCEEDED

    def _is_booked(self) -> bool:
        """Wait until every line is in the books; False when it is time to end before that."""
        while True:
            with db.reading(self._database) as connection:
                if not batches.open_attempts(connection, self._batch.id):
                    return True
            if not self._go_on():
                return False
            time.sleep(_LOOK_SECONDS)


def give_up(
    database: Engine, attempt_ids: Sequence[str], ended: AttemptState, said: str, rules: Rules
) -> None:
    """Close attempts that have no answer, some hundreds a transaction."""
    for some in _grouped(iter(attempt_ids), _CLOSE_AT_ONCE):
        closings = [Closing(attempt_id=each, ended=ended, message=said, wait=0.0) for each in some]
        db.transact(database, partial(close, closings=closings, rules=rules, stored={}))


def _grouped(values: Iterator[T], size: int) -> Iterator[list[T]]:
    while group := list(islice(values, size)):
        yield group
