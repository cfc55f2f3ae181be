"""The ways to make a manifest side by side: what each costs, and when it is done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.table import Table

from darkroom.alternatives import Alternative, What
from darkroom.cli import voice
from darkroom.cli.planning import duration
from darkroom_manifests.money import short_dollars
from darkroom_manifests.tier import Tier

_LINES: Final = 11
_ORDER: Final = list(What)


def table(found: Sequence[Alternative]) -> Table:
    """A line for each way that is not another's; those that make the most come first."""
    made = voice.table("WAY<", "IMAGES>", "COST>", "DONE IN>", "NOTE")
    for same in sorted(_grouped(found), key=_rank)[:_LINES]:
        one = same[0]
        priced = not any(share.unpriced for share in one.shares)
        cost = short_dollars(one.likely_nusd) if priced and one.renders else "?" * (not priced)
        done = _done(one) if one.renders else ""
        note = voice.safe("; ".join(_notes(same)))
        made.add_row(voice.safe(_name(one)), f"{one.renders:,}", cost, done, note)
    return made


def _grouped(found: Sequence[Alternative]) -> Iterator[list[Alternative]]:
    """Put those together that send the same to the same; each of those that send nothing alone."""

    def key(one: Alternative) -> tuple[list[tuple[str, str, int]], str]:
        return one.split, "" if one.renders else one.name

    for _, same in groupby(sorted(found, key=key), key):
        yield sorted(same, key=lambda one: _ORDER.index(one.what))


def _rank(same: list[Alternative]) -> tuple[int, int, int, float]:
    one = same[0]
    missing = sum(each.renders for each in one.cannot)
    return (_ORDER.index(one.what), missing, one.likely_nusd, one.finish_seconds)


def _name(one: Alternative) -> str:
    if one.what is What.MODEL:
        tiers = {share.tier for share in one.shares}
        where = next(iter(tiers)) if len(tiers) == 1 else f"{len(tiers)} tiers"
        return f"{one.name} on {where}" if tiers else one.name
    role = "" if one.what is What.TIER else f"{one.what}: "
    return role + (_where(one) or one.name)


def _where(one: Alternative) -> str:
    by_tier = {share.tier: 0 for share in one.shares}
    for share in one.shares:
        by_tier[share.tier] += share.renders
    if len(by_tier) == 1:
        return next(iter(by_tier))
    return ", ".join(f"{tier} {renders:,}" for tier, renders in by_tier.items())


def _done(one: Alternative) -> str:
    return "rests" if math.isinf(one.finish_seconds) else duration(one.finish_seconds)


def _notes(same: list[Alternative]) -> Iterator[str]:
    one = same[0]
    yield from (each.what for each in same[1:] if each.what in {What.CHEAPEST, What.FASTEST})
    if one.renders and not one.has_credential:
        yield "no credential"
    if one.renders and all(Tier(share.tier).is_simulated for share in one.shares):
        yield "simulated"
    if one.renders and one.late_seconds > 0:
        yield "too late" if math.isinf(one.late_seconds) else f"{duration(one.late_seconds)} late"
    for each in one.cannot[:1]:
        missing = sum(cannot.renders for cannot in one.cannot)
        yield f"not {missing:,}: {each.reason.replace('-', ' ')}"
