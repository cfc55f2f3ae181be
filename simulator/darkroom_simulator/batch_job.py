"""A job: what was asked, how far it is, and what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from darkroom_simulator.batch_fault import BatchRule, Mishap, Subject
from darkroom_simulator.batch_lines import Lines
from darkroom_simulator.batch_plan import Plan
from darkroom_simulator.batch_state import State
from darkroom_simulator.catalog import Platform
from darkroom_simulator.intake import Intake
from darkroom_simulator.target import Target

DAY = 86_400.0
# Seconds from creation in which AI Studio's jobs must be over; Google, Gemini API, batch
STUDIO_LIMIT = 2 * DAY
# Seconds that Vertex's jobs may wait, and then run; Google, Vertex, batch inference
VERTEX_LIMITS = (3 * DAY, DAY)


@dataclass(slots=True)
class Job:
    """A batch. `asked` is what its creator said of input and output, to be said back.

    `place` is where its results are, "inline", a file's name or a folder, `outputs` the files.
    `born`, `starts` and `published` are moments of batch time, `runs` seconds of it; the stamps are
    the world's. `awaits` is the moment that the work on it waits for.
    """

    number: int
    name: str
    display: str
    target: Target
    asked: Mapping[str, Any]
    met: Mapping[Mishap, BatchRule]
    seed: str
    born: float
    starts: float
    runs: float
    lines: Lines | None = None
    inline: bool = False
    plan: Plan | None = None
    state: State = State.QUEUED
    error: dict[str, Any] | None = None
    good: int = 0
    bad: int = 0
    results: list[Intake] = field(default_factory=list)
    place: str = ""
    outputs: list[str] = field(default_factory=list)
    published: float = 0.0
    halted: bool = False
    deleted: bool = False
    awaits: float = 0.0
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    updated: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def platform(self) -> Platform:
        """Whose job it is."""
        return self.target.platform

    @property
    def subject(self) -> Subject:
        """What rules are asked about."""
        return Subject(self.platform, self.target.name, self.display)

    @property
    def total(self) -> int:
        """How many lines there are; 0 until they have been looked at."""
        return len(self.lines) if self.lines else 0

    @property
    def worked(self) -> int:
        """How many lines have been worked, with success or without."""
        return self.good + self.bad

    @property
    def waits_until(self) -> float:
        """The moment when it expires if it has not begun."""
        studio = self.platform is Platform.AISTUDIO
        return self.born + (STUDIO_LIMIT if studio else VERTEX_LIMITS[0])

    @property
    def runs_until(self) -> float:
        """The moment when it expires if it is not over."""
        studio = self.platform is Platform.AISTUDIO
        return self.born + STUDIO_LIMIT if studio else self.starts + VERTEX_LIMITS[1]

    def known(self, now: float) -> bool:
        """Tell whether whoever asks for it is told of it."""
        late, vanishes = self.met.get(Mishap.CREATE_LATE), self.met.get(Mishap.VANISH)
        hidden = late is not None and now < self.born + late.seconds
        gone = vanishes is not None and now >= self.born + vanishes.seconds
        return not (self.deleted or hidden or gone)

    def shows_results(self, now: float) -> bool:
        """Tell whether the results can be had."""
        late = self.met.get(Mishap.OUTPUT_LATE)
        wait = late.seconds if late else 0.0
        return bool(self.place) and now >= self.published + wait

    def become(self, state: State) -> None:
        """Go to another state."""
        self.state = state
        self.updated = dt.datetime.now(dt.UTC)
        if state is State.RUNNING:
            self.started = self.updated
        if state.over:
            self.ended = self.updated

    def fail(self, code: int, message: str) -> None:
        """End without results; `code` is google.rpc's."""
        self.error = {"code": code, "message": message}
        self.become(State.FAILED)


def stamp(moment: dt.datetime) -> str:
    """Write a time as Google does."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
