"""A thread that does one thing every so often, whatever goes wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from darkroom.errors import DarkroomError

_log = structlog.get_logger(__name__)


class Pulse:
    """Does `beat` every `seconds`; a beat that fails is told and tried again at the next one."""

    def __init__(self, name: str, seconds: float, beat: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._do = beat
        self._woken = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first beat comes after the first pause."""
        self._thread.start()

    def beat(self) -> bool:
        """Do it once, in this thread; False when it failed."""
        try:
            self._do()
        except (SQLAlchemyError, DarkroomError, OSError) as error:
            said = str(error).partition("\n")[0]
            _log.warning("a beat was missed", of=self._name, error=said)
        except Exception:  # noqa: BLE001  # a defect must not end the thread
            _log.exception("a beat failed", of=self._name)
        else:
            return True
        return False

    def soon(self) -> None:
        """Do not wait for the next beat."""
        self._woken.set()

    def stop(self, seconds: float) -> None:
        """Beat no more; wait at most so long for a beat that is under way."""
        self._ended = True
        self._woken.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            self._woken.wait(self._seconds)
            self._woken.clear()
            if self._ended:
                return
            self.beat()
