"""How a process hears that it is to end."""

from __future__ import annotations

import subprocess
import sys

TOLD_ASIDE = """
import os, signal, threading
from darkroom_worker.leaving import Leaving

leaving = Leaving()
other = threading.Thread(target=signal.pause, daemon=True)
other.start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
assert leaving.wait()
"""


def test_a_signal_that_comes_to_another_thread_is_heard_all_the_same() -> None:
    told = subprocess.run([sys.executable, "-c", TOLD_ASIDE], timeout=30, check=False)

    assert told.returncode == 0
