"""What a notice says of a job: counts, money and where its images are. No prompt is in it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from darkroom.report import JobState
from darkroom_manifests.money import dollars

_UNTOLD: Final = ("deliver_by", "priority", "output_path", "pending", "sent", "submitted")


def of_job(state: JobState) -> dict[str, Any]:
    """A job as it stands; nano-dollars as integers, and the same as text in dollars."""
    known: dict[str, Any] = msgspec.to_builtins(state)
    for name in _UNTOLD:
        del known[name]
    return in_dollars(known | {"folder": state.folder})


def in_dollars(known: dict[str, Any]) -> dict[str, Any]:
    """Put `x_usd` beside every `x_nusd`."""
    money = {name.removesuffix("_nusd"): known[name] for name in known if name.endswith("_nusd")}
    said = {f"{name}_usd": None if sum_ is None else dollars(sum_) for name, sum_ in money.items()}
    return known | said
