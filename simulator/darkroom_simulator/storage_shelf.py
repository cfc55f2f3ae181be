"""Buckets as folders: a bucket is there while its folder is, its objects are files in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from darkroom_simulator.intake import Intake
from darkroom_simulator.storage_object import CONTENT_TYPE, Object, Wanted


class Shelf:
    """All buckets below one folder. Without a folder there are none."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._newest = 0

    def has(self, bucket: str) -> bool:
        """Tell whether a bucket is there."""
        return self._root is not None and "/" not in bucket and (self._root / bucket).is_dir()

    def find(self, bucket: str, name: str) -> Object | None:
        """Return what the books of a bucket say of an object."""
        try:
            return msgspec.json.decode(self._path(bucket, name, "json").read_bytes(), type=Object)
        except FileNotFoundError:
            return None

    def file(self, found: Object) -> Path:
        """Return the file of an object's bytes."""
        return self._path(found.bucket, found.name, "data")

    def create(self, bucket: str, name: str, wanted: Wanted, data: Intake, mime: str) -> Object:
        """Put an object there, over whatever was there before: preconditions are the caller's."""
        made = Object(
            bucket=bucket,
            name=name,
            generation=self._generation(),
            size=data.size,
            crc32c=data.crc32c,
            md5=data.digest,
            content_type=wanted.content_type or mime or CONTENT_TYPE,
            created=dt.datetime.now(dt.UTC),
            metadata=wanted.metadata or {},
            kms_key=wanted.kms_key_name,
        )
        data.move(self._path(bucket, name, "data"))
        part = self._path(bucket, name, "part")
        part.write_bytes(msgspec.json.encode(made))
        part.replace(self._path(bucket, name, "json"))
        return made

    def delete(self, found: Object) -> None:
        """Remove an object."""
        self._path(found.bucket, found.name, "json").unlink()
        self._path(found.bucket, found.name, "data").unlink()

    def listing(self, bucket: str, prefix: str) -> Iterator[Object]:
        """Return the objects below a prefix in the order of their names."""
        assert self._root is not None, "only of a bucket that is there"
        files = (self._root / bucket).glob("*.json")
        found = [msgspec.json.decode(file.read_bytes(), type=Object) for file in files]
        yield from sorted(
            (each for each in found if each.name.startswith(prefix)), key=lambda each: each.name
        )

    def _path(self, bucket: str, name: str, kind: str) -> Path:
        assert self._root is not None, "only of a bucket that is there"
        digest = hashlib.sha256(name.encode()).hexdigest()  # any name fits, whatever its length
        return self._root / bucket / f"{digest}.{kind}"

    def _generation(self) -> int:
        self._newest = max(self._newest + 1, time.time_ns() // 1_000)
        return self._newest
