"""The bytes of a manifest: only from a regular file, decompressed within bounds."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault, Problem, escape

CHUNK: Final = 256 * 1024
GZIP: Final = b"\x1f\x8b"
_RATIO_FROM: Final = 8 * 1024 * 1024  # below this even a perfect bomb does no harm
_CSV_HINT: Final = "Save the sheet as CSV UTF-8 and give that file."
_FOREIGN: Final = {
    b"PK\x03\x04": ("an Excel workbook or another zip archive", _CSV_HINT),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", _CSV_HINT),
    b"PAR1": ("a Parquet file", "Export it as CSV or JSONL."),
    b"%PDF": ("a PDF document", "Give a CSV, TSV, JSONL or text file."),
    b"\x89PNG": ("a PNG image", "Give a CSV, TSV, JSONL or text file."),
    b"\xff\xd8\xff": ("a JPEG image", "Give a CSV, TSV, JSONL or text file."),
    b"SQLite format 3": ("an SQLite database", "Export the table as CSV."),
    b"BZh": ("compressed with bzip2", "Decompress it, or use gzip."),
    b"\xfd7zXZ": ("compressed with xz", "Decompress it, or use gzip."),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "Decompress it, or use gzip."),
    GZIP: ("compressed twice", "Decompress it once."),
}


class Unreadable(Exception):
    """Nothing more can be read; only raised and caught inside this package."""

    def __init__(self, fault: Fault, line: int = 0) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.line = line

    def problem(self, file: str) -> Problem:
        """Say it as the manifest's last word."""
        return msgspec.structs.replace(self.fault.at(file, self.line), ends=True)


def chunks(path: Path, limits: Limits) -> Iterator[bytes]:
    """Yield the file's bytes in pieces, decompressed if it is gzip whatever its name."""
    try:
        with _open(path) as raw:
            yield from _pieces(raw, limits)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unreadable(
            Fault(
                Code.FILE_COMPRESSION,
                f"The gzip data is damaged or cut short: {escape(str(error))}.",
                "Compress or copy the file again.",
            )
        ) from error
    except OSError as error:
        raise Unreadable(_refused(error)) from error


def _open(path: Path) -> IO[bytes]:
    """Open without ever waiting: a FIFO or a device is refused before it is touched."""
    try:
        _require_regular(path.stat())
    except ValueError as error:  # a NUL in the path
        raise Unreadable(Fault(Code.FILE_MISSING, "There is no such file.")) from error
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb", buffering=CHUNK)
    try:
        _require_regular(os.fstat(descriptor))  # it may have been swapped since
    except Unreadable:
        file.close()
        raise
    return file


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
    raise Unreadable(Fault(Code.FILE_KIND, f"This is {kind}.", "Give the path of one file."))


def _refused(error: OSError) -> Fault:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Fault(Code.FILE_MISSING, "There is no such file.", "Check the path.")
    reason = error.strerror or str(error)
    return Fault(
        Code.FILE_UNREADABLE, f"It cannot be read: {escape(reason)}.", "Check its permissions."
    )


def _pieces(raw: IO[bytes], limits: Limits) -> Iterator[bytes]:
    start = raw.read(len(GZIP))
    raw.seek(0)
    if start != GZIP:
        yield from _bounded(raw, limits)
        return
    with gzip.GzipFile(fileobj=raw) as file:
        for total, piece in _counted(_bounded(file, limits)):
            if total > max(_RATIO_FROM, raw.tell() * limits.compression_ratio):
                raise Unreadable(
                    Fault(
                        Code.FILE_COMPRESSION,
                        f"It decompresses to more than {limits.compression_ratio} times its size.",
                        "If that is no mistake, decompress it first.",
                    )
                )
            yield piece


def _bounded(file: IO[bytes] | gzip.GzipFile, limits: Limits) -> Iterator[bytes]:
    for total, piece in _counted(iter(lambda: file.read(CHUNK), b"")):
        if total == len(piece):
            _refuse_foreign(piece)
        if total > limits.file_bytes:
            raise Unreadable(
                Fault(
                    Code.FILE_TOO_LARGE,
                    f"It holds more than {limits.file_bytes:,} bytes.",
                    "Split it into several manifests.",
                )
            )
        yield piece


def _counted(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    total = 0
    for piece in pieces:
        total += len(piece)
        yield total, piece


def _refuse_foreign(start: bytes) -> None:
    for magic, (kind, hint) in _FOREIGN.items():
        if start.startswith(magic):
            raise Unreadable(Fault(Code.FILE_TYPE, f"This is {kind}, not a manifest.", hint))
