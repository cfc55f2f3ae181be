"""How often hosts may let the time run out before they are left alone."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final
from urllib.parse import urlsplit

_TIMES: Final = 3


class Patience:
    """Counts silences by host for one pass over a manifest: ten thousand rows may name one host."""

    def __init__(self) -> None:
        self._silences: Counter[str] = Counter()
        self._lock = threading.Lock()

    def is_over(self, url: str) -> bool:
        """Whether nothing more is to be asked of its host."""
        with self._lock:
            return self._silences[_host(url)] >= _TIMES

    def lose(self, url: str) -> None:
        """Note that the time ran out."""
        with self._lock:
            self._silences[_host(url)] += 1


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
