"""Functions of installed packages that are called with every event: group `darkroom.hooks`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

import structlog

from darkroom.event import Event
from darkroom.logs import short
from darkroom.notices.verdict import Verdict

_log = structlog.get_logger(__name__)

GROUP: Final = "darkroom.hooks"
PREFIX: Final = "hook:"


class Hook:
    """One function. It is imported when it is first called, in the scheduler's process."""

    def __init__(self, point: EntryPoint) -> None:
        self._point = point

    def tell(self, event: Event, body: str) -> Verdict:  # noqa: ARG002  # it takes the event
        """Call it; whatever it raises, it is called again later."""
        try:
            self._point.load()(event)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it is somebody else's code
            _log.exception("a hook raised", hook=self._point.name, notice=event.id)
            return Verdict.again(f"{self._point.value} raised {short(error)}")
        return Verdict.sent()


def hooks() -> dict[str, Hook]:
    """Those that are installed, by the name under which they are listed as targets."""
    return {f"{PREFIX}{point.name}": Hook(point) for point in entry_points(group=GROUP)}
