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
from darkroom.models import AttemptState, Job, Render, RenderState
from darkroom.settings import GCS
from darkroom.storage import Storage, is_remote, open_storage
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier

_GCS: Final = GCS()
_OWN_FOLDER: Final = "{job}/"


class Violation(msgspec.Struct, frozen=True):
    """One row that must not be. `name` is the invariant's."""

    name: str
    detail: dict[str, Any]


def _listed_states(*states: AttemptState) -> str:
    return ", ".join(f"'{state}'" for state in states)


_COUNTERS: Final = " OR ".join(
    f"j.{state} <> (SELECT COUNT(*) FROM renders r WHERE r.job_id = j.id AND r.state = '{state}')"  # noqa: S608  # our own enum
    for state in RenderState
)


def _sums(scope: str, where: str = "", group_by: str = "") -> str:
    return f"""
        SELECT {scope} AS scope, COUNT(*) AS attempts, SUM(a.charged_nusd) AS spent,
        SUM(a.at_risk_nusd) AS at_risk,
        SUM(CASE WHEN a.state = 'sent' THEN a.reserved_nusd ELSE 0 END) AS reserved,
        SUM(CASE WHEN a.charged_nusd > a.reserved_nusd
        THEN a.charged_nusd - a.reserved_nusd ELSE 0 END) AS excess
        FROM attempts a {where} {group_by}"""  # noqa: S608  # our own words


_PRETENDED: Final = ", ".join(f"'{tier}'" for tier in Tier if tier.is_simulated)
_IS_REAL: Final = f"WHERE a.tier NOT IN ({_PRETENDED})"
_DAY: Final = "substr(CAST(a.sent_at AS TEXT), 1, 10)"  # see db.read_in_utc
_SUMS: Final = " UNION ALL ".join(
    [
        _sums("'job:' || a.job_id", group_by="GROUP BY a.job_id"),
        _sums(f"'day:' || {_DAY}", _IS_REAL, f"GROUP BY {_DAY}"),
        _sums("'all'", _IS_REAL),
    ]
)
"""What each account should hold, added up from the attempts."""

_OF_ACCOUNTS: Final = {
    "spent is the sum of charges": """
        SELECT c.scope, c.spent_nusd, s.spent FROM accounts c
        LEFT JOIN sums s ON s.scope = c.scope WHERE c.spent_nusd <> COALESCE(s.spent, 0)""",
    "at risk is the sum of lost answers": """
        SELECT c.scope, c.at_risk_nusd, s.at_risk FROM accounts c
        LEFT JOIN sums s ON s.scope = c.scope WHERE c.at_risk_nusd <> COALESCE(s.at_risk, 0)""",
    "reserved is the sum of open attempts": """
        SELECT c.scope, c.reserved_nusd, s.reserved FROM accounts c
        LEFT JOIN sums s ON s.scope = c.scope WHERE c.reserved_nusd <> COALESCE(s.reserved, 0)""",
    "a cap holds but for charges above their reservation": """
        SELECT c.scope, c.cap_nusd, c.spent_nusd, c.reserved_nusd, c.at_risk_nusd
        FROM accounts c LEFT JOIN sums s ON s.scope = c.scope
        WHERE c.cap_nusd IS NOT NULL AND c.spent_nusd + c.reserved_nusd + c.at_risk_nusd
        > c.cap_nusd + COALESCE(s.excess, 0)""",
    "every attempt is booked on the accounts of its job, its day and everything": """
        SELECT s.scope, s.attempts FROM sums s LEFT JOIN accounts c ON c.scope = s.scope
        WHERE c.scope IS NULL AND s.attempts > 0""",
}

_KNOWN_TO_HAVE_FAILED: Final = _listed_states(
    AttemptState.BUSY,
    AttemptState.NOT_SENT,
    AttemptState.TRANSIENT,
    AttemptState.NO_IMAGE,
    AttemptState.SPOILED,
    AttemptState.DENIED,
    AttemptState.GONE,
)
"""After these a request is sent again by itself."""

_SENT_AGAIN_BY_A_WORD: Final = _listed_states(
    AttemptState.LOST, AttemptState.REFUSED, AttemptState.INVALID
)
"""After these it takes a named rule or a person."""

_ROWS: Final = """
    SELECT job_id, COUNT(*) AS present, SUM(n - made) AS lacking FROM
    (SELECT job_id, n, COUNT(*) AS made FROM renders GROUP BY job_id, row_no, n) counted
    GROUP BY job_id"""
"""For each job the rows that have renders, and how many renders these have too few."""

INVARIANTS: Final[dict[str, str]] = {
    "a row has no more than n renders, each another variant": """
        SELECT job_id, row_no, n, COUNT(*) AS found FROM renders
        GROUP BY job_id, row_no, n HAVING COUNT(*) > n OR COUNT(DISTINCT variant) <> COUNT(*)""",
    # A row that has no render at all lacks one at least: its n is not in the books.
    "an accepted row has n renders but for those that are rendered elsewhere": f"""
        SELECT j.id, j.rows, j.unchanged, r.present, r.lacking
        FROM jobs j LEFT JOIN ({_ROWS}) r ON r.job_id = j.id
        WHERE j.loaded_at IS NOT NULL AND (COALESCE(r.present, 0) > j.rows OR
        j.rows - COALESCE(r.present, 0) + COALESCE(r.lacking, 0) > j.unchanged)""",  # noqa: S608  # our own words
    "a job's counters equal its renders": (
        f"SELECT j.id FROM jobs j WHERE j.loaded_at IS NOT NULL AND ({_COUNTERS})"  # noqa: S608  # our own enum
    ),
    "a finished job has nothing unfinished": """
        SELECT id FROM jobs WHERE loaded_at IS NOT NULL
        AND (finished_at IS NOT NULL) <> (held + pending + sent + submitted = 0)""",
    "a render is sent exactly while it has an open attempt": """
        SELECT r.id, r.state FROM renders r
        LEFT JOIN attempts a ON a.render_id = r.id AND a.state = 'sent'
        WHERE (r.state IN ('sent', 'submitted')) <> (a.id IS NOT NULL)""",
    "an open attempt carries its render's fence": """
        SELECT a.id, a.fence, r.fence AS render_fence FROM attempts a
        JOIN renders r ON r.id = a.render_id WHERE a.state = 'sent' AND a.fence <> r.fence""",
    "attempts are numbered without holes": """
        SELECT render_id, COUNT(*) AS attempts, MAX(fence) AS newest FROM attempts
        GROUP BY render_id HAVING COUNT(*) <> MAX(fence) OR MIN(fence) <> 1""",
    "a render knows its newest attempt": """
        SELECT r.id, r.fence FROM renders r WHERE r.fence <>
        (SELECT COUNT(*) FROM attempts a WHERE a.render_id = r.id)""",
    "nothing is sent again but after a known failure, or by a rule or a person's word": f"""
        SELECT b.id, a.id AS earlier, a.state FROM attempts b JOIN attempts a
        ON a.render_id = b.render_id AND a.fence = b.fence - 1
        WHERE b.fence > 1 AND NOT (a.state IN ({_KNOWN_TO_HAVE_FAILED})
        OR (a.state IN ({_SENT_AGAIN_BY_A_WORD}) AND a.resend_rule IS NOT NULL))""",  # noqa: S608  # our own enum
    "a done render has one delivered attempt and one object": """
        SELECT r.id FROM renders r
        LEFT JOIN attempts a ON a.id = r.attempt_id AND a.state = 'delivered'
        WHERE (r.state = 'done') <> (a.id IS NOT NULL AND r.uri IS NOT NULL
        AND r.sha256 IS NOT NULL)""",
    "a delivered attempt is its render's": """
        SELECT a.id FROM attempts a JOIN renders r ON r.id = a.render_id
        WHERE a.state = 'delivered' AND (r.attempt_id IS NULL OR r.attempt_id <> a.id)""",
    "an object belongs to one render": """
        SELECT j.storage_url, r.uri, COUNT(*) AS renders FROM renders r
        JOIN jobs j ON j.id = r.job_id WHERE r.uri IS NOT NULL
        GROUP BY j.storage_url, r.uri HAVING COUNT(*) > 1""",
    "a render's money is its attempts'": """
        SELECT r.id FROM renders r WHERE r.charged_nusd <>
        (SELECT COALESCE(SUM(a.charged_nusd), 0) FROM attempts a WHERE a.render_id = r.id)
        OR r.at_risk_nusd <>
        (SELECT COALESCE(SUM(a.at_risk_nusd), 0) FROM attempts a WHERE a.render_id = r.id)""",
    "a failed or open attempt was not charged": """
        SELECT id, state, charged_nusd FROM attempts WHERE charged_nusd > 0 AND state IN
        ('sent', 'busy', 'not-sent', 'transient', 'invalid', 'denied', 'gone')""",
    "an open attempt has a worker or a batch that is not ended": """
        SELECT a.id, a.batch_id FROM attempts a LEFT JOIN workers w ON w.id = a.worker_id
        LEFT JOIN batches b ON b.id = a.batch_id AND b.ended_at IS NULL
        WHERE a.state = 'sent' AND w.id IS NULL AND b.id IS NULL""",
    "a render is submitted exactly while its open attempt travels in a batch": """
        SELECT r.id, r.state, a.batch_id FROM attempts a JOIN renders r ON r.id = a.render_id
        WHERE a.state = 'sent' AND (r.state = 'submitted') <> (a.batch_id IS NOT NULL)""",
    "a batch carries attempts of its own job, tier and model": """
        SELECT a.id, b.id AS batch FROM attempts a JOIN batches b ON b.id = a.batch_id
        WHERE a.job_id <> b.job_id OR a.tier <> b.tier OR a.model <> b.model""",
    "a batch has as many attempts as lines": """
        SELECT b.id, b.lines FROM batches b WHERE b.lines <>
        (SELECT COUNT(*) FROM attempts a WHERE a.batch_id = b.id)""",
    "a batch that runs has a name at its provider, and one that was not asked for has none": """
        SELECT id, state FROM batches WHERE
        (state IN ('running', 'collecting') AND provider_name IS NULL) OR
        (state IN ('building', 'creating', 'missing') AND provider_name IS NOT NULL)""",
    "a batch is looked at again exactly until it is ended": """
        SELECT id, state FROM batches WHERE (state = 'ended') <> (next_at IS NULL)
        OR (state = 'ended') <> (ended_at IS NOT NULL)""",
    # What was reserved has a price; throughput that was bought by the hour costs nothing.
    "a delivered attempt was charged": """
        SELECT id, reserved_nusd, price_version FROM attempts
        WHERE state = 'delivered' AND reserved_nusd > 0 AND charged_nusd = 0
        AND tier <> 'vertex-provisioned'
        AND COALESCE(traffic_type, '') <> 'PROVISIONED_THROUGHPUT'""",
    "a lost attempt is at risk, or was charged when its answer turned up": """
        SELECT id, reserved_nusd FROM attempts
        WHERE state = 'lost' AND reserved_nusd > 0 AND charged_nusd = 0 AND at_risk_nusd = 0""",
} | {name: f"WITH sums AS ({_SUMS}) {query}" for name, query in _OF_ACCOUNTS.items()}


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
