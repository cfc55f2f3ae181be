"""The images that requests only point to: files of AI Studio, objects of buckets."""

from __future__ import annotations

from pathlib import Path

from darkroom_simulator.catalog import Platform
from darkroom_simulator.files import Files
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.storage import Store


class Pointed:
    """Finds them. What lies in a bucket that is not one of ours is believed to be there."""

    def __init__(self, files: Files, store: Store) -> None:
        self._files = files
        self._store = store

    def find(self, uri: str, platform: Platform) -> Path | Problem | None:
        """The file of an image's bytes; None: it is somebody else's, and nobody can look."""
        if platform is Platform.AISTUDIO:
            return self._of_studio(uri)
        return self._in_bucket(uri)

    def _of_studio(self, uri: str) -> Path | Problem:
        _, is_own, word = uri.partition("/v1beta/files/")
        if not is_own:
            return invalid("Cannot fetch content from the provided URL.")
        found = self._files.find(f"files/{word}")
        return found if isinstance(found, Problem) else found.path

    def _in_bucket(self, uri: str) -> Path | Problem | None:
        bucket = uri.removeprefix("gs://").partition("/")[0]
        if not uri.startswith("gs://") or not self._store.shelf.has(bucket):
            return None
        found = self._store.lookup(uri)
        if found is None:
            return invalid(f"The file {uri} was not found.")
        return self._store.shelf.file(found)
