"""Reads a job's images from where they are stored."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import BinaryIO

from darkroom.errors import StorageFault
from darkroom.report import Result
from darkroom.settings import GCS
from darkroom.storage import Storage, open_storage


class Images:
    """The images of one job; one that another job made lies in that job's place."""

    def __init__(self, gcs: GCS, job_id: str) -> None:
        self._gcs = gcs
        self._job_id = job_id
        self._places: dict[str, Storage] = {}

    def open(self, result: Result) -> BinaryIO:
        """Read one. Raises StorageFault."""
        place = self._places.get(result.storage_url)
        if place is None:
            place = open_storage(result.storage_url, self._gcs)
            self._places[result.storage_url] = place
        try:
            return place.open(result.uri or "")
        except OSError as error:
            said = f"{result.uri} cannot be read: {error.strerror or error}."
            raise StorageFault(said, hint="`darkroom audit` says what is missing.") from error

    def name(self, result: Result) -> str:
        """What it is called below a folder of its own: without the job's. Raises StorageFault."""
        path = PurePosixPath((result.uri or "").removeprefix(f"{self._job_id}/"))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise StorageFault(f"{result.uri} is no name below a folder.")
        return str(path)
