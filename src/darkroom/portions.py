"""What a plan would store, kept from planning to submitting, so that rows are judged once."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Final

import msgspec
from sqlalchemy import Engine

from darkroom import db
from darkroom.chunk import Chunk
from darkroom.jobs import load
from darkroom.jobs.links import NewLink
from darkroom.jobs.load import NewRender
from darkroom_manifests.problem import Problem

_IN_MEMORY: Final = 4 << 20  # bytes; what is more goes to disk, some 400 a row

Removed = Callable[[], Iterator[str] | None]
"""Tells the ids of a catalog's rows that are not in the manifest; None: that is not known."""


class Portion(msgspec.Struct, frozen=True):
    """What of a few thousand rows is to be stored, and how many pictures are made by others."""

    renders: list[NewRender]
    links: list[NewLink]
    errors: list[Problem]
    rows: int
    unchanged: int
    shared: int

    @classmethod
    def of(cls, chunk: Chunk) -> Portion:
        """Make what is to be stored of a chunk."""
        return cls(
            renders=[render for placed in chunk.placed for render in placed.renders()],
            links=list(chunk.links()),
            errors=chunk.errors,
            rows=chunk.rows,
            # What was not selected counts: of others' jobs it may have come meanwhile.
            unchanged=len(chunk.known) + chunk.left,
            shared=len(chunk.twins),
        )


class Portions:
    """The portions of one plan, in a file that goes with it; any number of readers may share it.

    `since` is when the books began to be asked: what came into them later is not known here.
    """

    def __init__(self, engine: Engine, home: Path) -> None:
        self.since: datetime = db.transact(engine, load.quiet_moment)
        self.removed: Removed = lambda: None
        self._engine = engine
        folder = str(home) if home.is_dir() else None
        self._file = SpooledTemporaryFile(_IN_MEMORY, dir=folder)  # noqa: SIM115  # it lives as long as this
        self._places: list[tuple[int, int]] = []
        self._is_whole = True
        self._reading = threading.Lock()
        weakref.finalize(self, self._file.close)

    def add(self, chunk: Chunk) -> None:
        """Keep what is to be stored of a chunk. A full disk is no fault: nothing is kept then."""
        if not self._is_whole:
            return
        said = _ENCODER.encode(Portion.of(chunk))
        try:
            place = self._file.tell()
            self._file.write(said)
        except OSError:
            self._is_whole = False
            self._file.close()
        else:
            self._places.append((place, len(said)))

    def serve(self, engine: Engine) -> bool:
        """Whether all of them are there, made by what these books say."""
        return self._is_whole and engine is self._engine

    def __iter__(self) -> Iterator[Portion]:
        for place, size in self._places:
            with self._reading:
                self._file.seek(place)
                said = self._file.read(size)
            yield _DECODER.decode(said)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Portion)
