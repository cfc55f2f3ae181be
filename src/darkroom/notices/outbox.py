"""The books of notices: nothing in this package but it writes these tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Update, select, update

from darkroom import bulk, db
from darkroom.errors import NotFound
from darkroom.event import Event, EventName, encode
from darkroom.ids import new_id
from darkroom.models import Delivery, DeliveryState, Notice
from darkroom.notices.hooks import PREFIX

_BEGAN: Final = "began"
"""Subject of the first row of all, which no one is told: what is much older is not told either."""


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told. `subject` makes it one, however many find it.

    With `told` only these targets are told, and hooks.
    """

    subject: str
    event: EventName
    data: dict[str, Any]
    job_id: str | None = None
    run_id: str | None = None
    told: tuple[str, ...] = ()

    def is_for(self, target: str, wants: frozenset[EventName]) -> bool:
        """Whether a target is told: what names its targets asks for no other wish."""
        if self.told and not target.startswith(PREFIX):
            return target in self.told
        return self.event in wants


class Letter(msgspec.Struct, frozen=True):
    """A notice in the hands of one who delivers it. `tries` counts this one too."""

    notice_id: str
    target: str
    body: str
    tries: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way to one target; both None where nobody wants it."""

    id: str
    event: str
    job_id: str | None
    run_id: str | None
    created_at: datetime
    target: str | None
    state: DeliveryState | None
    tries: int | None
    next_at: datetime | None
    sent_at: datetime | None
    last_error: str | None


def began(connection: Connection) -> datetime:
    """When somebody first looked for what is to be told; now, if nobody did."""
    _write(connection, Happening(subject=_BEGAN, event=EventName.TEST, data={}))
    return connection.scalars(select(Notice.created_at).where(Notice.subject == _BEGAN)).one()


def unknown(connection: Connection, subjects: Sequence[str]) -> set[str]:
    """Those of these subjects that have no notice yet."""
    if not subjects:
        return set()
    query = select(Notice.subject).where(bulk.among(connection, Notice.subject, subjects))
    return set(subjects) - set(connection.scalars(query))


def write(
    connection: Connection, found: Happening, targets: Mapping[str, frozenset[EventName]]
) -> bool:
    """Write a notice down for all that want it; False when somebody did already."""
    notice_id = _write(connection, found)
    if notice_id is None:
        return False
    now = db.now(connection)
    common = {"notice_id": notice_id, "state": DeliveryState.PENDING, "tries": 0, "next_at": now}
    rows = [
        common | {"target": name} for name, wants in targets.items() if found.is_for(name, wants)
    ]
    if rows:
        connection.execute(db.insert_of(connection, Delivery), rows)
    return True


def _write(connection: Connection, found: Happening) -> str | None:
    notice_id, now = new_id("ntc"), db.now(connection)
    event = Event(id=notice_id, type=found.event, timestamp=now, data=found.data)
    values = {"id": notice_id, "event": found.event, "subject": found.subject, "created_at": now}
    values |= {"job_id": found.job_id, "run_id": found.run_id, "body": encode(event)}
    insert = db.insert_of(connection, Notice).values(**values)
    insert = insert.on_conflict_do_nothing(index_elements=[Notice.subject])
    done = connection.execute(insert.execution_options(preserve_rowcount=True))
    return notice_id if done.rowcount else None


def is_due(connection: Connection, target: str) -> bool:
    """Whether anything is to be sent to a target now."""
    query = select(Delivery.notice_id).where(*_due(connection, target)).limit(1)
    return connection.scalar(query) is not None


def _due(connection: Connection, target: str) -> tuple[Any, ...]:
    now = db.now(connection)
    mine = (Delivery.state == DeliveryState.PENDING, Delivery.target == target)
    return (*mine, Delivery.next_at <= now)


def take(connection: Connection, target: str, seconds: float) -> Letter | None:
    """Take what is due first; who dies with it has it for `seconds`, then it is due again."""
    query = (
        select(Delivery.notice_id, Delivery.tries, Notice.body)
        .join(Notice, Notice.id == Delivery.notice_id)
        .where(*_due(connection, target))
        .order_by(Delivery.next_at, Delivery.notice_id)
        .limit(1)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    until = db.now(connection) + timedelta(seconds=seconds)
    connection.execute(_of(row.notice_id, target).values(tries=row.tries + 1, next_at=until))
    return Letter(row.notice_id, target, row.body, row.tries + 1)


def _of(notice_id: str, target: str) -> Update:
    return update(Delivery).where(Delivery.notice_id == notice_id, Delivery.target == target)


def sent(connection: Connection, letter: Letter) -> None:
    """The target has it, whoever brought it."""
    told = {"state": DeliveryState.SENT, "sent_at": db.now(connection), "last_error": None}
    connection.execute(_of(letter.notice_id, letter.target).values(**told))


def again(connection: Connection, letter: Letter, seconds: float | None, why: str | None) -> None:
    """Try again in so many seconds, or never; unless another one has it by now."""
    told: dict[str, Any] = {"last_error": why}
    if seconds is None:
        told["state"] = DeliveryState.GIVEN_UP
    else:
        told["next_at"] = db.now(connection) + timedelta(seconds=seconds)
    mine = (Delivery.state == DeliveryState.PENDING) & (Delivery.tries == letter.tries)
    connection.execute(_of(letter.notice_id, letter.target).where(mine).values(**told))


def listed(connection: Connection, most: int) -> list[Listed]:
    """The newest notices, each as often as it has targets."""
    query = (
        select(Notice.__table__, Delivery.__table__)
        .outerjoin(Delivery, Delivery.notice_id == Notice.id)
        .where(Notice.subject != _BEGAN)
        .order_by(Notice.created_at.desc(), Notice.id.desc(), Delivery.target)
        .limit(most)
    )
    return [_listed(row) for row in connection.execute(query)]


def _listed(row: db.AnyRow) -> Listed:
    known = {name: getattr(row, name) for name in Listed.__struct_fields__}
    return Listed(**known | {"state": row.state and DeliveryState(row.state)})


def send_again(connection: Connection, name: str) -> tuple[str, int]:
    """Let what a target did not get be sent at once, from the first try on; id and how many.

    `name` is a notice's id or the end of it. Raises NotFound.
    """
    match = Notice.id.endswith(name, autoescape=True) & (Notice.subject != _BEGAN)
    found = connection.scalars(select(Notice.id).where(match).limit(2)).all()
    if len(found) != 1:
        said = f"{name} names more than one notice." if found else f"There is no notice {name}."
        raise NotFound(said, hint="`darkroom notice ls` lists them.")
    mine = (Delivery.notice_id == found[0]) & (Delivery.state != DeliveryState.SENT)
    told = {"state": DeliveryState.PENDING, "tries": 0, "next_at": db.now(connection)}
    return found[0], connection.execute(update(Delivery).where(mine).values(**told)).rowcount
