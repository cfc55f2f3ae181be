"""Asks the tiers for their bids: who can make images of a kind, for how much, how soon."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from darkroom.registry import Level, Load, Refusal, Registry, Tariff, level_of
from darkroom.registry.ask import Reason
from darkroom.registry.model import LEVELS
from darkroom.router.account import unopened
from darkroom.router.bid import UNKNOWN_NUSD, Bid, Bids
from darkroom.router.kind import Kind
from darkroom.router.outlook import Outlook
from darkroom.router.prior import prior
from darkroom.router.relay import NO_BUCKETS, unspoken
from darkroom.router.spacing import Size, spacing
from darkroom.router.wished import refused
from darkroom.served import SERVED
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

_KEPT: Final = 16_384
_NOBODY: Final = Refusal(
    "tier",
    Reason.LEVEL_NOT_OFFERED,
    "auto has no tier to choose from.",
    "Set a credential, or other router.tiers.",
)


class Market:
    """The tiers at one moment. Answers are kept, since the same few kinds come again and again."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        outlook: Outlook,
        served: Sequence[Tier] = SERVED,
        *,
        is_patient: bool = True,
    ) -> None:
        """Ask the tiers that may be chosen.

        Without patience none that is slow to be cheap, and no proxy beside Google's own.
        """
        self.registry = registry
        self.outlook = outlook
        self.served = served
        candidates = settings.candidates(served)
        self.candidates = candidates if is_patient else _nearest(candidates)
        self._settings = settings
        self._location = settings.vertex.location
        self._kept = lru_cache(_KEPT)(self._asked)

    def bids(self, kind: Kind, prompt_chars: int) -> Bids:
        """The bids of the tier that is asked for, or with auto of every candidate.

        Prices are compared at the next power of two of the prompt's length.
        """
        return self._kept(kind, prompt_chars.bit_length())

    def _asked(self, kind: Kind, bits: int) -> Bids:
        tiers = [kind.choice] if isinstance(kind.choice, Tier) else self._candidates(kind)
        refused = {tier: self._refusals(kind, tier, allows_retired=False) for tier in tiers}
        if all(refused.values()):  # a model that lives is never left for one that is retired
            refused = {tier: self.refusals(kind, tier) for tier in tiers}
        load = Load.of(1 << bits)
        bids = [self._bid(kind, tier, load) for tier, why in refused.items() if not why]
        if bids:
            return Bids(tuple(sorted(bids, key=lambda bid: bid.likely_nusd)))
        return Bids((), min(refused.values(), key=_distance, default=(_NOBODY,)))

    def _candidates(self, kind: Kind) -> list[Tier]:
        """AI Studio reads no bucket of somebody's own without more ado, a proxy none at all."""
        tiers = self.candidates
        if kind.in_bucket:
            return [tier for tier in tiers if tier.provider not in NO_BUCKETS]
        return tiers

    def refusals(self, kind: Kind, tier: Tier) -> tuple[Refusal, ...]:
        """Why a tier cannot make images of a kind; nothing where it can, or may with leave."""
        allowed = self._settings.allows_retired(tier)
        return self._refusals(kind, tier, allows_retired=allowed)

    def _refusals(self, kind: Kind, tier: Tier, *, allows_retired: bool) -> tuple[Refusal, ...]:
        if tier not in self.served:
            instead = f"Choose one of {', '.join(self.served)}."
            said = f"{tier} is not served yet."
            return (Refusal("tier", Reason.LEVEL_NOT_OFFERED, said, instead),)
        closed = unopened(kind.ask, tier, self._settings, self.registry)
        closed = closed or refused(kind.told, tier)
        if closed is not None:
            return (closed,)
        on = self.outlook.at.date()
        level = level_of(tier, self._settings.service_tier(tier))
        found = self.registry.problems(
            kind.ask,
            tier,
            on,
            location=self._location,
            level=level,
            allows_retired=allows_retired,
        )
        unsaid = () if found or tier is not Tier.PROXY else self._unspoken(kind)
        return (*found, *unsaid)

    def _unspoken(self, kind: Kind) -> tuple[Refusal, ...]:
        return unspoken(kind, self._settings.proxy.mode, self.registry)

    def tariff(self, kind: Kind, tier: Tier) -> Tariff | None:
        """What images of a kind cost on a tier; None: nobody knows."""
        level, place = level_of(tier, self._settings.service_tier(tier)), self._location
        return self.registry.tariff(kind.ask, tier, self.outlook.at, location=place, level=level)

    def _bid(self, kind: Kind, tier: Tier, load: Load) -> Bid:
        prospect, ask = self.outlook.of(tier), kind.ask
        tariff = self.tariff(kind, tier)
        turnaround = prospect.turnaround or prior(tier, ask.image_size)
        return Bid(
            tier=tier,
            tariff=tariff,
            likely_nusd=UNKNOWN_NUSD if tariff is None else tariff.of(load).likely,
            spacing=0.0 if tier.is_batch else self._spacing(kind, tier, load, tariff),
            wait=turnaround.p90 * (kind.before + 1) + prospect.rest(ask.model),
        )

    def _spacing(self, kind: Kind, tier: Tier, load: Load, tariff: Tariff | None) -> float:
        prospect, ask = self.outlook.of(tier), kind.ask
        turnaround = prospect.turnaround or prior(tier, ask.image_size)
        size = Size(
            model=ask.model,
            prompt_tokens=load.prompt_tokens + (0 if tariff is None else tariff.pictures),
            nusd=0 if tariff is None else tariff.of(load).likely,
            seconds=turnaround.p50,
        )
        return spacing(self._settings.limits(tier), prospect, size)


def _nearest(tiers: Sequence[Tier]) -> list[Tier]:
    """Whom nobody had to ask for: what answers at once, and strangers only where they are alone."""
    standard = [tier for tier in tiers if LEVELS[tier] is Level.STANDARD]
    return [tier for tier in standard if tier is not Tier.PROXY] or standard


def _distance(refusals: tuple[Refusal, ...]) -> tuple[int, bool, bool]:
    """How far a tier is from making it: one that has not even the model is further.

    Furthest is one that never had it.
    """
    first = refusals[0]
    return len(refusals), first.column == "model", first.code is Reason.MODEL_NOT_SERVED
