"""The report as CSV, for people and their spreadsheets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from darkroom.export.order import Exported, Order
from darkroom.report import FIELDS, Result, own_fields, record, write_csv


def addressed(order: Order, result: Result) -> dict[str, Any]:
    """A record of the report, with the picture's address as it is to be read."""
    known = record(result)
    return known | {"output_uri": order.address.of(result)} if result.ok else known


def write_table(order: Order, out: BinaryIO) -> Exported:
    """Write a line a render; text that a spreadsheet would run is made harmless."""
    counted = Counted(order.results())
    fields = [*FIELDS, *own_fields(order.database, order.job_id)]
    text = io.TextIOWrapper(out, "utf-8", errors="backslashreplace", newline="")
    try:
        write_csv((addressed(order, each) for each in counted), fields, text, raw=order.raw)
    finally:
        text.detach()
    return Exported(rows=counted.rows, images=counted.images)


class Counted:
    """Passes results on, and counts them."""

    def __init__(self, results: Iterator[Result]) -> None:
        self._results = results
        self.rows = 0
        self.images = 0

    def __iter__(self) -> Iterator[Result]:
        for result in self._results:
            self.rows += 1
            self.images += result.ok
            yield result
