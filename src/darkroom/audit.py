"""The invariants as named queries: each must find no row. `deep` also looks at what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, func, select

from darkroom import db
from darkroom.db import AnyRow
from darkroom.errors import StorageFault
from darkroom.invariants import INVARIANTS
from darkroom.models import Job, Render
from darkroom.settings import GCS
from darkroom.storage import Storage, is_remote, open_storage
from darkroom.storage.parcel import Stored

_GCS: Final = GCS()
_OWN_FOLDER: Final = "{job}/"


class Violation(msgspec.Struct, frozen=True):
    """One row that must not be. `name` is the invariant's."""

    name: str
    detail: dict[str, Any]


def audit(engine: Engine, home: Path, *, deep: bool = False, gcs: GCS = _GCS) -> list[Violation]:
    """Check every invariant on a live database, read only.

    `deep` hashes every image in a folder; a bucket's own sizes and checksums are compared.
    """
    with db.reading(engine) as connection:
        db.read_in_utc(connection)
        found = [
            Violation(name, row)
            for name, query in INVARIANTS.items()
            for row in db.rows_of(connection, query)
        ]
    if deep:
        found += _stored(engine, gcs)
        found += _spooled(engine, home)
    return found


class Unseen(msgspec.Struct, frozen=True):
    """What `deep` cannot find strays beside: their paths share folders with who knows what.

    `jobs` by their own output path; `renders` by their rows', in the other jobs.
    """

    jobs: int
    renders: int


def unseen(engine: Engine) -> Unseen:
    """Count what `deep` compares one way only: its images are there, others may be too."""
    is_own = Job.output_path.startswith(_OWN_FOLDER, autoescape=True)
    rows = select(func.count(Render.id)).join(Job, Job.id == Render.job_id)
    elsewhere = rows.where(is_own, Render.output_path.is_not(None), Render.output_path != "").where(
        Render.output_path.not_like(f"{_OWN_FOLDER}%")
    )
    with db.reading(engine) as connection:
        jobs = connection.scalar(select(func.count(Job.id)).where(~is_own))
        return Unseen(jobs or 0, connection.scalar(elsewhere) or 0)


class _Known(msgspec.Struct, frozen=True):
    """What the books say of an object."""

    render: int
    uri: str
    sha256: str
    crc32c: str | None
    bytes: int


def _stored(engine: Engine, gcs: GCS) -> Iterator[Violation]:
    """Compare the books with each job's place, both ways."""
    with db.reading(engine) as connection:
        jobs = connection.execute(select(Job.id, Job.storage_url, Job.output_path)).all()
        known = {job.storage_url: _known(connection, job.storage_url) for job in jobs}
    for url, objects in known.items():
        # Only a folder that is a job's alone can be said to hold nothing else.
        own = [j.id for j in jobs if j.storage_url == url and j.output_path.startswith(_OWN_FOLDER)]
        storage = open_storage(url, gcs)
        if is_remote(url):
            yield from _listed(storage, objects, own)
        else:
            yield from _read(storage, objects, own)


def _known(connection: Connection, url: str) -> dict[str, _Known]:
    query = (
        select(Render.id, Render.uri, Render.sha256, Render.crc32c, Render.bytes)
        .join(Job, Job.id == Render.job_id)
        .where(Job.storage_url == url, Render.uri.is_not(None))
    )
    rows: Iterable[AnyRow] = connection.execute(query)
    return {row.uri: _Known(*row) for row in rows}


def _listed(
    storage: Storage, known: Mapping[str, _Known], jobs: Sequence[str]
) -> Iterator[Violation]:
    """Compare with a bucket's listing: nothing is downloaded."""
    missing, own = dict(known), frozenset(jobs)
    for there in storage.listing():
        each = missing.pop(there.uri, None)
        if each is not None:
            if (there.bytes, there.crc32c) != (each.bytes, each.crc32c or there.crc32c):
                yield _changed(each, there.bytes)
        elif there.uri not in known and there.uri.partition("/")[0] in own:
            yield _orphan(there)
    for each in missing.values():
        yield Violation("a stored image is there", {"render": each.render, "uri": each.uri})


def _read(
    storage: Storage, known: Mapping[str, _Known], jobs: Sequence[str]
) -> Iterator[Violation]:
    """Read every image of a folder."""
    for each in known.values():
        yield from _compared(storage, each)
    for job_id in jobs:
        yield from (_orphan(there) for there in storage.listing(job_id) if there.uri not in known)


def _compared(storage: Storage, known: _Known) -> Iterator[Violation]:
    try:
        with storage.open(known.uri) as file:
            data = file.read()
    except StorageFault as fault:
        detail = {"render": known.render, "uri": known.uri, "fault": fault.message}
        yield Violation("a stored image is there", detail)
        return
    if hashlib.sha256(data).hexdigest() != known.sha256 or len(data) != known.bytes:
        yield _changed(known, len(data))


def _changed(known: _Known, size: int) -> Violation:
    detail = {"render": known.render, "uri": known.uri, "bytes": size}
    return Violation("a stored image is what was received", detail)


def _orphan(there: Stored) -> Violation:
    job_id = there.uri.partition("/")[0]
    detail = {"job": job_id, "uri": there.uri, "bytes": there.bytes}
    return Violation("a stored image has a render", detail)


def _spooled(engine: Engine, home: Path) -> Iterator[Violation]:
    """When nothing is in flight, no answer waits to be booked."""
    with db.reading(engine) as connection:
        flying = db.rows_of(connection, "SELECT COUNT(*) AS n FROM attempts WHERE state = 'sent'")
    if flying[0]["n"]:
        return
    for file in sorted((home / "spool").glob("*/att_*")):
        if file.exists():
            yield Violation("the spool is empty when nothing is in flight", {"file": str(file)})
