"""A job's results as they finish, for whoever looks: no process has to have been there before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec
from sqlalchemy import Engine

from darkroom import db
from darkroom.idle import is_idle
from darkroom.models import RenderState
from darkroom.report import Result, finished, job_states, linked

_PAGE: Final = 1_000
_OVERLAP: Final = timedelta(seconds=60)
"""A result is dated when its transaction begins, and seen when that is over: so much later."""


class News(msgspec.Struct, frozen=True):
    """Results that finished. `is_all`: nothing more is there now; `is_over`: nor will be."""

    results: list[Result]
    is_all: bool
    is_over: bool


class Stream:
    """Where one reader is in one job. It waits for nothing: ask it again after a while."""

    def __init__(
        self,
        database: Engine,
        job_id: str,
        states: Sequence[RenderState] = (),
        after: datetime | None = None,
    ) -> None:
        """Begin with what finished `after`, and a minute before it: that may have come to light."""
        self._database = database
        self._job_id = job_id
        self._states = states
        self._newest = after
        self._seen: dict[int, datetime] = {}
        self._ended = -1
        self._is_over = False
        self._place: tuple[datetime, int] | None = None
        self._is_between = True
        # Last of all: what other rows' renders make is there by then, if it comes by itself.
        self._linked = linked(database, job_id, states, after)

    def news(self) -> News:
        """Read some results, a page at most."""
        if self._is_between and not self._has_moved():
            return self._rest([]) if self._is_over else News([], is_all=True, is_over=False)
        page = finished(self._database, self._job_id, self._place, self._states)
        fresh = [one for one in page.results if one.is_told and self._is_new(one)]
        if page.results:
            self._place = (_moment(page.results[-1]), page.results[-1].render_id)
        self._is_between = page.is_last
        if page.is_last and self._is_over:
            return self._rest(fresh)
        return News(fresh, is_all=page.is_last, is_over=False)

    def _rest(self, fresh: list[Result]) -> News:
        """Add the pictures that other rows' renders made, when the job's own are there."""
        page = list(islice(self._linked, _PAGE))
        is_over = len(page) < _PAGE
        made = [one for one in page if one.is_told and one.finished_at is not None]
        return News([*fresh, *made], is_all=is_over, is_over=is_over)

    def _has_moved(self) -> bool:
        """Look at the job, and begin a pass over what finished lately if anything did."""
        with db.reading(self._database) as connection:
            state = job_states(connection, [self._job_id])[0]
            is_over = state.is_finished or is_idle(connection, self._job_id)
        ended = state.done + state.refused + state.failed + state.cancelled
        if ended == self._ended and not (is_over and not self._is_over):
            return False
        self._ended, self._is_over = ended, is_over
        self._begin_pass()
        return True

    def _begin_pass(self) -> None:
        if self._newest is None:
            self._place = None
            return
        since = self._newest - _OVERLAP
        self._place = (since, 0)
        self._seen = {one: at for one, at in self._seen.items() if at >= since}

    def _is_new(self, result: Result) -> bool:
        at = _moment(result)
        if self._seen.get(result.render_id) == at:
            return False
        self._seen[result.render_id] = at
        self._newest = at if self._newest is None else max(self._newest, at)
        return True


def _moment(result: Result) -> datetime:
    assert result.finished_at is not None, "only what is finished is read"
    return result.finished_at
