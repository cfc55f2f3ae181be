"""Makes a process believe that it is an hour later. Python imports this file before anything else.

It moves `time.time`, which kombu and redis read, and `datetime.now`; a server keeps its own time.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import time

_AHEAD_SECONDS = 3600
_true = time.time
_true_ns = time.time_ns
_true_now = dt.datetime.now


def _now(tz: dt.tzinfo | None = None) -> dt.datetime:
    return _true_now(tz) + dt.timedelta(seconds=_AHEAD_SECONDS)


time.time = lambda: _true() + _AHEAD_SECONDS
time.time_ns = lambda: _true_ns() + _AHEAD_SECONDS * 1_000_000_000
# A subclass in its place would not be what C libraries know; its own attributes are read-only.
(_attributes,) = gc.get_referents(dt.datetime.__dict__)
_attributes["now"] = staticmethod(_now)
ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))
