"""A job as it goes on, in a notebook or on a terminal."""

from __future__ import annotations

import sys
from typing import Any

from darkroom.notebook import table
from darkroom.report import JobState
from darkroom_manifests.money import short_dollars


def of_job(state: JobState) -> str:
    """Write a job as it stands, with a bar."""
    pretended = " (simulated)" if state.simulated else ""
    figures = {
        "state": state.state,
        "done": f"{state.done:,} of {state.total:,}",
        "in flight": state.sent + state.submitted,
        "behind another image": state.waiting,
        "held": state.held,
        "refused": state.refused,
        "failed": state.failed,
        "cost": short_dollars(state.spent_nusd) + pretended,
        "folder": state.folder,
    }
    bar = f'<progress max="{state.total}" value="{state.finished}"></progress>'
    named = f"{state.name} {state.id}"
    shown = {k: v for k, v in figures.items() if v or k == "done"}
    return f"{table(named, shown)}{bar if state.total and not state.is_finished else ''}"


class Watcher:
    """Told a job's states: draws one table anew in a notebook, writes lines anywhere else."""

    def __init__(self) -> None:
        self._shell = _shell()
        self._handle: Any = None
        self._last = ""

    def __call__(self, state: JobState) -> None:
        """Show what changed since the last time."""
        if self._shell is None:
            self._write(f"{state.id}: {state.finished:,} of {state.total:,}, {state.state}")
            return
        shown = of_job(state)
        if shown != self._last:
            self._last = shown
            self._draw(shown)

    def _draw(self, shown: str) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415  # there, for its shell runs

        if self._handle is None:
            self._handle = display(HTML(shown), display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(HTML(shown))  # type: ignore[no-untyped-call]

    def _write(self, line: str) -> None:
        if line != self._last:
            self._last = line
            sys.stderr.write(f"{line}\n")


def _shell() -> Any:  # noqa: ANN401  # IPython is no dependency
    """The shell of the notebook that this runs in, if it does."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()
