"""Object storage, as far as creating, reading, listing and deleting: the rules, without HTTP."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom_simulator.intake import Intake
from darkroom_simulator.scratch import Scratch
from darkroom_simulator.storage_fault import StorageScript
from darkroom_simulator.storage_object import Object, Wanted
from darkroom_simulator.storage_problem import (
    StorageProblem,
    condition_not_met,
    no_bucket,
    no_object,
)
from darkroom_simulator.storage_shelf import Shelf
from darkroom_simulator.storage_upload import Sessions, Upload

MOST_LISTED = 1_000
_PIECE = 1 << 20


class Store:
    """All buckets, the uploads under way, and a count of what was answered."""

    def __init__(self, root: Path | None, script: StorageScript, scratch: Scratch) -> None:
        self.scratch = scratch
        self.shelf = Shelf(root)
        self.script = script
        self.sessions = Sessions()
        self.answered: Counter[str] = Counter()

    def require(self, bucket: str) -> None:
        """Raise StorageProblem unless a bucket is there."""
        if not self.shelf.has(bucket):
            raise no_bucket()

    def admit(self, upload: Upload) -> None:
        """Raise StorageProblem unless the precondition of an upload holds now."""
        self.require(upload.bucket)
        found = self.shelf.find(upload.bucket, upload.name)
        _hold(found, upload.generation_match)

    def finish(self, upload: Upload, declared: str | None = None) -> Object:
        """Make the object of a whole upload. `declared` is its crc32c by a header."""
        self.admit(upload)
        data = upload.data
        for said, true in (
            (upload.wanted.crc32c, data.crc32c),
            (declared, data.crc32c),
            (upload.wanted.md5_hash, data.digest),
        ):
            if said is not None and said != true:
                raise StorageProblem(400, f"Provided checksum {said} does not match {true}.")
        upload.made = self.shelf.create(
            upload.bucket, upload.name, upload.wanted, data, upload.mime
        )
        return upload.made

    def put(self, bucket: str, name: str, data: Intake, mime: str) -> Object:
        """Make an object of what another part of the simulator wrote, over what is there."""
        self.require(bucket)
        return self.shelf.create(bucket, name, Wanted(), data, mime)

    def lookup(self, uri: str) -> Object | None:
        """Find what a `gs://bucket/name` stands for."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        there = uri.startswith("gs://") and self.shelf.has(bucket)
        return self.shelf.find(bucket, name) if there else None

    def find(self, bucket: str, name: str, query: Mapping[str, str]) -> Object:
        """Return an object under the query's preconditions."""
        self.require(bucket)
        found = self.shelf.find(bucket, name)
        if found is None or query.get("generation") not in {None, str(found.generation)}:
            raise no_object(bucket, name)
        _hold(found, query.get("ifGenerationMatch"))
        return found

    def delete(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        """Delete an object under the query's preconditions."""
        self.shelf.delete(self.find(bucket, name, query))

    def rewrite(
        self, source: tuple[str, str], target: tuple[str, str], query: Mapping[str, str]
    ) -> Object:
        """Copy an object, metadata and all, under the query's preconditions."""
        generation = query.get("sourceGeneration")
        found = self.find(*source, {} if generation is None else {"generation": generation})
        self.require(target[0])
        _hold(self.shelf.find(*target), query.get("ifGenerationMatch"))
        data = Intake(self.scratch.path())
        with self.shelf.file(found).open("rb") as file:
            for piece in iter(lambda: file.read(_PIECE), b""):
                data.write(piece)
        key = query.get("destinationKmsKeyName") or found.kms_key
        wanted = Wanted(metadata=found.metadata, kms_key_name=key)
        return self.shelf.create(*target, wanted, data, found.content_type)

    def listing(self, bucket: str, query: Mapping[str, str], origin: str) -> dict[str, Any]:
        """Return a page of a listing, with links that begin with `origin`."""
        self.require(bucket)
        after = base64.urlsafe_b64decode(query.get("pageToken", "")).decode()
        most = min(int(query.get("maxResults", MOST_LISTED)), MOST_LISTED)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        found = [
            each
            for each in self.shelf.listing(bucket, prefix)
            if each.name > after and not _is_deeper(each.name, prefix, delimiter)
        ]
        page: dict[str, Any] = {"kind": "storage#objects"}
        if found:
            page["items"] = [each.resource(origin) for each in found[:most]]
        if len(found) > most:
            token = base64.urlsafe_b64encode(found[most - 1].name.encode())
            page["nextPageToken"] = token.decode()
        return page


def _is_deeper(name: str, prefix: str, delimiter: str | None) -> bool:
    """Whether a name has the delimiter after the prefix: it is one of the folders there."""
    return bool(delimiter) and str(delimiter) in name.removeprefix(prefix)


def _hold(found: Object | None, generation_match: str | None) -> None:
    """Raise StorageProblem when a precondition is broken; 0 means that nothing is there."""
    if generation_match is not None:
        there = "0" if found is None else str(found.generation)
        if there != generation_match:
            raise condition_not_met()
