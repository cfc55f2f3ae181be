"""Answers that turn up after their attempt was given up as lost: the books learn the truth.

What may have been charged becomes what was charged. The picture is adopted if nobody has been
asked for it again; else it was paid twice, and its bytes stay aside.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select, update

from darkroom import db, ledger
from darkroom.db import AnyRow
from darkroom.jobs import counts, edits, signatures
from darkroom.jobs.close import Closing
from darkroom.jobs.places import ADOPTABLE
from darkroom.models import Attempt, AttemptState, Render, RenderState
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier


class Late(StrEnum):
    """What a late answer turned out to be."""

    KNOWN = "known"
    """Booked before, as what its render now has."""
    UNWANTED = "unwanted"
    """Booked before, and nobody's picture."""
    ADOPTED = "adopted"
    PAID_TWICE = "paid-twice"
    NOT_STORED = "not-stored"
    """Its render could have it, once it is stored; nothing was written."""


def settle_late(connection: Connection, closing: Closing, stored: Stored | None) -> Late:
    """Book an answer whose attempt is closed; one that the books hold already changes nothing."""
    row = _lost_attempt(connection, closing.attempt_id)
    if row is None or closing.ended is AttemptState.LOST:  # lost twice is not found
        return _known(connection, closing)
    adopted = closing.picture is not None and row.state in ADOPTABLE
    if adopted and stored is None:
        return Late.NOT_STORED
    now = db.now(connection)
    connection.execute(
        update(Attempt)
        .where(Attempt.id == closing.attempt_id)
        .values(
            state=_ended(closing, adopted=adopted),
            charged_nusd=closing.charged_nusd,
            at_risk_nusd=0,
            cost_source=closing.cost_source,
            price_version=closing.price_version,
            prompt_tokens=closing.tokens.prompt,
            image_tokens=closing.tokens.image,
            text_tokens=closing.tokens.text,
            thought_tokens=closing.tokens.thought,
            searches=closing.tokens.searches,
            traffic_type=closing.traffic_type,
            message="The answer came after it had been given up.",
        )
    )
    money = {
        "charged_nusd": Render.charged_nusd + closing.charged_nusd,
        "at_risk_nusd": Render.at_risk_nusd - row.at_risk_nusd,
    }
    picture = _picture(closing, stored, now) if adopted and stored is not None else {}
    connection.execute(update(Render).where(Render.id == row.render_id).values(**money, **picture))
    posting = ledger.Posting(0, closing.charged_nusd, -row.at_risk_nusd)
    scopes = ledger.scopes_of(row.job_id, Tier(row.tier), row.sent_at)
    ledger.post(connection, dict.fromkeys(scopes, posting))
    if adopted:
        shifts: counts.Shifts = Counter()
        counts.moved(shifts, RenderState(row.state), RenderState.DONE)
        counts.shift(connection, {row.job_id: shifts}, now)
        signatures.keep(connection, {row.render_id: closing.signed})
        edits.follow(connection, {row.render_id: RenderState.DONE})
    return Late.ADOPTED if adopted else Late.PAID_TWICE


def _ended(closing: Closing, *, adopted: bool) -> AttemptState:
    """What cost nothing was never lost, whoever gave it up: it is what it turned out to be."""
    if adopted:
        return AttemptState.DELIVERED
    was_free = closing.charged_nusd == 0 and closing.picture is None
    return closing.ended if was_free else AttemptState.LOST


def _lost_attempt(connection: Connection, attempt_id: str) -> AnyRow | None:
    query = (
        select(
            Attempt.at_risk_nusd,
            Attempt.tier,
            Attempt.sent_at,
            Render.id.label("render_id"),
            Render.state,
            Render.job_id,
        )
        .join(Render, Render.id == Attempt.render_id)
        .where(Attempt.id == attempt_id, Attempt.state == AttemptState.LOST)
        .where(Attempt.at_risk_nusd > 0)
        .with_for_update(of=(Attempt, Render))
    )
    return connection.execute(query).one_or_none()


def _known(connection: Connection, closing: Closing) -> Late:
    query = select(Attempt.state).where(Attempt.id == closing.attempt_id)
    is_delivered = connection.scalar(query) == AttemptState.DELIVERED
    return Late.KNOWN if is_delivered else Late.UNWANTED


def _picture(closing: Closing, stored: Stored, now: datetime) -> dict[str, Any]:
    picture = closing.picture
    assert picture is not None
    return {
        "state": RenderState.DONE,
        "reason": None,
        "message": None,
        "due_at": None,
        "attempt_id": closing.attempt_id,
        "uri": stored.uri,
        "sha256": picture.sha256,
        "crc32c": stored.crc32c,
        "bytes": picture.bytes,
        "mime": picture.mime,
        "width": picture.width,
        "height": picture.height,
        "finished_at": now,
    }
