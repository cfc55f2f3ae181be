"""The images that requests change, put into them when they are about to be sent.

With the images go the signatures that the model gave with them, where another turn follows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from darkroom import bulk
from darkroom.db import AnyRow
from darkroom.models import Job, Render, Signature
from darkroom.request import Exchange, Reference, Request
from darkroom_manifests.tier import Tier

_DECODER: Final = msgspec.json.Decoder(Request)
_ENCODER: Final = msgspec.json.Encoder()


class _Parent(msgspec.Struct, frozen=True):
    """A render that is done, with all that another turn needs of it."""

    parent_id: int | None
    model: str
    tier: Tier
    request: Request
    image: Reference
    signed: str | None


def completed(connection: Connection, rows: Sequence[AnyRow], key: str = "id") -> Mapping[int, str]:
    """The requests, as JSON, of those rows that change an image, by the renders' ids.

    Rows have `parent_id`, `request`, `model` and `tier`; `key` names their render's id.
    """
    changing = [row for row in rows if row.parent_id is not None]
    if not changing:
        return {}
    known = _ancestors(connection, {row.parent_id for row in changing})
    return {
        getattr(row, key): _ENCODER.encode(
            _completed(_DECODER.decode(row.request), row, row.parent_id, known)
        ).decode()
        for row in changing
    }


def _ancestors(connection: Connection, ids: Collection[int]) -> dict[int, _Parent]:
    """Read parents, and theirs as long as they are turns of the same row."""
    known: dict[int, _Parent] = {}
    while ids := {one for one in ids if one not in known}:
        found = _parents(connection, ids)
        known |= found
        ids = {p.parent_id for p in found.values() if p.parent_id is not None}
    return known


def _parents(connection: Connection, ids: Collection[int]) -> dict[int, _Parent]:
    columns = (Render.id, Render.parent_id, Render.model, Render.tier, Render.request)
    query = (
        select(*columns, Render.uri, Render.sha256, Render.mime, Render.bytes)
        .add_columns(Job.storage_url, Signature.parts)
        .join(Job, Job.id == Render.job_id)
        .join(Signature, Signature.render_id == Render.id, isouter=True)
        .where(bulk.among(connection, Render.id, ids))
    )
    return {row.id: _parent(row) for row in connection.execute(query)}


def _parent(row: AnyRow) -> _Parent:
    place = row.storage_url.removeprefix("file://").rstrip("/")
    image = Reference(f"{place}/{row.uri}", row.mime, row.sha256, size=row.bytes)
    request = _DECODER.decode(row.request)
    return _Parent(row.parent_id, row.model, Tier(row.tier), request, image, row.parts)


def _completed(
    request: Request, own: AnyRow | _Parent, parent_id: int | None, known: Mapping[int, _Parent]
) -> Request:
    """Give a request the image that it changes, or the turns before it."""
    if parent_id is None:
        return request
    parent = known[parent_id]  # without it nothing may be sent: it would be another picture
    if not request.turn:
        return msgspec.structs.replace(request, canvas=_told(parent.image, request))
    before = _completed(parent.request, parent, parent.parent_id, known)
    exchange = Exchange(
        prompt=before.prompt,
        references=before.pictures,
        image=parent.image,
        signed=parent.signed if _understands(own, parent) else None,
    )
    return msgspec.structs.replace(request, history=(*before.history, exchange))


def _told(image: Reference, request: Request) -> Reference:
    """Among other images it must be said which one is to be changed."""
    if not request.references:
        return image
    return msgspec.structs.replace(image, role="the image to change")


def _understands(own: AnyRow | _Parent, parent: _Parent) -> bool:
    """Thought signatures are good for the model and the provider that gave them."""
    return own.model == parent.model and Tier(own.tier).provider is parent.tier.provider
