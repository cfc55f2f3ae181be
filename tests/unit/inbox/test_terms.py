"""The terms of a file: its inbox's, and a side file's over them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from darkroom.inbox import Terms
from darkroom.inbox.terms import with_side
from darkroom_manifests.money import parse_dollars

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OWN = Terms(tier="vertex", max_cost_nusd=parse_dollars("5"), deliver_within=3_600)


def test_a_side_file_is_laid_over_the_terms_of_the_inbox() -> None:
    side = b"""
tier = "vertex-batch"
accept_valid = true
priority = 3
name = "Spring"
ask = { safety = "block_none" }
deliver_turns = false
labels = { team = "shop" }
deliver_by = 2026-12-24T07:30:00+01:00
"""
    found = with_side(OWN, side)

    assert isinstance(found, Terms)
    assert (found.tier, found.accept_valid, found.priority) == ("vertex-batch", True, 3)
    assert found.ask == {"safety": "block_none"}
    assert (found.deliver_turns, found.labels) == (False, {"team": "shop"})
    assert found.due(NOW) == datetime(2026, 12, 24, 6, 30, tzinfo=UTC)
    assert OWN.due(NOW) == datetime(2026, 11, 26, 13, tzinfo=UTC)


@pytest.mark.parametrize(("said", "cap"), [('"2.50"', "2.50"), ("3", "3"), ('"100.00"', "5")])
def test_a_side_file_may_lower_the_cap_and_not_raise_it(said: str, cap: str) -> None:
    found = with_side(OWN, f"max_cost = {said}".encode())

    assert isinstance(found, Terms)
    assert found.max_cost_nusd == parse_dollars(cap)


@pytest.mark.parametrize(
    "side",
    [
        b"max_cots = 3",
        b"max_cost = 0.1",
        b'max_cost = "-1"',
        b'tier = "nowhere"',
        b"deliver_by = 2026-12-24T07:30:00",
        b"deliver_by = 2026-12-24",
        b'deliver_within = "soon"',
        b"deliver_by = true",
        b"accept_valid = 1",
        b"= =",
        b"\xff\xfe",
    ],
)
def test_what_a_side_file_may_not_say_is_told_in_a_sentence(side: bytes) -> None:
    found = with_side(OWN, side)

    assert isinstance(found, str)
    assert found
