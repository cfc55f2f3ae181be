"""Publishes for schedules: copies what is approved, then writes the manifest beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.errors import DarkroomError, StorageFault
from darkroom.killpoints import Point, come_past
from darkroom.report import write_csv
from darkroom.schedules import publications
from darkroom.schedules.entry import Entry
from darkroom.schedules.outlet import Outlet
from darkroom.schedules.publications import Image, Shown
from darkroom.settings import Settings
from darkroom_manifests.money import dollars

T = TypeVar("T")
GoesOn = Callable[[], bool]

FIELDS: Final = (
    *("id", "variant", "file", "url", "sha256", "width", "height", "model", "cost_usd"),
    "published_at",
)
"""The columns of a manifest of published images."""

_LEASE_SECONDS: Final = 120.0
_PIECE: Final = 50  # images that are copied, and then written down

_log = structlog.get_logger(__name__)


class Publisher:
    """Publishes in the name of one scheduler, `who`. Any number may: one does at a time.

    `images` counts what it copied. What is copied and not written down when it dies is found there
    by the next one.
    """

    def __init__(self, database: Engine, settings: Settings, who: str) -> None:
        self._database = database
        self._settings = settings
        self._who = who
        self._outlets: dict[str, Outlet] = {}
        self.images = 0

    def publish(self, entry: Entry, goes_on: GoesOn = lambda: True) -> bool:
        """Publish what is due; False when not all of it was, or another scheduler is at it."""
        if not self._is_mine(entry):
            return False
        troubles: list[str] = []
        try:
            outlet = self._outlet(entry)
            troubles += self._copied(entry, outlet, goes_on)
            self._write_manifest(entry, outlet)
        except (DarkroomError, OSError) as error:
            troubles.append(str(error))
        told = _told(troubles)
        if told is not None and told != entry.publish_trouble:
            _log.error("images are not published", schedule=entry.name, why=told)
        is_mine = self._write(lambda c: publications.end(c, entry, self._who, told))
        return is_mine and told is None and goes_on()

    def _is_mine(self, entry: Entry) -> bool:
        return self._write(lambda c: publications.begin(c, entry, self._who, _LEASE_SECONDS))

    def _outlet(self, entry: Entry) -> Outlet:
        """Open the place; it is kept, and with it what was written there last."""
        place = entry.place
        assert place is not None, "only schedules that publish come here"
        if entry.id not in self._outlets or self._outlets[entry.id].url != place:
            staging = self._settings.home / "publishing"
            staging.mkdir(parents=True, exist_ok=True)
            self._outlets[entry.id] = Outlet(place, self._settings.gcs, staging)
        return self._outlets[entry.id]

    def _copied(self, entry: Entry, outlet: Outlet, goes_on: GoesOn) -> Iterator[str]:
        """Copy what is due, some at a time; gives what is wrong with those that could not be."""
        with ThreadPoolExecutor(outlet.at_once, thread_name_prefix="publish") as pool:
            for piece in self._pieces(entry):
                if not goes_on() or not self._is_mine(entry):
                    return
                put = list(pool.map(partial(_put, outlet), piece))
                outlet.sync()
                come_past(Point.COPIED, entry.id)
                self._note(entry, [each for each in put if isinstance(each, tuple)])
                yield from (each for each in put if isinstance(each, str))

    def _pieces(self, entry: Entry) -> Iterator[Sequence[Image]]:
        after = ("", 0)
        while True:
            with db.reading(self._database) as connection:
                page = publications.due(connection, entry, after)
            if not page:
                return
            for start in range(0, len(page), _PIECE):
                yield page[start : start + _PIECE]
            after = (page[-1].row_id, page[-1].variant)

    def _note(self, entry: Entry, lying: Sequence[tuple[Image, str]]) -> None:
        if lying:
            self._write(lambda c: publications.note(c, entry, lying))
            self.images += len(lying)
            _log.info("images are published", schedule=entry.name, images=len(lying))

    def _write_manifest(self, entry: Entry, outlet: Outlet) -> None:
        publish = entry.terms.publish
        if publish is None or publish.manifest is None:
            return
        with TemporaryDirectory() as folder:
            file = Path(folder, "manifest.csv")
            with db.reading(self._database) as connection:
                if not publications.count(connection, entry):
                    return
                lines = publications.shown(connection, entry)
                with file.open("w", encoding="utf-8", newline="") as target:
                    write_csv((_line(each, outlet.url) for each in lines), FIELDS, target)
            outlet.put_manifest(publish.manifest, file)

    def _write(self, work: Callable[[Connection], T]) -> T:
        return db.transact(self._database, work)


def _put(outlet: Outlet, image: Image) -> tuple[Image, str] | str:
    """Copy one; gives where it lies, or why it does not."""
    try:
        return image, outlet.put(image)
    except StorageFault as fault:
        return f"{image.row_id}: {fault.message}"


def _line(each: Shown, place: str) -> dict[str, Any]:
    known = {name: getattr(each, name) for name in ("variant", "sha256", "width", "height")}
    return known | {
        "id": each.row_id,
        "file": each.uri,
        "url": f"{place}/{each.uri}",
        "model": each.model,
        "cost_usd": dollars(each.charged_nusd),
        "published_at": each.published_at.isoformat(timespec="seconds"),
    }


def _told(troubles: Sequence[str]) -> str | None:
    """Say the first, and how many more there are."""
    more = f" (and {len(troubles) - 1:,} more)" if len(troubles) > 1 else ""
    return f"{troubles[0]}{more}" if troubles else None
