"""The books of catalogs: what each row, known by its id, last asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Connection, Select, delete, func, literal, select

from darkroom import bulk, db
from darkroom.models import CatalogEntry, Link, Render

_PAGE: Final = 1_000


def asked(
    connection: Connection, catalog: str, row_ids: Sequence[str]
) -> dict[tuple[str, int], str]:
    """What these rows last asked for: fingerprints, by id and variant."""
    query = select(CatalogEntry.row_id, CatalogEntry.variant, CatalogEntry.fingerprint).where(
        CatalogEntry.catalog == catalog, bulk.among(connection, CatalogEntry.row_id, row_ids)
    )
    found = connection.execute(query)
    return {(row_id, variant): fingerprint for row_id, variant, fingerprint in found}


def row_ids(connection: Connection, catalog: str) -> Iterator[str]:
    """The ids of all its rows, in the order of the ids."""
    query = (
        select(CatalogEntry.row_id)
        .where(CatalogEntry.catalog == catalog)
        .distinct()
        .order_by(CatalogEntry.row_id)
        .execution_options(yield_per=_PAGE)
    )
    yield from connection.execute(query).scalars()


def take_over(connection: Connection, catalog: str, job_id: str) -> None:
    """Let what a job's rows ask for be what the catalog's rows asked for last."""
    for of_job in (_of_renders(job_id), _of_links(job_id)):
        asks = of_job.subquery()
        is_same = (
            (CatalogEntry.catalog == catalog)
            & (CatalogEntry.row_id == asks.c.row_id)
            & (CatalogEntry.variant == asks.c.variant)
        )
        fresh = (
            select(literal(catalog), *asks.c, literal(job_id))
            .outerjoin(CatalogEntry, is_same)
            .where(func.coalesce(CatalogEntry.fingerprint, "") != asks.c.fingerprint)
        )
        insert = db.insert_of(connection, CatalogEntry).from_select(_COLUMNS, fresh)
        changed = {name: insert.excluded[name] for name in ("fingerprint", "job_id")}
        connection.execute(insert.on_conflict_do_update(index_elements=_KEY, set_=changed))


_KEY: Final = ("catalog", "row_id", "variant")
_COLUMNS: Final = (*_KEY, "fingerprint", "job_id")


def _of_renders(job_id: str) -> Select[str, int, str]:
    return select(Render.row_id, Render.variant, Render.fingerprint).where(Render.job_id == job_id)


def _of_links(job_id: str) -> Select[str, int, str]:
    return (
        select(Link.row_id, Link.variant, Render.fingerprint)
        .join(Render, Render.id == Link.render_id)
        .where(Link.job_id == job_id)
    )


def remove(connection: Connection, catalog: str, row_ids: Iterable[str]) -> None:
    """Forget rows that are in it no more."""
    left = iter(row_ids)
    while page := list(islice(left, _PAGE)):
        gone = bulk.among(connection, CatalogEntry.row_id, page)
        connection.execute(delete(CatalogEntry).where(CatalogEntry.catalog == catalog, gone))
