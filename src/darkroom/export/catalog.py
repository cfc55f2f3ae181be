"""The source table written back, with the pictures filled in and every other byte as it was."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import BinaryIO

import msgspec

from darkroom.errors import ManifestRejected
from darkroom.export.filling import Filling, Pictures
from darkroom.export.order import Exported, Order
from darkroom.export.source_table import SourceTable, source_table
from darkroom_manifests.raw import RawRow


def write_catalog(order: Order, out: BinaryIO) -> Exported:
    """Write the manifest of a job; rows without a picture come out as they went in."""
    with source_table(order) as source:
        written = filled(source, _by_line(order), out)
    doubts = order.address.doubts if written.images else ()
    return msgspec.structs.replace(written, doubts=doubts)


def filled(source: SourceTable, pictures: Iterator[Pictures], out: BinaryIO) -> Exported:
    """Copy a table with pictures in it, which come in the order of its lines."""
    return _Catalog(source, pictures, out).write()


class _Catalog:
    """One pass through the table, with the job's pictures beside it in the same order."""

    def __init__(self, source: SourceTable, pictures: Iterator[Pictures], out: BinaryIO) -> None:
        header = source.table.header
        if header is None:
            raise ManifestRejected("The manifest has no header.")
        self._source = source
        self._out = out
        self._filling = Filling(source.table, header)
        self._pictures = pictures
        self._next = next(self._pictures, None)
        self._eol = header.end
        self._group = ""
        self._lacks_end = False
        self.rows = self.images = 0

    def write(self) -> Exported:
        """Copy, splice, add."""
        table, header = self._source.table, self._source.table.header
        assert header is not None
        self._out.write(self._source.mark)
        self._put(table.before + self._filling.header(header) + header.end)
        for row in table:
            self._take(row)
        self._flush()
        left = len(self._next.urls) if self._next else 0
        left += sum(len(more.urls) for more in self._pictures) + self._filling.left_out
        return Exported(rows=self.rows, images=self.images, left_out=left)

    def _take(self, row: RawRow) -> None:
        group = self._filling.group_of(row)
        if not group or group != self._group:
            self._flush()
        self._group = group
        found = self._found(row.line)
        left = self._filling.left_out
        self._put(self._filling.row(row, found) + row.end)
        self._lacks_end = not row.end
        if found is not None:
            self.rows += 1
            self.images += len(found.urls) + left - self._filling.left_out

    def _found(self, line: int) -> Pictures | None:
        """The pictures of the row on this line; those of lines that are none are left out."""
        while self._next is not None and self._next.line < line:
            self._filling.left_out += len(self._next.urls)
            self._next = next(self._pictures, None)
        if self._next is None or self._next.line != line:
            return None
        found, self._next = self._next, next(self._pictures, None)
        return found

    def _flush(self) -> None:
        """Write the lines that a product gets below its own; the last of a file ends as it did."""
        for line in self._filling.rest():
            self._put(f"{self._eol}{line}" if self._lacks_end else f"{line}{self._eol}")

    def _put(self, text: str) -> None:
        self._out.write(self._source.encoded(text))


def _by_line(order: Order) -> Iterator[Pictures]:
    for line, found in groupby(order.pictures(), key=lambda result: result.line):
        yield Pictures(line, tuple(order.address.of(result) for result in found))
