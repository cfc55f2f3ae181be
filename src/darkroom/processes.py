"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LOOK_SECONDS: Final = 1.0


def die_with(parent_pid: int, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """End this process, by a signal, when its parent is gone.

    Linux does it by itself; elsewhere a thread looks every second.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(with_signal))
        if os.getppid() != parent_pid:  # it was gone before we asked
            os.kill(os.getpid(), with_signal)
        return
    threading.Thread(target=_watch, args=(parent_pid, with_signal), daemon=True).start()


def _watch(parent_pid: int, with_signal: signal.Signals) -> None:
    while os.getppid() == parent_pid:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), with_signal)


def alive(pid: int) -> bool:
    """Tell whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
