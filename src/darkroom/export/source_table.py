"""The table that a job was asked by, as it stands in its file: bytes in, the same bytes out."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from sqlalchemy import select

from darkroom import db
from darkroom.errors import ManifestRejected
from darkroom.export.order import Order
from darkroom.models import Job
from darkroom_manifests.form import Form, open_text
from darkroom_manifests.limits import DEFAULT_LIMITS
from darkroom_manifests.raw import RawTable
from darkroom_manifests.source import GZIP, Unreadable

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_ASIS: Final = "surrogateescape"  # a byte that is no text comes out as it went in


class SourceTable:
    """A table, and how its text becomes bytes again."""

    def __init__(self, table: RawTable, mark: bytes, encoding: str) -> None:
        self.table = table
        self.mark = mark
        self._encoding = encoding

    def encoded(self, text: str) -> bytes:
        """Write text as the file has it."""
        return text.encode(self._encoding, _ASIS if self._encoding == "utf-8" else "strict")


@contextmanager
def source_table(order: Order) -> Iterator[SourceTable]:
    """Open a job's manifest. Raises ManifestRejected when it is gone, changed, or no table."""
    path = _path(order)
    _require_table(path)
    with path.open("rb") as raw:
        start = raw.read(len(GZIP))
        raw.seek(0)
        file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if start == GZIP else raw)
        mark, encoding = _marked(file)
        errors = _ASIS if encoding == "utf-8" else "strict"
        try:
            with io.TextIOWrapper(file, encoding, errors, newline="") as text:
                text.read(1 if mark else 0)
                yield SourceTable(RawTable(iter(text)), mark, encoding)
        except UnicodeError as error:
            said = f"{path} is not sound {encoding.upper()}: {error}."
            raise ManifestRejected(said, hint="Save it as UTF-8 and submit it again.") from error


def _path(order: Order) -> Path:
    """Find the manifest, and see that it is still the one that was submitted."""
    query = select(Job.source, Job.manifest_sha256).where(Job.id == order.job_id)
    with db.reading(order.database) as connection:
        source, sha256 = connection.execute(query).one()
    if source is None:
        said = "The job's rows came from Python, so there is no catalog to write back."
        raise ManifestRejected(said, hint="Use another kind, such as csv.")
    path = order.source or Path(source)
    try:
        with path.open("rb") as file:
            own = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        said = f"The manifest {path} cannot be read: {error.strerror or error}."
        raise ManifestRejected(said, hint="Say where it lies now: --source FILE.") from error
    if own != sha256:
        said = f"{path} is not the manifest that was submitted: it was changed since."
        raise ManifestRejected(said, hint="Give the file as it was: --source FILE.")
    return path


def _require_table(path: Path) -> None:
    try:
        is_table = open_text(path, DEFAULT_LIMITS).form is Form.TABLE
    except Unreadable as error:
        raise ManifestRejected(error.fault.message, hint=error.fault.hint) from error
    if not is_table:
        said = f"{path} is no table, so it has no columns to fill in."
        raise ManifestRejected(said, hint="Use the kind csv or jsonl.")


def _marked(file: IO[bytes]) -> tuple[bytes, str]:
    """Look for a byte order mark."""
    start = file.read(len(codecs.BOM_UTF8))
    file.seek(0)
    if start == codecs.BOM_UTF8:
        return start, "utf-8"
    encoding = _UTF16.get(start[:2])
    return (start[:2], encoding) if encoding else (b"", "utf-8")
