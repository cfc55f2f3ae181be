"""Judges one file whose bytes are here: it becomes a job, or is refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from darkroom import db
from darkroom.client import Darkroom, Job
from darkroom.consent import real_nusd
from darkroom.draft import Choices
from darkroom.errors import ConfigInvalid, DarkroomError, ManifestRejected, StorageFault
from darkroom.inbox import books
from darkroom.inbox.inbox import Drop, Inbox
from darkroom.inbox.terms import Terms
from darkroom.jobs import load
from darkroom.manifest import Manifest
from darkroom.plan import Plan
from darkroom.source import reading_of
from darkroom_manifests.money import NANO, dollars
from darkroom_manifests.problem import Problem
from darkroom_manifests.read import read
from darkroom_manifests.reading import Reading
from darkroom_manifests.row import Row
from darkroom_manifests.sight import look
from darkroom_manifests.tier import parse_choice


class Refused(msgspec.Struct, frozen=True):
    """Why a file becomes no job. `plan` has bad rows, if that is the reason."""

    message: str
    hint: str | None = None
    plan: Plan | None = None


def judge(
    room: Darkroom, inbox: Inbox, drop: Drop, terms: Terms, copy: Path, base: Path | None, key: str
) -> Job | Refused:
    """Plan a file and submit it, once for each `key`."""
    with db.reading(room.database) as connection:
        due = terms.due(books.now(connection))
        unloaded = books.unloaded(connection, key)
    if unloaded is not None:  # whoever loaded it died: who watches an inbox is alone
        db.transact(room.database, lambda connection: load.discard(connection, unloaded))
    plan = _planned(room, inbox, drop, copy, base, terms, due)
    if isinstance(plan, Refused):
        return plan
    cap = None if terms.max_cost_nusd is None else dollars(terms.max_cost_nusd)
    try:
        return room.submit(
            plan,
            max_cost=cap,
            idempotency_key=key,
            accept_valid=terms.accept_valid,
            consent=True,
            name=terms.name,
            priority=terms.priority,
            hold=_must_be_approved(room, plan),
        )
    except StorageFault:
        raise
    except ManifestRejected as error:
        return Refused(error.message, _hint(plan), plan)
    except DarkroomError as error:
        return Refused(error.message, error.hint)


def _choices(terms: Terms, due: datetime | None) -> Choices:
    return Choices(
        tier=None if terms.tier is None else parse_choice(terms.tier),
        model=terms.model,
        deliver_by=due,
        mapping=terms.mapping,
        template=terms.template,
        ask=terms.ask,
        deliver_turns=terms.deliver_turns,
        labels=terms.labels,
    )


def _planned(
    room: Darkroom,
    inbox: Inbox,
    drop: Drop,
    copy: Path,
    base: Path | None,
    terms: Terms,
    due: datetime | None,
) -> Plan | Refused:
    """Read the file as the settings and its terms say; a template may not be there."""
    choices = _choices(terms, due)
    try:
        reading = reading_of(room.settings, choices)
        manifest = _manifest(inbox, drop, copy, base, reading)
        return room.plan(manifest, choices=choices, catalog=terms.catalog)
    except ConfigInvalid as error:
        return Refused(error.message, error.hint)


def _hint(plan: Plan) -> str:
    mend = "Mend them and drop the file again"
    if plan.renders and plan.end is None:
        return f"{mend}; with accept_valid = true in a side file the others are rendered."
    return f"{mend}."


def _must_be_approved(room: Darkroom, plan: Plan) -> bool:
    most = room.settings.inbox.require_approval_above
    return most is not None and real_nusd(plan) > int(most * NANO)


def _manifest(
    inbox: Inbox, drop: Drop, copy: Path, base: Path | None, reading: Reading
) -> Manifest:
    """Read the copy, and speak of the file: references are found beside where it was dropped."""
    shown = f"{inbox.url}/{drop.name}"

    def rows() -> Iterator[Row | Problem]:
        for entry in read(copy, reading=reading):
            yield entry if isinstance(entry, Row) else msgspec.structs.replace(entry, file=shown)

    file = None if base is None else base / drop.name
    address = shown if base is None else None
    return Manifest(
        Path(drop.name).stem, rows, file, copy, address, lambda: look(copy, reading=reading)
    )
