"""Brings the rows of a run together: as a file that can be read more than once."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from darkroom.draft import Choices
from darkroom.errors import SourceFailed
from darkroom.manifest import Manifest
from darkroom.schedules import program
from darkroom.schedules.entry import Entry
from darkroom.schedules.query import Database
from darkroom.settings import Settings
from darkroom.source import manifest_of, reading_of
from darkroom.storage import is_remote
from darkroom_manifests.read import read


class Gatherer:
    """Gathers for one run, into a folder of its own. Raises SourceFailed and what sources raise."""

    def __init__(self, entry: Entry, settings: Settings, choices: Choices, place: Path) -> None:
        self._entry = entry
        self._settings = settings
        self._reading = reading_of(settings, choices)
        self._place = place

    def gather(self, day: date) -> Manifest:
        """Ask the schedule's source for what it has on a day."""
        source = self._entry.terms.source
        self._place.mkdir(parents=True, exist_ok=True)
        if source.query is not None and source.database is not None:
            return self._queried(source.database, source.query, day)
        if source.python is not None:
            return self._called(source.python, day)
        return self._found((source.manifest or "").replace("{date}", day.isoformat()))

    def _found(self, told: str) -> Manifest:
        if not is_remote(told):
            path = self._entry.folder / told
            if not path.is_file():
                hint = "The next run looks for its own; `darkroom schedule run` tries again."
                raise SourceFailed(f"{path} is not there.", hint=hint)
            return manifest_of(path, self._reading)
        folder, _, name = told.rpartition("/")
        bucket = import_module("darkroom.storage.gcs").open_bucket(folder, self._settings.gcs)
        copy = self._place / name
        copy.write_bytes(bucket.open(name).read())
        return self._copied(copy, told)

    def _queried(self, database: str, query: str, day: date) -> Manifest:
        rows = Database(database, self._entry.folder).rows(query, day)
        copy = self._place / "rows.csv"
        count = 0
        with copy.open("w", encoding="utf-8", newline="") as file:
            writer: csv.DictWriter[str] | None = None
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow(row)
                count += 1
        return self._counted(copy, count, "the query")

    def _called(self, told: str, day: date) -> Manifest:
        returned = program.call(program.find(told, self._entry.folder), told, day)
        if isinstance(returned, str | Path):
            return self._found(str(returned))
        copy = self._place / "rows.jsonl"
        count = 0
        with copy.open("wb") as file:
            for row in program.each(told, _rows(told, returned)):
                file.write(_line(told, row) + b"\n")
                count += 1
        return self._counted(copy, count, told)

    def _counted(self, copy: Path, rows: int, who: str) -> Manifest:
        if not rows:
            hint = "A night without rows is taken for a fault; mend the source, or pause."
            raise SourceFailed(f"There are no rows: {who} gave none.", hint=hint)
        return self._copied(copy, f"schedule {self._entry.name}")

    def _copied(self, copy: Path, shown: str) -> Manifest:
        """Read the copy; references are relative to where the schedule was applied."""
        file = self._entry.folder / copy.name
        name = self._entry.name
        return Manifest(name, lambda: read(copy, reading=self._reading), file, copy, shown)


def _rows(told: str, returned: Any) -> Iterable[Mapping[str, object]]:  # noqa: ANN401  # the user's
    if hasattr(returned, "iter_rows"):  # polars
        rows: Iterable[Mapping[str, object]] = returned.iter_rows(named=True)
        return rows
    if hasattr(returned, "to_dict") and hasattr(returned, "columns"):  # pandas
        records: list[Mapping[str, object]] = returned.to_dict("records")
        return records
    if isinstance(returned, Iterable) and not isinstance(returned, Mapping | bytes):
        return returned
    said = f"{told} returned {type(returned).__name__}; it has to return rows, or a path."
    raise SourceFailed(said, hint="Return an iterable of dictionaries.")


def _line(told: str, row: Mapping[str, object]) -> bytes:
    if not isinstance(row, Mapping):
        said = f"{told} gave {type(row).__name__} for a row."
        raise SourceFailed(said, hint="A row is a dictionary: column to value.")
    # NaN is how pandas writes an empty cell; nothing is equal to itself but that.
    given = {name: value for name, value in row.items() if value is not None and value == value}  # noqa: PLR0124
    return msgspec.json.encode(given, enc_hook=str)
