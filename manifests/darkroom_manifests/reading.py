"""How a manifest is to be read, beyond what it says itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from darkroom_manifests.mapping import Columns


class Combine(StrEnum):
    """How the lists of a row's variants are combined."""

    PRODUCT = "product"
    ZIP = "zip"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller and the settings say of a manifest's columns.

    `mapping` must find its columns, `usual` counts where they are. `template` is filled for every
    row that names none; the row's own prompt is then its variable `prompt`. A row may stand for
    at most `most_variants`.
    """

    mapping: Columns = {}
    usual: Columns = {}
    template: str | None = None
    combine: Combine = Combine.PRODUCT
    most_variants: int = 100


PLAIN: Final = Reading()
