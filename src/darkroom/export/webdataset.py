"""Shards of a WebDataset: tar files in which the files of one sample share a name.

WebDataset, format specification, 2026-11: `000001.jpg`, `000001.json`, `000001.txt`.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from darkroom.export.images import Images
from darkroom.export.order import Exported, Order
from darkroom.export.table import addressed
from darkroom.report import Result

_SHARD_BYTES: Final = 1 << 30
_SHARD_SAMPLES: Final = 10_000

Sample = list[tuple[str, bytes]]


def write_webdataset(order: Order, folder: Path) -> Exported:
    """Write shards of 1 GiB or 10,000 samples; the same job gives the same bytes."""
    shards = _Shards(folder)
    images = Images(order.gcs, order.job_id)
    try:
        for result in order.pictures():
            shards.add(list(_sample(order, images, result)))
    finally:
        shards.close()
    return Exported(rows=shards.samples, images=shards.samples)


def _sample(order: Order, images: Images, result: Result) -> Iterator[tuple[str, bytes]]:
    known = addressed(order, result)
    with images.open(result) as file:
        yield Path(images.name(result)).suffix.lstrip(".") or "jpg", file.read()
    yield "json", msgspec.json.encode(known)
    yield "txt", str(known["prompt"] or "").encode()


class _Shards:
    """Tar files, begun as they are needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tar: tarfile.TarFile | None = None
        self._bytes = 0
        self.samples = 0
        self._number = 0

    def add(self, sample: Sample) -> None:
        """Add the files of one sample under its number."""
        if self._tar is None or self._bytes >= _SHARD_BYTES or not self.samples % _SHARD_SAMPLES:
            self._begin()
        assert self._tar is not None
        self.samples += 1
        for ending, data in sample:
            entry = tarfile.TarInfo(f"{self.samples:06}.{ending}")
            entry.size = len(data)
            self._tar.addfile(entry, io.BytesIO(data))
            self._bytes += len(data)

    def _begin(self) -> None:
        self.close()
        path = self._folder / f"shard-{self._number:06}.tar"
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115  # closed by close
        self._bytes = 0
        self._number += 1

    def close(self) -> None:
        """End the shard that is open."""
        if self._tar is not None:
            self._tar.close()
            self._tar = None
