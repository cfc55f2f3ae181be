"""Both doors have the same names and take the same."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from darkroom import AsyncDarkroom, AsyncJob, Darkroom, Job
from darkroom.aio.batches import AsyncBatches
from darkroom.aio.reviews import AsyncReviews
from darkroom.batches import Batches
from darkroom.reviews import Reviews

PAIRS = [
    (Darkroom, AsyncDarkroom),
    (Job, AsyncJob),
    (Batches, AsyncBatches),
    (Reviews, AsyncReviews),
]
NOT_FOR_A_LOOP = {"database", "look", "reader"}
"""An engine that is not asynchronous, and what loops of our own wait by."""


def public(kind: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and name not in NOT_FOR_A_LOOP
    }


def parameters(member: Any) -> list[tuple[str, Any, Any]]:  # noqa: ANN401  # any member of a class
    given: Any = member.fget if isinstance(member, property) else member
    return [
        (each.name, each.kind, each.default if not callable(each.default) else callable)
        for each in inspect.signature(given).parameters.values()
    ]


@pytest.mark.parametrize(("plain", "for_a_loop"), PAIRS)
def test_what_one_door_has_the_other_has_too(plain: type, for_a_loop: type) -> None:
    assert public(plain).keys() == public(for_a_loop).keys()


@pytest.mark.parametrize(("plain", "for_a_loop"), PAIRS)
def test_both_take_the_same(plain: type, for_a_loop: type) -> None:
    ours = {name: parameters(member) for name, member in public(plain).items()}
    others = {name: parameters(member) for name, member in public(for_a_loop).items()}

    assert ours == others
