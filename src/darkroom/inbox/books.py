"""The books of inboxes and drops: nothing else writes these tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, exists, func, or_, select, update

from darkroom import db
from darkroom.errors import NotFound
from darkroom.ids import new_id
from darkroom.inbox.inbox import Drop, Inbox
from darkroom.inbox.place import Seen
from darkroom.inbox.terms import Terms
from darkroom.models import Drop as DropRow
from darkroom.models import DropState, Job
from darkroom.models import Inbox as InboxRow

HELD: Final = "held"
"""The word of a report whose job waits for approval."""

_TERMS = ("tier", "model", "max_cost_nusd", "deliver_within", "accept_valid", "catalog")


def enroll(connection: Connection, url: str, terms: Terms) -> bool:
    """Watch a place on these terms from now on; False when it was watched, on these or others."""
    told = {name: getattr(terms, name) for name in _TERMS} | {"removed_at": None}
    earlier = connection.execute(select(InboxRow.removed_at).where(InboxRow.url == url)).first()
    connection.execute(
        db.insert_of(connection, InboxRow)
        .values(id=new_id("inbox"), url=url, created_at=db.now(connection), **told)
        .on_conflict_do_update(index_elements=[InboxRow.url], set_=told)
    )
    return earlier is None or earlier.removed_at is not None


def remove(connection: Connection, url: str) -> None:
    """Take nothing more from a place; what was taken goes on. Raises NotFound."""
    watched = (InboxRow.url == url) & InboxRow.removed_at.is_(None)
    gone = update(InboxRow).where(watched).values(removed_at=db.now(connection), trouble=None)
    if not connection.execute(gone).rowcount:
        raise NotFound(f"{url} is not watched.", hint="`darkroom inbox ls` lists what is.")


def watched(connection: Connection) -> list[Inbox]:
    """Those to be watched: new files are taken from them, or old ones are under way."""
    under_way = exists().where(
        DropRow.inbox_id == InboxRow.id, DropRow.state.in_([DropState.CLAIMED, DropState.ACCEPTED])
    )
    query = select(InboxRow.__table__).where(or_(InboxRow.removed_at.is_(None), under_way))
    return [_inbox(row, {}) for row in connection.execute(query.order_by(InboxRow.id)).mappings()]


def inboxes(connection: Connection) -> list[Inbox]:
    """Those that are watched, and those that were and have files under way, with their counts."""
    counted = select(DropRow.inbox_id, DropRow.state, func.count()).group_by(
        DropRow.inbox_id, DropRow.state
    )
    files: dict[str, dict[str, int]] = {}
    for inbox_id, state, how_many in connection.execute(counted):
        files.setdefault(inbox_id, {})[state] = how_many
    return [
        msgspec.structs.replace(one, files=files.get(one.id, {})) for one in watched(connection)
    ]


def _inbox(row: Any, files: dict[str, int]) -> Inbox:  # noqa: ANN401  # a row as a mapping
    terms = Terms(**{name: row[name] for name in _TERMS})
    given = {name: row[name] for name in Inbox.__struct_fields__ if name in row}
    return Inbox(**given, terms=terms, files=files)


def watch(connection: Connection, inbox_id: str, who: str, seconds: float) -> bool:
    """Be the one who watches an inbox, or stay it; False while another one is."""
    now = db.now(connection)
    free = or_(
        InboxRow.watcher == who, InboxRow.watched_until.is_(None), InboxRow.watched_until < now
    )
    mine = (
        update(InboxRow)
        .where(InboxRow.id == inbox_id, free)
        .values(watcher=who, watched_until=now + timedelta(seconds=seconds))
    )
    return bool(connection.execute(mine).rowcount)


def stay(connection: Connection, who: str, seconds: float) -> set[str]:
    """Renew the lease on everything that one watches; their ids."""
    until = db.now(connection) + timedelta(seconds=seconds)
    connection.execute(update(InboxRow).where(InboxRow.watcher == who).values(watched_until=until))
    return set(connection.scalars(select(InboxRow.id).where(InboxRow.watcher == who)))


def unwatch(connection: Connection, who: str) -> None:
    """Let others watch what this one watched."""
    connection.execute(
        update(InboxRow).where(InboxRow.watcher == who).values(watcher=None, watched_until=None)
    )


def looked(connection: Connection, inbox_id: str, trouble: str | None) -> None:
    """Note that an inbox was read, or what kept it from being read."""
    told: dict[str, Any] = {"trouble": trouble}
    if trouble is None:
        told["looked_at"] = db.now(connection)
    connection.execute(update(InboxRow).where(InboxRow.id == inbox_id).values(**told))


def claim(connection: Connection, inbox_id: str, seen: Sequence[Seen]) -> list[Drop]:
    """Write files down before they are moved; those that another one wrote down are left out."""
    now = db.now(connection)
    claimed = []
    for one in seen:
        values = {"name": one.name, "stamp": f"{one.stamp} {one.name}", "claimed_at": now}
        drop_id = new_id("drop")
        done = connection.execute(
            db.insert_of(connection, DropRow)
            .values(id=drop_id, inbox_id=inbox_id, state=DropState.CLAIMED, tries=0, **values)
            .on_conflict_do_nothing()
            .execution_options(preserve_rowcount=True)
        )
        if done.rowcount:
            claimed.append(
                Drop(
                    id=drop_id,
                    inbox_id=inbox_id,
                    name=one.name,
                    stamp=one.stamp,
                    state=DropState.CLAIMED,
                    job_id=None,
                    kept=None,
                    told=None,
                    tries=0,
                    claimed_at=now,
                )
            )
    return claimed


def unclaim(connection: Connection, drop: Drop) -> None:
    """Forget a file that went away before it was judged."""
    connection.execute(delete(DropRow).where(DropRow.id == drop.id, DropRow.job_id.is_(None)))


def claimed(connection: Connection, inbox_id: str) -> list[Drop]:
    """Files that were taken and not judged, those first that ended no watcher."""
    query = select(DropRow.__table__).where(
        DropRow.inbox_id == inbox_id, DropRow.state == DropState.CLAIMED
    )
    rows = connection.execute(query.order_by(DropRow.tries, DropRow.id)).mappings()
    return [_drop(row) for row in rows]


def _drop(row: Any) -> Drop:  # noqa: ANN401  # a row as a mapping
    values = {name: row[name] for name in Drop.__struct_fields__}
    stamp = row["stamp"] and row["stamp"].removesuffix(f" {row['name']}")
    return Drop(**(values | {"stamp": stamp, "state": DropState(row["state"])}))


def add_try(connection: Connection, drop: Drop) -> Drop:
    """Note that a file is judged once more: who judged it before did not come to its end."""
    more = update(DropRow).where(DropRow.id == drop.id).values(tries=DropRow.tries + 1)
    connection.execute(more)
    return msgspec.structs.replace(drop, tries=drop.tries + 1)


def identify(connection: Connection, drop: Drop, sha256: str) -> Drop | None:
    """Say what a file holds; gives the file that has the same content, if one came before."""
    holder = select(DropRow.__table__).where(
        DropRow.inbox_id == drop.inbox_id, DropRow.sha256 == sha256, DropRow.id != drop.id
    )
    if (row := connection.execute(holder).mappings().first()) is not None:
        return _drop(row)
    connection.execute(update(DropRow).where(DropRow.id == drop.id).values(sha256=sha256))
    return None


def accept(connection: Connection, drop: Drop, job_id: str, kept: str) -> None:
    """Note which job a file became; it is not judged again. Its report is still to say so."""
    connection.execute(
        update(DropRow)
        .where(DropRow.id == drop.id, DropRow.state == DropState.CLAIMED)
        .values(state=DropState.ACCEPTED, job_id=job_id, kept=kept, told=None)
    )


def tell(connection: Connection, drop: Drop, told: str) -> None:
    """Note what its report says now."""
    connection.execute(update(DropRow).where(DropRow.id == drop.id).values(told=told))


def end(connection: Connection, drop: Drop, state: DropState, message: str | None) -> None:
    """Note a file's end. What became no job may be dropped again, with the same content."""
    freed = {"sha256": None} if drop.job_id is None else {}
    connection.execute(
        update(DropRow)
        .where(DropRow.id == drop.id)
        .values(
            state=state,
            stamp=None,
            message=message,
            told=state,
            finished_at=db.now(connection),
            **freed,
        )
    )


def to_tell(connection: Connection, inbox_id: str, most: int) -> list[tuple[Drop, datetime | None]]:
    """Accepted files whose report must say more; with when their job ended.

    The job ended or is held no more, or whoever accepted the file died before it could say so.
    """
    is_behind = DropRow.told.is_(None) | ((DropRow.told == HELD) & (Job.held == 0))
    query = (
        select(DropRow.__table__, Job.finished_at.label("job_finished_at"))
        .join(Job, Job.id == DropRow.job_id)
        .where(DropRow.inbox_id == inbox_id, DropRow.state == DropState.ACCEPTED)
        .where(or_(Job.finished_at.is_not(None), is_behind))
        .order_by(DropRow.id)
        .limit(most)
    )
    rows = connection.execute(query).mappings()
    return [(_drop(row), row["job_finished_at"]) for row in rows]


def unloaded(connection: Connection, key: str) -> str | None:
    """The job that somebody began to load with this key, and did not finish."""
    query = select(Job.id).where(Job.idempotency_key == key, Job.loaded_at.is_(None))
    return connection.scalar(query)


def now(connection: Connection) -> datetime:
    """The time by which deadlines are set."""
    return db.now(connection)
