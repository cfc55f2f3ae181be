"""What is written beside a file: its report, and every bad row of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from darkroom.inbox.inbox import Drop, Inbox
from darkroom.report import JobState, Rejected, write_csv
from darkroom_manifests.money import dollars
from darkroom_manifests.problem import Problem

_FIELDS: Final = ("line", "column", "code", "message", "hint")
_COUNTS: Final = ("done", "refused", "failed", "cancelled", "held")


def report(
    inbox: Inbox,
    drop: Drop,
    state: str,
    *,
    message: str | None = None,
    hint: str | None = None,
    job: JobState | None = None,
    more: dict[str, Any] | None = None,
) -> bytes:
    """Write the report of a file as JSON; `state` is a word such as claimed, held or done."""
    document: dict[str, Any] = {
        "file": drop.name,
        "inbox": inbox.url,
        "drop": drop.id,  # by it a place knows a report of ours again: see Place.reserve
        "state": state,
        "message": message,
        "hint": hint,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if job is not None:
        document |= _of_job(job)
    return msgspec.json.format(msgspec.json.encode(document | (more or {})), indent=2) + b"\n"


def _of_job(job: JobState) -> dict[str, Any]:
    return {
        "job": job.id,
        "rows": job.rows,
        "rejected": job.invalid,
        "unchanged": job.unchanged,
        "images": job.total,
        **{name: getattr(job, name) for name in _COUNTS},
        "estimate_usd": dollars(job.likely_nusd),
        "spent_usd": dollars(job.spent_nusd),
        "at_risk_usd": dollars(job.at_risk_nusd),
        "simulated": job.simulated,
        "folder": job.folder,
        "finished_at": job.finished_at and job.finished_at.isoformat(timespec="seconds"),
    }


def write_rejected(problems: Iterable[Problem | Rejected], path: Path) -> int:
    """Write every bad row, safe for spreadsheets; how many lines that is."""
    written = 0

    def records() -> Iterable[dict[str, Any]]:
        nonlocal written
        for problem in problems:
            written += 1
            yield {name: _plain(getattr(problem, name)) for name in _FIELDS}

    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        write_csv(records(), _FIELDS, file)
    return written


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value  # a code is a StrEnum
