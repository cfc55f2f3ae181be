"""The names already used in a manifest, remembered in about 13 bytes each."""

from __future__ import annotations

import unicodedata
from array import array
from bisect import bisect_left
from typing import Final

_SHARDS: Final = 4096


class Seen:
    """Names met so far, by a 64-bit hash in sorted shards: a set would take several times as much.

    Two names are the same when disks that ignore case or Unicode form would take them so. Among
    a million names the chance that two different ones are taken for the same is 1 in 30 million.
    """

    def __init__(self) -> None:
        # Made when they are needed: many a manifest has ten rows, and thousands may come at once.
        self._shards: list[tuple[array[int], array[int]] | None] = [None] * _SHARDS

    def first(self, name: str, line: int) -> int | None:
        """Return the line that used the name already, or remember it for this line."""
        code = hash(name.lower() if name.isascii() else _folded(name))
        hashes, lines = self._shards[code % _SHARDS] or self._new_shard(code % _SHARDS)
        place = bisect_left(hashes, code)
        if place < len(hashes) and hashes[place] == code:
            return lines[place]
        hashes.insert(place, code)
        lines.insert(place, line)
        return None

    def __contains__(self, name: str) -> bool:
        """Whether the name was used."""
        code = hash(name.lower() if name.isascii() else _folded(name))
        hashes, _ = self._shards[code % _SHARDS] or ((), ())
        place = bisect_left(hashes, code)
        return place < len(hashes) and hashes[place] == code

    def _new_shard(self, number: int) -> tuple[array[int], array[int]]:
        made = self._shards[number] = array("q"), array("I")
        return made


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
