"""Records as CSV for spreadsheets, which take some texts for formulas and run them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

# OWASP, "CSV Injection", 2026: these begin a formula, the last four in their full-width form.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def write_csv(
    records: Iterable[Mapping[str, Any]], fields: Sequence[str], file: TextIO, *, raw: bool = False
) -> None:
    """Write a header and a line a record, as they come; what a record lacks is left empty.

    Text that a spreadsheet would run gets an apostrophe before it, unless `raw`.
    """
    written = _as_is if raw else _harmless
    plain = csv.writer(file, lineterminator="\n")
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow([written(field) for field in fields])
    for record in records:
        cells = [written(record.get(field)) for field in fields]
        # The plain writer sees no need to quote a carriage return, which readers take for a line.
        (quoted if any("\r" in str(cell) for cell in cells) else plain).writerow(cells)


def _as_is(value: object) -> object:
    return value


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
