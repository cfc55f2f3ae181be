"""Other people's manifests: each dialect is a file in `dialects/`, known by the names it uses."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

from darkroom_manifests.field import plain_name

ELEMENTS: Final = "[]"
"""After a name in a path: each element of that list."""


class Never(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a row cannot say: anything at `path`, or only these values."""

    path: str
    message: str
    hint: str
    values: tuple[str, ...] = ()


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where its tables hold pictures, for the way back.

    Further pictures of a row go into `lines` of their own below it, into the same cell as a
    `list`, or into another `column`, as a list.
    """

    image: str
    position: str | None = None
    alt: str | None = None
    alt_from: str | None = None
    more: Literal["lines", "list", "column"] = "list"
    more_column: str | None = None
    separator: str = "|"


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of a dialect says of it.

    It is recognised when all names of one `signature` are there and none of `without`. `fields`
    say which columns give which field, `kept` which are only variables whatever their names, and
    `addresses` which of these hold pictures elsewhere. Rows that share `group` are one, with what
    stands in `gathered` listed. In JSON, `opened` objects are read as columns `object.name`, and a
    path may go through lists: `parts[].text`. `blank` are values that say nothing.
    Parts of the object `asked` that are no field are warned of, but for `silent` ones.
    """

    name: str
    title: str
    source: str
    signature: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()
    exact: bool = False
    fields: dict[str, tuple[str, ...]] = {}
    kept: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    separators: dict[str, str] = {}
    group: str | None = None
    gathered: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    asked: str | None = None
    silent: tuple[str, ...] = ()
    blank: dict[str, tuple[str, ...]] = {}
    never: tuple[Never, ...] = ()
    delivery: Delivery | None = None

    def places(self, names: Sequence[str], meant: str) -> list[int]:
        """Where a column stands that a dialect's file names, perhaps with a `*`."""
        return [i for i, name in enumerate(names) if self._is(name, meant)]

    def _is(self, name: str, meant: str) -> bool:
        if self.exact:
            return fnmatchcase(name.lower(), meant.lower())
        return plain_name(name) == plain_name(meant)

    def matches(self, names: Sequence[str]) -> int:
        """How many names tell that it is this one; 0 if it is not."""
        if any(self.places(names, name) for name in self.without):
            return 0
        found = [s for s in self.signature if all(self.places(names, name) for name in s)]
        return max(map(len, found), default=0)


@cache
def dialects() -> tuple[Dialect, ...]:
    """Every dialect that is known, by name."""
    folder = files("darkroom_manifests") / "dialects"
    texts = [each.read_bytes() for each in folder.iterdir() if each.name.endswith(".toml")]
    found = [msgspec.toml.decode(text, type=Dialect) for text in texts]
    return tuple(sorted(found, key=lambda dialect: dialect.name))


@lru_cache(maxsize=256)
def dialect_of(names: tuple[str, ...]) -> Dialect | None:
    """Recognise a dialect by its columns; None: these are Darkroom's own."""
    best = max(dialects(), key=lambda dialect: dialect.matches(names))
    return best if best.matches(names) else None
