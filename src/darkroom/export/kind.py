"""What a job can be exported as."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """A form that other tools read; the last two are folders."""

    CATALOG = "catalog"
    CSV = "csv"
    JSONL = "jsonl"
    OPENAI_BATCH = "openai-batch"
    IMAGEFOLDER = "imagefolder"
    WEBDATASET = "webdataset"

    @property
    def is_folder(self) -> bool:
        """Whether it is more than one file."""
        return self in {Kind.IMAGEFOLDER, Kind.WEBDATASET}
