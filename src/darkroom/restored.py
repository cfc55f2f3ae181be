"""Compares books that came from a backup with what is stored, before anything is sent by them.

Restored books know nothing of what was paid after the backup was made, and would pay it again.
Where an image lies in the place of a render that is still to be sent, the render is held.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, func, select

from darkroom import db
from darkroom.audit import Violation
from darkroom.jobs import control, leases
from darkroom.models import Attempt, Job, Render, RenderState, Worker
from darkroom.settings import GCS, Settings
from darkroom.storage import open_storage
from darkroom.storage.paths import expand

T = TypeVar("T")

HELD: Final = "restored"
"""The reason of renders that are held here."""

_CHUNK: Final = 500
_OUR_FOLDER: Final = re.compile(r"job_[0-9a-z]{18}")
_EXTENSIONS: Final = ("png", "webp")  # one of each length: long names are cut to make room for it


class Comparison(msgspec.Struct, frozen=True):
    """What does not agree, and how many renders are held because of it now.

    `is_made` False: a worker lives, and nothing was compared.
    """

    found: list[Violation]
    held: int
    is_made: bool = True


def compare(engine: Engine, settings: Settings) -> Comparison:
    """Compare books and storage, and hold what seems to be paid for already.

    Nothing may run meanwhile: with a living worker it does nothing but name it. Attempts that
    were open in the backup are booked as lost first. Raises StorageFault.
    """
    if alive := list(_alive(engine)):
        return Comparison(alive, 0, is_made=False)
    while db.transact(engine, lambda connection: leases.bury(connection, settings.rules)):
        pass
    found: list[Violation] = []
    held = 0
    for url in _places(engine, settings):
        shelf = _Shelf(engine, url, settings.gcs)
        shelf.look()
        held += shelf.hold()
        found += shelf.violations()
    found += _spooled(engine, settings.home)
    return Comparison(found, held)


def _alive(engine: Engine) -> Iterator[Violation]:
    with db.reading(engine) as connection:
        query = select(Worker.id, Worker.host, Worker.pid).where(
            Worker.ended_at.is_(None), Worker.lease_until > db.now(connection)
        )
        workers = connection.execute(query).all()
    for worker in workers:
        detail = {"worker": worker.id, "host": worker.host, "pid": worker.pid}
        yield Violation("no worker lives while books and storage are compared", detail)


def _places(engine: Engine, settings: Settings) -> list[str]:
    """Every place that a job was ever stored in, and the one that is configured."""
    with db.reading(engine) as connection:
        used = set(connection.scalars(select(Job.storage_url).distinct()))
    now = settings.storage_url
    return sorted(used | {now if "://" in now else str(Path(now).absolute())})


class _Shelf:
    """One storage place beside what the books expect there."""

    def __init__(self, engine: Engine, url: str, gcs: GCS) -> None:
        self._engine = engine
        self._url = url
        self._gcs = gcs
        self._images = 0
        self._renders: dict[str, int] = {}
        self._strangers: Counter[str] = Counter()

    def look(self) -> None:
        """List the place once; memory grows with the renders that are not done."""
        with db.reading(self._engine) as connection:
            jobs = set(connection.scalars(select(Job.id)))
            expected = _expected(connection, self._url)
        for uri in _listed(self._url, self._gcs):
            self._images += 1
            folder = uri.partition("/")[0]
            render = _owner(expected, uri)
            if render is not None:
                self._renders[uri] = render
            elif folder not in jobs and _OUR_FOLDER.fullmatch(folder):
                self._strangers[folder] += 1
        self._leave_out_what_is_known()

    def _leave_out_what_is_known(self) -> None:
        """An image may lie there because a render of another job was given that name."""
        known = select(Render.uri).join(Job, Job.id == Render.job_id)
        with db.reading(self._engine) as connection:
            for uris in _chunks(self._renders):
                query = known.where(Job.storage_url == self._url, Render.uri.in_(uris))
                for uri in connection.scalars(query):
                    self._renders.pop(str(uri), None)

    def hold(self) -> int:
        """Hold what would be sent though its image seems to be there; how many are held now."""
        for ids in _chunks(self._renders.values()):
            db.transact(self._engine, _holding(ids))
        query = select(func.count(Render.id)).where(
            Render.state == RenderState.HELD, Render.reason == HELD
        )
        with db.reading(self._engine) as connection:
            return sum(
                connection.scalar(query.where(Render.id.in_(ids))) or 0
                for ids in _chunks(set(self._renders.values()))
            )

    def violations(self) -> Iterator[Violation]:
        """Say what does not agree."""
        with db.reading(self._engine) as connection:
            if not self._images and (done := self._done(connection)):
                # An empty place is rather one that is not mounted.
                detail = {"place": self._url, "done": done}
                yield Violation("storage holds what the books call done", detail)
            yield from self._owned(connection)
        for job_id, count in sorted(self._strangers.items()):
            strange = {"job": job_id, "images": count, "place": self._url}
            yield Violation("a stored image belongs to a job in the books", strange)

    def _done(self, connection: Connection) -> int:
        query = select(func.count(Render.id)).join(Job, Job.id == Render.job_id)
        query = query.where(Job.storage_url == self._url, Render.state == RenderState.DONE)
        return connection.scalar(query) or 0

    def _owned(self, connection: Connection) -> Iterator[Violation]:
        for uris in _chunks(self._renders):
            ids = {self._renders[uri]: uri for uri in uris}
            query = select(Render.id, Render.job_id, Render.row_id, Render.state)
            for row in connection.execute(query.where(Render.id.in_(ids)).order_by(Render.id)):
                detail = {"job": row.job_id, "row": row.row_id, "state": row.state}
                found = detail | {"uri": ids[row.id]}
                yield Violation("a stored image belongs to a render that is done", found)


def _holding(ids: list[int]) -> Callable[[Connection], int]:
    return lambda connection: control.hold(connection, ids, HELD)


def _expected(connection: Connection, url: str) -> dict[str, int]:
    """Every name, without its extension, that an image of a render that is not done would get."""
    query = (
        select(
            Render.id,
            Render.job_id,
            Render.row_id,
            Render.variant,
            Render.labels,
            func.coalesce(Render.output_path, Job.output_path).label("template"),
        )
        .join(Job, Job.id == Render.job_id)
        .where(Job.storage_url == url, Render.uri.is_(None))
    )
    names: dict[str, int] = {}
    for row in connection.execute(query.execution_options(yield_per=_CHUNK)):
        fields = {"job": row.job_id, "id": row.row_id, "variant": row.variant}
        for extension in _EXTENSIONS:
            name = expand(row.template, fields, row.labels, extension)
            names[name.removesuffix(f".{extension}")] = row.id
    return names


def _owner(expected: dict[str, int], uri: str) -> int | None:
    """Whose place an image lies in: under the name itself, or set apart beside a taken one."""
    stem = uri.rpartition(".")[0]
    return expected.get(stem) or expected.get(stem.rpartition("~")[0])


def _listed(url: str, gcs: GCS) -> Iterator[str]:
    for stored in open_storage(url, gcs).listing():
        yield stored.uri


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(list(items))
    while chunk := list(islice(left, _CHUNK)):
        yield chunk


def _spooled(engine: Engine, home: Path) -> Iterator[Violation]:
    """Set answers aside whose attempts the books do not know: a worker would throw them away."""
    staged = {path.name: path for path in sorted((home / "spool").glob("*/att_*"))}
    known: set[str] = set()
    with db.reading(engine) as connection:
        for ids in _chunks(staged):
            known |= set(connection.scalars(select(Attempt.id).where(Attempt.id.in_(ids))))
    aside = home / "quarantine"
    for attempt_id, path in staged.items():
        if attempt_id.removesuffix(".part") not in known and path.suffix != ".part":
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            moved = path.rename(aside / attempt_id)
            yield Violation("an answer in the spool has an attempt", {"file": str(moved)})
