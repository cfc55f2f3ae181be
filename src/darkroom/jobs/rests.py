"""Tiers, or single models on them, that send nothing for a while or until somebody acts.

A rest of every tier is the kill switch: each claim looks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, true

from darkroom import db
from darkroom.db import AnyRow
from darkroom.models import Render, Rest
from darkroom_manifests.tier import Tier

WHOLE_TIER: Final = "*"
EVERY_TIER: Final = "*"
PAUSED: Final = "a person paused it"
"""The reason of a rest that only `resume` ends, however often the stack is started."""
DAY_SPENT: Final = "the day's budget is spent"
"""The reason of a rest that only tells: claims look at the budget itself, and so notice a cap that
was raised. It ends with the day, in UTC."""

BOOKS_ARE_OLD: Final = "these books are older than what was sent and paid"
"""The reason of the kill switch that books from a backup get."""


def rest(
    connection: Connection,
    tier: Tier,
    model: str = WHOLE_TIER,
    *,
    seconds: float | None,
    reason: str,
    hint: str | None,
) -> None:
    """Send nothing for some seconds; None: until `wake`. A rest that lasts longer stays."""
    now = db.now(connection)
    until = None if seconds is None else now + timedelta(seconds=seconds)
    told = {"since": now, "until": until, "reason": reason, "hint": hint}
    is_longer = Rest.until.is_not(None) if until is None else Rest.until < until
    connection.execute(
        db.insert_of(connection, Rest)
        .values(tier=tier, model=model, **told)
        .on_conflict_do_update(
            index_elements=[Rest.tier, Rest.model],
            set_=told,
            where=or_(is_longer, Rest.reason == DAY_SPENT),
        )
    )


def wake(connection: Connection, tier: Tier, model: str | None = None) -> int:
    """Let it send again; without a model, everything on the tier. How many rests ended."""
    ended = delete(Rest).where(Rest.tier == tier)
    if model is not None:
        ended = ended.where(Rest.model == model)
    return connection.execute(ended).rowcount


def wake_all(connection: Connection) -> int:
    """End what may be mended now that somebody is here, but not the kill switch; how many."""
    mended = or_(Rest.until.is_(None), Rest.reason == DAY_SPENT)
    kept = or_(Rest.tier == EVERY_TIER, Rest.reason == PAUSED)
    return connection.execute(delete(Rest).where(mended, ~kept)).rowcount


def stop_everything(connection: Connection) -> bool:
    """Send nothing on any tier until `go_on`; False when that was so already."""
    values = {"tier": EVERY_TIER, "model": WHOLE_TIER, "since": db.now(connection), "until": None}
    said = {"reason": "a person paused everything", "hint": "darkroom resume --all goes on."}
    stopped = db.insert_of(connection, Rest).values(**values, **said).on_conflict_do_nothing()
    counted = stopped.execution_options(preserve_rowcount=True)
    return bool(connection.execute(counted).rowcount)


def distrust_books(connection: Connection) -> bool:
    """Send nothing by these books until `trust_books`; False when that was so already."""
    hint = (
        "Run darkroom audit --before-send; when it found something, read it, then"
        " darkroom resume --all goes on."
    )
    told = {"since": db.now(connection), "until": None, "reason": BOOKS_ARE_OLD, "hint": hint}
    stopped = db.insert_of(connection, Rest).values(tier=EVERY_TIER, model=WHOLE_TIER, **told)
    says_more = stopped.on_conflict_do_update(
        index_elements=[Rest.tier, Rest.model], set_=told, where=Rest.reason != BOOKS_ARE_OLD
    )
    counted = says_more.execution_options(preserve_rowcount=True)
    return bool(connection.execute(counted).rowcount)


def trust_books(connection: Connection) -> bool:
    """Take `distrust_books` back, but not what a person paused; False when they were trusted."""
    distrusted = (Rest.tier == EVERY_TIER) & (Rest.reason == BOOKS_ARE_OLD)
    return bool(connection.execute(delete(Rest).where(distrusted)).rowcount)


def go_on(connection: Connection) -> bool:
    """Take `stop_everything` back; False when nothing had been stopped."""
    return bool(connection.execute(delete(Rest).where(Rest.tier == EVERY_TIER)).rowcount)


def spend_no_more_today(connection: Connection, tier: Tier, now: datetime, hint: str) -> None:
    """Tell that a tier waits for the next day; a rest that is in force says more, and stays."""
    tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
    told = {"since": now, "until": tomorrow, "reason": DAY_SPENT, "hint": hint}
    says_less = and_(Rest.reason == DAY_SPENT, Rest.hint != hint)
    connection.execute(
        db.insert_of(connection, Rest)
        .values(tier=tier, model=WHOLE_TIER, **told)
        .on_conflict_do_update(
            index_elements=[Rest.tier, Rest.model],
            set_=told,
            where=or_(Rest.until <= now, says_less),
        )
    )


def spend_again(connection: Connection, tier: Tier) -> None:
    """Take `spend_no_more_today` back: the cap was raised, or money came home."""
    connection.execute(delete(Rest).where(Rest.tier == tier, Rest.reason == DAY_SPENT))


def name_of(model: str, size: str | None = None) -> str:
    """How a rest of a model, or of one size of it, is kept."""
    return model if size is None else f"{model} {size}"


def concerns(name: str) -> ColumnElement[bool]:
    """The condition that a rest's name means a render: its tier's whole, a model or a size."""
    if name == WHOLE_TIER:
        return true()
    model, _, size = name.partition(" ")
    if not size:
        return Render.model == model
    # In the JSON of a request; inside a prompt its quotes would be escaped.
    return and_(Render.model == model, Render.request.contains(f'"image_size":"{size}"'))


def awake(names: Collection[str]) -> ColumnElement[bool]:
    """The condition that a render is of no model that rests, and of no size of one."""
    models = [name for name in names if " " not in name]
    sizes = [~concerns(name) for name in names if " " in name]
    return and_(Render.model.not_in(models), *sizes)


def of_tier(connection: Connection, tier: Tier, now: datetime) -> Sequence[AnyRow]:
    """The models and reasons of the rests in force that concern a tier."""
    concerned = Rest.tier.in_([tier, EVERY_TIER])
    return connection.execute(select(Rest.model, Rest.reason).where(concerned, in_force(now))).all()


def in_force(now: datetime) -> ColumnElement[bool]:
    """The condition that a rest has not ended."""
    return or_(Rest.until.is_(None), Rest.until > now)


def current(connection: Connection) -> Sequence[Rest]:
    """The rests in force now."""
    query = select(Rest.__table__).where(in_force(db.now(connection)))
    return [Rest(**row) for row in connection.execute(query).mappings()]
