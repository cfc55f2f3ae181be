"""What is decided on the images of one job, as a person or a program says it."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.errors import NotFound
from darkroom.jobs import reviews
from darkroom.jobs.reviews import Subject, Tally, Word
from darkroom.models import Decision, RenderState
from darkroom.report import Result, results
from darkroom.review_sheet import Entry, entries

WAITING: Final = "waiting"
"""The standing of an image on which nobody decided; the others are those of `Decision`."""

_PAGE: Final = 10_000


class Reviews:
    """Decisions on the images of one job. The last one on an image counts, whoever made it.

    Rows are named by their ids: all their images are meant, or the one of a `variant`. `by` is who
    decides, else the user of this process. Raises NotFound for a row without an image; then
    nothing is changed.
    """

    def __init__(self, database: Engine, job_id: str) -> None:
        self._database = database
        self._job_id = job_id

    def results(self, standing: str | None = None) -> Iterator[Result]:
        """The images, all or those that are "waiting", "approved" or "rejected"."""
        decision = None if standing in (None, WAITING) else Decision(standing)
        for result in results(self._database, self._job_id, [RenderState.DONE]):
            if not result.turn and (standing is None or result.review is decision):
                yield result

    def tally(self) -> Tally:
        """How many wait, and what was decided on the others."""
        with db.reading(self._database) as connection:
            return reviews.tally(connection, self._job_id)

    def approve(
        self,
        rows: str | Sequence[str],
        *,
        variant: int | None = None,
        note: str | None = None,
        by: str | None = None,
    ) -> int:
        """Say that images are good; for how many that is news."""
        return self._decide(rows, variant, (Decision.APPROVED, note), by)

    def approve_all(self, *, by: str | None = None) -> int:
        """Say it of all that wait, and of no other; how many."""
        word = (Decision.APPROVED, None)
        return db.transact(
            self._database,
            lambda c: reviews.decide_rest(c, self._job_id, word, _named(by)),
        )

    def reject(
        self,
        rows: str | Sequence[str],
        *,
        variant: int | None = None,
        note: str | None = None,
        by: str | None = None,
    ) -> int:
        """Throw images out: who asks for them again has them made, and pays; how many."""
        return self._decide(rows, variant, (Decision.REJECTED, note), by)

    def undo(
        self, rows: str | Sequence[str], *, variant: int | None = None, by: str | None = None
    ) -> int:
        """Take back what was decided; on how many."""

        def work(connection: Connection) -> int:
            found = _found(connection, self._job_id, _rows(rows), variant)
            return reviews.take_back(connection, [each.render_id for each in found], _named(by))

        return db.transact(self._database, work)

    def take(self, sheet: str | Path, *, decision: str | None = None, by: str | None = None) -> int:
        """Take decisions from a CSV with columns id, decision, and if need be variant and note.

        `decision` is that of every line where there is no such column. All of it, or nothing; for
        how many images it is news. Raises ManifestRejected.
        """
        usual = None if decision is None else Decision(decision)

        def work(connection: Connection) -> int:
            lines = entries(Path(sheet), usual)
            return sum(
                reviews.decide(connection, _words(connection, self._job_id, page), _named(by))
                for page in iter(lambda: list(islice(lines, _PAGE)), [])
            )

        return db.transact(self._database, work)

    def _decide(
        self, rows: str | Sequence[str], variant: int | None, word: Word, by: str | None
    ) -> int:
        def work(connection: Connection) -> int:
            found = _found(connection, self._job_id, _rows(rows), variant)
            words = dict.fromkeys((each.render_id for each in found), word)
            return reviews.decide(connection, words, _named(by))

        return db.transact(self._database, work)


def _rows(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def _words(connection: Connection, job_id: str, page: Sequence[Entry]) -> Mapping[int, Word]:
    """What lines say of which renders; of two lines on the same one the later."""
    named = _by_row(connection, job_id, [entry.row_id for entry in page])
    return {
        each.render_id: (entry.decision, entry.note)
        for entry in page
        for each in _images(job_id, entry.row_id, named.get(entry.row_id, ()), entry.variant)
    }


def _found(
    connection: Connection, job_id: str, rows: Sequence[str], variant: int | None
) -> list[Subject]:
    named = _by_row(connection, job_id, rows)
    return [each for name in rows for each in _images(job_id, name, named.get(name, ()), variant)]


def _by_row(connection: Connection, job_id: str, rows: Iterable[str]) -> dict[str, list[Subject]]:
    named: dict[str, list[Subject]] = {}
    for each in reviews.subjects(connection, job_id, list(dict.fromkeys(rows))):
        named.setdefault(each.row_id, []).append(each)
    return named


def _images(
    job_id: str, row_id: str, subjects: Sequence[Subject], variant: int | None
) -> list[Subject]:
    """Those of a row's pictures that are there. Raises NotFound when none is."""
    chosen = [each for each in subjects if variant in (None, each.variant)]
    what = f"row {row_id}" if variant is None else f"variant {variant} of row {row_id}"
    if not chosen:
        hint = f"`darkroom review ls {job_id}` lists the images of its rows."
        raise NotFound(f"{job_id} has no {what}.", hint=hint)
    done = [each for each in chosen if each.state is RenderState.DONE]
    if not done:
        said = f"There is no image of {what}: it is {chosen[0].state}."
        raise NotFound(said, hint="Only images that are there can be decided on.")
    return done


def _named(by: str | None) -> str:
    """Who decides: a container may have no name for its user."""
    if by:
        return by
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "somebody"
