"""The same doors for programs with an event loop: `AsyncDarkroom` and its jobs.

One implementation does the work, in threads beside the loop. What asks the books or the broker is a
coroutine of the same name, also where `Darkroom` has a property; what yields is an asynchronous
iterator.
"""

from darkroom.aio.job import AsyncJob
from darkroom.aio.room import AsyncDarkroom

__all__ = ["AsyncDarkroom", "AsyncJob"]
