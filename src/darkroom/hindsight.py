"""Tells books that came from a backup by what the broker remembers: they must not send.

The broker remembers one attempt that was among the newest. Books that do not hold it are older than
what was sent and paid, and a rest of everything is written into them. It ends when they were
compared with storage, or when a person says so. A broker that lost its memory tells nothing.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select

from darkroom import db, gauges
from darkroom.jobs import rests
from darkroom.models import Attempt
from darkroom_manifests.tier import Tier


def look(engine: Engine, broker_url: str) -> bool:
    """Compare the books with the broker's memory; False when they have just been found older.

    Books that hold what the broker remembers let it remember their newest attempt. Raises a
    DarkroomError when the broker does not answer.
    """
    remembered = gauges.newest(broker_url)
    with db.reading(engine) as connection:
        is_known = remembered is None or _holds(connection, remembered)
        newest = _newest(connection) if is_known else None
    if not is_known:
        return not distrust(engine)
    if newest not in (None, remembered):
        gauges.remember(broker_url, newest)
    return True


def distrust(engine: Engine) -> bool:
    """Let nothing be sent by these books until `trust`; False when that was so already."""
    return db.transact(engine, rests.distrust_books)


def trust(engine: Engine, broker_url: str | None) -> bool:
    """Let these books be sent by, whatever the broker remembers; False when they were trusted.

    Raises a DarkroomError when the broker does not answer: it would find them older again.
    """
    if broker_url is not None:
        gauges.forget(broker_url)
    return db.transact(engine, rests.trust_books)


def _holds(connection: Connection, attempt_id: str) -> bool:
    found = connection.scalar(select(Attempt.id).where(Attempt.id == attempt_id))
    return found is not None


def _newest(connection: Connection) -> str | None:
    """One look at the index for each tier; it would be a look at all attempts for all together."""
    found = []
    for tier in Tier:
        query = select(Attempt.sent_at, Attempt.id).where(Attempt.tier == tier)
        row = connection.execute(query.order_by(Attempt.sent_at.desc()).limit(1)).first()
        if row is not None:
            found.append((row.sent_at, row.id))
    return max(found)[1] if found else None
