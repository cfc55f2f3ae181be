"""A table of decisions that somebody filled in: which image, what of it, and why."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from darkroom.errors import ManifestRejected
from darkroom.models import Decision

_WORDS: Final = {
    "approved": Decision.APPROVED,
    "approve": Decision.APPROVED,
    "rejected": Decision.REJECTED,
    "reject": Decision.REJECTED,
}
_HINT: Final = "Columns are id, decision, and if you like variant and note."


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line. `variant` None: all images of the row."""

    line: int
    row_id: str
    variant: int | None
    decision: Decision
    note: str | None


def entries(path: Path, usual: Decision | None) -> Iterator[Entry]:
    """Read it; lines without a decision say nothing. Raises ManifestRejected.

    `usual` is the decision of all lines where there is no such column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            lines = csv.DictReader(file, delimiter=delimiter, restval="")
            _require_columns(path, lines.fieldnames or (), usual)
            for line in lines:
                entry = _entry(path, lines.line_num, line, usual)
                if entry is not None:
                    yield entry
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}."
        raise ManifestRejected(said, hint="Give a CSV file in UTF-8.") from error


def _require_columns(path: Path, names: Collection[str], usual: Decision | None) -> None:
    needed = ["id"] if usual else ["id", "decision"]
    missing = [name for name in needed if name not in names]
    if missing:
        raise ManifestRejected(f"{path} has no column {missing[0]}.", hint=_HINT)


def _entry(path: Path, at: int, line: Mapping[str, str], usual: Decision | None) -> Entry | None:
    row_id, said = line["id"].strip(), line.get("decision", "").strip().casefold()
    if "decision" in line and not said:
        return None
    decision = _WORDS.get(said) if "decision" in line else usual
    if decision is None:
        raise ManifestRejected(
            f"{path}:{at}: {said!r} is no decision.", hint="Write approved, rejected or nothing."
        )
    if not row_id:
        raise ManifestRejected(f"{path}:{at}: there is no id.", hint=_HINT)
    return Entry(
        at, row_id, _variant(path, at, line), decision, line.get("note", "").strip() or None
    )


def _variant(path: Path, at: int, line: Mapping[str, str]) -> int | None:
    said = line.get("variant", "").strip()
    if not said:
        return None
    if not said.isdecimal():
        raise ManifestRejected(f"{path}:{at}: {said!r} is no variant.", hint="Write 1, 2, 3 …")
    return int(said)
