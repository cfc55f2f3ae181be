"""Answers that cannot be booked as they are: none of them may hold up the others."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

import msgspec
import structlog
from sqlalchemy import exc

from darkroom.errors import StorageFault
from darkroom.jobs.close import Closing
from darkroom.models import AttemptState
from darkroom_worker.answer import Answer
from darkroom_worker.settle import Settled, Settler
from darkroom_worker.spool import Spool

_log = structlog.get_logger(__name__)

AWAY: Final = (
    StorageFault,
    OSError,
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,  # PostgreSQL says so of a server that only reads, as after a fail-over
    exc.TimeoutError,
)
"""Errors of books, storage and disk that time mends: try again."""

_REASON: Final = "UNBOOKABLE"


def settle_singly(settler: Settler, answers: Sequence[Answer], spool: Spool) -> Settled:
    """Settle one by one; what cannot be booked is set aside, and its attempt closed without it.

    Raises one of AWAY: then call it again.
    """
    each = [_settle_one(settler, answer, spool) for answer in answers]
    return Settled(
        upload=tuple(chain.from_iterable(one.upload for one in each)),
        withdraw=tuple(chain.from_iterable(one.withdraw for one in each)),
        again=tuple(chain.from_iterable(one.again for one in each)),
        booked=tuple(chain.from_iterable(one.booked for one in each)),
        steps=ChainMap(*(dict(one.steps) for one in each)),
    )


def _settle_one(settler: Settler, answer: Answer, spool: Spool) -> Settled:
    for substitute in (answer, *map(Answer, _substitutes(answer.closing))):
        try:
            return settler.settle([substitute], spool)
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it concerns this answer only
            _log.exception("an answer cannot be booked", attempt=answer.attempt_id)
            spool.set_aside(answer.attempt_id, note=_note(answer.closing, error))
    # It stays open, and whoever finds this worker's lease ended gives it up as lost.
    _log.error("an attempt cannot be closed", attempt=answer.attempt_id)
    spool.settled([answer.attempt_id])
    return Settled()


def _substitutes(closing: Closing) -> Iterator[Closing]:
    """The same end without what others wrote and without its picture, then nothing but a loss."""
    said = "The answer could not be booked. What came is in the quarantine folder."
    spoiled = closing.ended is AttemptState.DELIVERED
    yield msgspec.structs.replace(
        closing,
        ended=AttemptState.SPOILED if spoiled else closing.ended,
        finish_reason=_REASON,
        block_reason=None,
        traffic_type=None,
        response_id=None,
        message=said,
        picture=None,
    )
    yield Closing(attempt_id=closing.attempt_id, ended=AttemptState.LOST, message=said)


def _note(closing: Closing, error: Exception) -> bytes:
    return f"{error!r}\n{closing!r}\n".encode(errors="backslashreplace")
