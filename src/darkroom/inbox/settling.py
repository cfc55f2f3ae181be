"""Tells which files are whole: those that nobody has written to for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from darkroom.inbox.place import Seen

_PATIENCE: Final = 3
"""How many times as long a file waits that does not end with a line's end."""


class Settling:
    """Remembers since when each file is as it is. Times are monotonic seconds."""

    def __init__(self, seconds: float, is_ended: Callable[[Seen], bool]) -> None:
        self._seconds = seconds
        self._is_ended = is_ended
        self._since: dict[str, tuple[str, float]] = {}
        self.due: float | None = None

    def settled(self, seen: Iterable[Seen], now: float) -> Iterator[Seen]:
        """Pass on the files that are whole, and note in `due` when to look for the next one."""
        before, self._since, self.due = self._since, {}, None
        found = list(seen)
        for one in found:
            stamp, since = before.get(one.name, (None, now))
            self._since[one.name] = (one.stamp, since if stamp == one.stamp else now)
        for one in found:
            _, since = self._since[one.name]
            if self._is_settled(one, now - since):
                yield one
            else:
                self._note(since, now)

    def _is_settled(self, one: Seen, quiet: float) -> bool:
        if one.is_whole:
            return True
        if quiet < self._seconds:
            return False
        return quiet >= self._seconds * _PATIENCE or self._is_ended(one)

    def _note(self, since: float, now: float) -> None:
        long = now - since >= self._seconds
        due = since + self._seconds * (_PATIENCE if long else 1)
        self.due = due if self.due is None else min(self.due, due)
