"""Tells the allocator that megabytes come and go all the time, and what stays for good."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1  # these two numbers are glibc's, <malloc.h>
_M_MMAP_THRESHOLD: Final = -3
_KEPT_BYTES: Final = 256 << 20
_MAPPED_BYTES: Final = 32 << 20  # glibc takes no more


def keep_large_blocks() -> None:
    """Reuse the memory of answers instead of giving it back to the kernel after each one.

    By default glibc maps every block above 128 KiB anew, and the page faults of a 1.5 MB image
    cost as much as decoding it. On other C libraries this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def keep_what_is_there() -> None:
    """Leave what a process is made of out of the search for garbage: it stays to its end."""
    gc.collect()
    gc.freeze()
