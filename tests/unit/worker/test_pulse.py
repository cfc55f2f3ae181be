"""A thread that does one thing every so often."""

from __future__ import annotations

import threading

import pytest

from darkroom.errors import DarkroomError
from darkroom_worker.pulse import Pulse


@pytest.mark.parametrize("error", [DarkroomError("away"), OSError("full"), ZeroDivisionError()])
def test_a_pulse_survives_whatever_a_beat_raises(error: Exception) -> None:
    beats = threading.Semaphore(0)

    def beat() -> None:
        beats.release()
        raise error

    pulse = Pulse("test", 0.001, beat)
    pulse.start()
    came = [beats.acquire(timeout=10) for _ in range(3)]
    pulse.stop(10)

    assert came == [True, True, True]


def test_a_pulse_does_not_wait_when_it_is_told_to_beat_soon() -> None:
    beaten = threading.Event()
    pulse = Pulse("test", 3600, beaten.set)
    pulse.start()

    pulse.soon()

    assert beaten.wait(10)
    pulse.stop(10)
