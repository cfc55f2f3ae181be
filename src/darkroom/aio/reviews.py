"""What is decided on the images of one job, for an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from darkroom.aio.beside import Beside
from darkroom.jobs.reviews import Tally
from darkroom.report import Result
from darkroom.reviews import Reviews


class AsyncReviews:
    """`Job.reviews` with the same names; see there."""

    def __init__(self, reviews: Reviews, beside: Beside) -> None:
        self._reviews = reviews
        self._beside = beside

    def results(self, standing: str | None = None) -> AsyncIterator[Result]:
        """See `Reviews.results`."""
        return self._beside.each(lambda: self._reviews.results(standing))

    async def tally(self) -> Tally:
        """See `Reviews.tally`."""
        return await self._beside.call(self._reviews.tally)

    async def approve(
        self,
        rows: str | Sequence[str],
        *,
        variant: int | None = None,
        note: str | None = None,
        by: str | None = None,
    ) -> int:
        """See `Reviews.approve`."""
        call = self._reviews.approve
        return await self._beside.call(call, rows, variant=variant, note=note, by=by)

    async def approve_all(self, *, by: str | None = None) -> int:
        """See `Reviews.approve_all`."""
        return await self._beside.call(self._reviews.approve_all, by=by)

    async def reject(
        self,
        rows: str | Sequence[str],
        *,
        variant: int | None = None,
        note: str | None = None,
        by: str | None = None,
    ) -> int:
        """See `Reviews.reject`."""
        call = self._reviews.reject
        return await self._beside.call(call, rows, variant=variant, note=note, by=by)

    async def undo(
        self, rows: str | Sequence[str], *, variant: int | None = None, by: str | None = None
    ) -> int:
        """See `Reviews.undo`."""
        return await self._beside.call(self._reviews.undo, rows, variant=variant, by=by)

    async def take(
        self, sheet: str | Path, *, decision: str | None = None, by: str | None = None
    ) -> int:
        """See `Reviews.take`."""
        return await self._beside.call(self._reviews.take, sheet, decision=decision, by=by)
