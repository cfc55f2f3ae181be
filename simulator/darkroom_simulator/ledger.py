"""The witness: every request, whether it was billed, and for how much."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from darkroom_simulator.bill import Usage

LINES = msgspec.json.Encoder()


class Line(msgspec.Struct, frozen=True, gc=False):
    """One request, alone or a line of `batch`, which is named as its platform names it.

    `status` is the HTTP status meant, 0 if the connection was cut instead.
    `service` is the level that served, or was asked for where nothing did. `headers` are those
    that choose a level and a deadline, as they came. `references` are the sha256 of images
    that came within the request, which had so many `turns` and parts with thought signatures.
    `told` is what it said beside prompt and shape.
    """

    seq: int
    time: dt.datetime
    platform: str
    service: str
    model: str
    prompt_sha256: str
    outcome: str
    status: int
    billed: bool
    images: int = 0
    cost_nusd: int = 0
    usage: Usage | None = None
    batch: str = ""
    headers: dict[str, str] = {}
    references: tuple[str, ...] = ()
    told: dict[str, str] = {}
    turns: int = 1
    signed: int = 0


class Ledger:
    """Lines in memory, and in a file if one is named; a line is booked before its answer leaves."""

    def __init__(self, path: Path | None = None) -> None:
        self._file: BinaryIO | None = path.open("ab", buffering=0) if path else None
        self._seq = 0
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget all lines; a file keeps what it holds, and numbers go on."""
        self.lines: list[Line] = []
        self.sightings: Counter[str] = Counter()
        self.peak_in_flight = self.in_flight

    def number(self) -> int:
        """Give the next request its number."""
        self._seq += 1
        return self._seq

    def sight(self, prompt_sha256: str) -> int:
        """Count how often a prompt has been seen, this time included."""
        self.sightings[prompt_sha256] += 1
        return self.sightings[prompt_sha256]

    def book(self, line: Line) -> None:
        """Write a line down."""
        self.lines.append(line)
        if self._file:
            self._file.write(LINES.encode(line) + b"\n")

    def enter(self) -> None:
        """Count a request that is being served."""
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def leave(self) -> None:
        """Count it as served."""
        self.in_flight -= 1

    def summary(self) -> dict[str, Any]:
        """Add it all up; `repeated` maps a prompt's sha256 to its images if it has several."""
        images: Counter[str] = Counter()
        for line in self.lines:
            images[line.prompt_sha256] += line.images
        return {
            "requests": len(self.lines),
            "billed": sum(line.billed for line in self.lines),
            "images": sum(images.values()),
            "cost_nusd": sum(line.cost_nusd for line in self.lines),
            "outcomes": Counter(line.outcome for line in self.lines),
            "statuses": Counter(str(line.status) for line in self.lines),
            "repeated": {sha: count for sha, count in images.items() if count > 1},
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
        }

    def written(self) -> bytes:
        """Return the lines as JSONL."""
        return LINES.encode_lines(self.lines)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
