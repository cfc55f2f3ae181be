"""A picture that was received."""

from __future__ import annotations

import msgspec


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The delivered bytes, which lie in the spool until they are published. Sizes in pixels.

    `look` is equal for pictures that look alike, where that is asked for; with `must_differ` it may
    not be that of another picture of the job.
    """

    sha256: str
    bytes: int
    mime: str
    extension: str
    width: int
    height: int
    look: str | None = None
    must_differ: bool = False
