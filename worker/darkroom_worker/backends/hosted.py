"""Fetches pictures of which an answer told only the address: they are paid by then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from darkroom.safe_address import Refusal
from darkroom.safe_fetch import Bounds, SafeFetcher
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Break, Fetched

_BOUNDS: Final = Bounds(seconds=60.0, most_bytes=64 << 20, redirects=3)
_AT_ONCE: Final = 32
_PAUSES: Final = (0.5, 2.0)  # seconds; the fetch is tried again, the generation never
_OK: Final = 200
# What trying again would not change: somebody must allow the host first.
_FORBIDDEN: Final = frozenset({"url", "address"})


class Hosted:
    """Fetches in threads of its own. No key is sent along: the host may be anybody's."""

    def __init__(self, allow_hosts: Sequence[str], pauses: Sequence[float] = _PAUSES) -> None:
        self._fetcher = SafeFetcher(allow_hosts)
        self._pauses = pauses
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hosted")

    async def fetch(self, url: str) -> Fetched:
        """Get a picture, or say why it is not to be had."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._fetch, url)

    def _fetch(self, url: str) -> Fetched:
        for pause in (*self._pauses, None):
            found = self._once(url)
            is_settled = found.image is not None or found.rest is not None
            if is_settled or pause is None or self._closing.wait(pause):
                return found
        raise AssertionError("the last round returns")

    def _once(self, url: str) -> Fetched:
        answer = self._fetcher.get(url, _BOUNDS)
        if isinstance(answer, Refusal):
            is_forbidden = answer.code in _FORBIDDEN
            return Fetched(said=answer.message, rest=_rest(answer) if is_forbidden else None)
        if answer.status != _OK:
            return Fetched(said=f"HTTP {answer.status}.")
        return Fetched(image=answer.body) if answer.body else Fetched(said="It is empty.")

    def close(self) -> None:
        """Fetch nothing more."""
        self._closing.set()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _rest(refusal: Refusal) -> Break:
    """Stop before more is paid that cannot be had."""
    hint = f"Name the host in proxy.allow_hosts, then `darkroom tier resume {Tier.PROXY}`."
    reason = f"its images must not be fetched: {refusal.message}"
    return Break(whole_tier=True, seconds=None, reason=reason, hint=hint)
