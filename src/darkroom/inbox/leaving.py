"""Ends a file's way: its report is finished, and it goes to its last shelf."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from darkroom import db
from darkroom.client import Darkroom, Job
from darkroom.inbox import books, names, paper
from darkroom.inbox.inbox import Drop, Inbox
from darkroom.inbox.place import Place, Shelf
from darkroom.killpoints import Point, come_past
from darkroom.models import DropState
from darkroom.report import JobState, Rejected
from darkroom_manifests.problem import Problem


class Leaving:
    """Writes reports of one inbox's files, and moves the files of which all is said."""

    def __init__(self, room: Darkroom, inbox: Inbox, place: Place) -> None:
        self._room = room
        self._inbox = inbox
        self._place = place
        self._papers = room.settings.home / "inbox"

    def leave(
        self,
        drop: Drop,
        kept: str,
        state: DropState,
        shelf: Shelf,
        *,
        problems: Iterable[Problem | Rejected] | None = None,
        message: str | None = None,
        hint: str | None = None,
        job: JobState | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Write the last report, move the file beside it, and close its books."""
        report = paper.report(
            self._inbox, drop, state, message=message, hint=hint, job=job, more=more
        )
        name = self._place.reserve(shelf, drop.name, drop.id, report)
        come_past(Point.LEAVING, drop.id)
        if problems is not None:
            self.put_rejected(shelf, name, drop, problems)
        self._place.leave(kept, shelf, name)
        come_past(Point.LEFT, drop.id)
        db.transact(
            self._room.database, lambda connection: books.end(connection, drop, state, message)
        )

    def finish(self, drop: Drop, kept: str) -> None:
        """Let a file go whose job has ended."""
        job = self._room.job(drop.job_id or "")
        state = job.state
        is_good = state.done or not state.total
        self.leave(
            drop,
            kept,
            DropState.DONE if is_good else DropState.FAILED,
            Shelf.DONE if is_good else Shelf.FAILED,
            problems=job.rejections() if state.invalid else None,
            job=state,
            **_told(state),
        )

    def tell(self, drop: Drop, kept: str, job: Job) -> str:
        """Say in its report how a file's job stands, with its bad rows beside it; in one word."""
        state = job.state
        if state.invalid:
            self.put_rejected(Shelf.WORKING, kept, drop, job.rejections())
        word = books.HELD if state.needs_approval else DropState.ACCEPTED.value
        report = paper.report(self._inbox, drop, word, job=state, **_told(state))
        self._place.put(Shelf.WORKING, names.beside(kept, names.REPORT), report)
        db.transact(self._room.database, lambda connection: books.tell(connection, drop, word))
        return word

    def put_rejected(
        self, shelf: Shelf, name: str, drop: Drop, problems: Iterable[Problem | Rejected]
    ) -> None:
        """Write every bad row beside a file."""
        self._papers.mkdir(parents=True, exist_ok=True)
        written = self._papers / f"{drop.id}{names.REJECTED}"
        try:
            paper.write_rejected(problems, written)
            self._place.put(shelf, names.beside(name, names.REJECTED), written)
        finally:
            written.unlink(missing_ok=True)


def _told(job: JobState) -> dict[str, Any]:
    """Say in a sentence how a job stands, and what to do."""
    if job.needs_approval:
        said = "It waits until somebody agrees to its cost; nothing is sent or reserved."
        answers = " or ".join(f"darkroom job {each} {job.id}" for each in ("approve", "reject"))
        return {"message": said, "hint": answers}
    if not job.is_finished:
        return {"message": None, "hint": f"darkroom job watch {job.id}"}
    if job.cancelled and not job.done:
        return {"message": "Its job was cancelled.", "hint": f"darkroom job show {job.id}"}
    if job.failed or job.refused:
        said = f"{job.done:,} of {job.total:,} images were made."
        return {"message": said, "hint": f"darkroom job show {job.id}"}
    return {"message": None, "hint": None}
