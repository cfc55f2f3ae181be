"""What is to be exported, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from darkroom.export.address import Address
from darkroom.models import Decision, RenderState
from darkroom.report import Result, results
from darkroom.settings import GCS


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A job, and how its pictures are called where they will be read.

    `source` is its manifest where it lies now; None: where it was. `raw` leaves cells alone that a
    spreadsheet would run.
    """

    database: Engine
    gcs: GCS
    job_id: str
    address: Address
    source: Path | None = None
    raw: bool = False

    def results(self) -> Iterator[Result]:
        """Every render, in the order of the rows."""
        return results(self.database, self.job_id)

    def rows(self) -> Iterator[Result]:
        """Those of what the rows ask for; earlier turns of a row are none of it."""
        return (each for each in self.results() if not each.turn)

    def pictures(self) -> Iterator[Result]:
        """Those of them that have a picture which nobody rejected."""
        done = results(self.database, self.job_id, [RenderState.DONE])
        return (each for each in done if not each.turn and each.review is not Decision.REJECTED)


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. `left_out` are pictures that found no place; `doubts` are for people."""

    rows: int
    images: int
    left_out: int = 0
    doubts: tuple[str, ...] = ()
