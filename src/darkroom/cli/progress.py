"""Shows a job going on: a live bar on a terminal, a heartbeat line elsewhere, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

import msgspec
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from darkroom.cli import voice, wording
from darkroom.cli.invocation import Invocation
from darkroom.cli.planning import duration
from darkroom.report import JobState

_BAR_WIDTH: Final = 40
_HEARTBEAT_SECONDS: Final = 30.0
_HEARTBEAT_SHARE: Final = 0.1


class Moment(msgspec.Struct, frozen=True):
    """What is known of a job right now. `rate` is renders a second, `left` seconds."""

    state: JobState
    at: float
    rate: float | None
    left: float | None
    waits: Sequence[str]

    @property
    def share(self) -> float:
        """The finished part, 0 to 1."""
        return self.state.finished / self.state.total if self.state.total else 1.0

    @property
    def speed(self) -> str:
        """The rate, and the time that is left, as far as they are known."""
        state = self.state
        if not (state.finished or state.sent or state.submitted or self.waits):
            return "starting"
        parts = [] if self.rate is None else [f"{self.rate:.1f} images/s"]
        parts += [] if not self.left else [f"{duration(self.left)} left"]
        return " · ".join(parts)


class Progress(Protocol):
    """A way to show it; a context manager around the watching."""

    def shown(self) -> AbstractContextManager[object]:
        """Begin to show, and end."""
        ...

    def tell(self, moment: Moment) -> None:
        """Show another moment."""
        ...


def progress(kind: str, invocation: Invocation) -> Progress:
    """Choose by --progress, --quiet, and whether somebody looks."""
    if invocation.quiet or kind == "none":
        return Silence()
    if kind == "auto":
        kind = "bar" if sys.stderr.isatty() and not voice.stderr().is_dumb_terminal else "plain"
    if kind == "bar":
        return Bar()
    return Heartbeat() if invocation.talks else Silence()


class Silence:
    """Nothing."""

    def shown(self) -> AbstractContextManager[object]:
        """Do nothing."""
        return nullcontext()

    def tell(self, moment: Moment) -> None:
        """Say nothing."""


class Bar:
    """Two lines that are redrawn, and one more for each thing that it waits for."""

    def __init__(self) -> None:
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            self._spinner, console=voice.stderr(), refresh_per_second=8, transient=True
        )

    def shown(self) -> AbstractContextManager[object]:
        """Draw until the end, then wipe it away."""
        return self._live

    def tell(self, moment: Moment) -> None:
        """Draw another moment."""
        self._live.update(Group(self._line(moment), *self._below(moment)))

    def _line(self, moment: Moment) -> Table:
        state = moment.state
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_row(
            self._spinner,
            ProgressBar(max(state.total, 1), state.finished, width=_BAR_WIDTH),
            Text(f"{state.finished:,} of {state.total:,}", "bold"),
            Text(moment.speed, "cyan"),
        )
        return line

    def _below(self, moment: Moment) -> list[Text]:
        state = moment.state
        said = f"{wording.counts(state)}    {wording.spent(state)}"
        waits = [voice.safe(wait, "yellow") for wait in moment.waits]
        lines = [Text(f"   {said}", "dim"), *(Text("   ").append_text(wait) for wait in waits)]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return lines


class Heartbeat:
    """A line at the start, at the end, and when both a tenth and half a minute have passed."""

    def __init__(self) -> None:
        self._last: Moment | None = None
        self._waits: Sequence[str] = ()

    def shown(self) -> AbstractContextManager[object]:
        """Do nothing: lines stay."""
        return nullcontext()

    def tell(self, moment: Moment) -> None:
        """Write a line when it is time for one."""
        if moment.waits != self._waits:
            self._waits = moment.waits
            for wait in moment.waits:
                voice.say(wait)
        if self._is_due(moment):
            self._last = moment
            state = moment.state
            speed = f" · {moment.speed}" if moment.speed else ""
            voice.say(f"{state.id}: {wording.counts(state)}{speed} · {wording.spent(state)}")

    def _is_due(self, moment: Moment) -> bool:
        last = self._last
        if last is None:
            return True
        if moment.state.is_finished:
            return not last.state.is_finished
        late = moment.at - last.at >= _HEARTBEAT_SECONDS
        return late and moment.share - last.share >= _HEARTBEAT_SHARE
