"""Which rows of a manifest count, and which of their pictures are made."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import msgspec

from darkroom.errors import ConfigInvalid

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Select(StrEnum):
    """What of a manifest is made.

    `missing`: whatever has no picture and none on its way; `changed`: of that, what was never
    asked for before, or was rejected; `failed`: of that, what was asked for, and failed or was
    cancelled; `all`: everything, also what is there.
    """

    MISSING = "missing"
    CHANGED = "changed"
    FAILED = "failed"
    ALL = "all"

    @property
    def asks_for_failures(self) -> bool:
        """Whether the books must be asked what failed before."""
        return self in {Select.CHANGED, Select.FAILED}

    def takes(self, *, was_tried: bool) -> bool:
        """Whether a picture that is not there is made, by whether it was asked for before."""
        return was_tried is (self is Select.FAILED) if self.asks_for_failures else True


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a manifest, and what the books are asked about it.

    `limit`: that many good rows only. `catalog`: its rows are known by their ids, and what they
    asked for last. Without `share` a picture is only that of rows with the same id, and rows of one
    manifest that ask for the same have one each.
    """

    select: Select = Select.MISSING
    limit: int | None = None
    catalog: str | None = None
    share: bool = True


def named(catalog: str | None) -> str | None:
    """Check the name of a catalog. Raises ConfigInvalid."""
    if catalog is None or _NAME.fullmatch(catalog):
        return catalog
    said = f"{catalog!r} is no name of a catalog: small letters, digits, dot, dash, underscore."
    raise ConfigInvalid(said, hint="Choose one such as summer-shop.")
