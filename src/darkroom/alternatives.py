"""What else could be done with a manifest: other tiers and other models, with cost and time.

Nothing is read again: the plan's own sums, by kind of image, are placed anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

import msgspec

from darkroom.plan import Plan
from darkroom.registry import Family, Load, Model, Reason, Refusal
from darkroom.router import Kind, Market, Router
from darkroom.router.router import AT_ONCE, SOME_DAY
from darkroom.settings import Settings
from darkroom.share import Part, Share, shares_of
from darkroom.trial import Lot, place
from darkroom_manifests.tier import AUTO, Tier, TierChoice


class What(StrEnum):
    """How an alternative comes about."""

    PLAN = "plan"
    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    TIER = "tier"
    MODEL = "model"


class Cannot(msgspec.Struct, frozen=True):
    """Renders that an alternative could not make, and why: the rule, and one case of it."""

    renders: int
    reason: Reason
    message: str


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One way to make a manifest's renders. `name` is the tier's or model's, else empty.

    `finish_seconds` from the plan on the last is expected, `late_seconds` after the deadline that
    the plan's choices name.
    """

    what: What
    name: str
    shares: list[Share]
    finish_seconds: float
    late_seconds: float
    has_credential: bool
    cannot: list[Cannot] = []

    @property
    def renders(self) -> int:
        """How many it makes."""
        return sum(share.renders for share in self.shares)

    @property
    def likely_nusd(self) -> int:
        """What that costs; `unpriced` renders of the shares are not in it."""
        return sum(share.likely_nusd for share in self.shares)

    @property
    def split(self) -> list[tuple[str, str, int]]:
        """How many go where: two of the same split are the same thing."""
        return [(share.tier, share.model, share.renders) for share in self.shares]


Recast = Callable[[Kind], Kind]


def alternatives(plan: Plan, settings: Settings, market: Market) -> list[Alternative]:
    """The plan, the cheapest and the fastest way, every tier alone, every other model."""
    return list(_Desk(plan, settings, market).all()) if plan.parts else []


class _Desk:
    """Works out the alternatives of one plan."""

    def __init__(self, plan: Plan, settings: Settings, market: Market) -> None:
        self._plan = plan
        self._settings = settings
        self._market = market
        due = plan.choices.deliver_by
        self._deadline = SOME_DAY if due is None else (due - plan.planned_at).total_seconds()
        self._loads: dict[Kind, Load] = {}
        for part in plan.parts:
            self._loads.setdefault(part.kind, Load()).merge(part.load)

    def all(self) -> Iterator[Alternative]:
        """Work them out, in the order in which they are listed."""
        plan = self._made(What.PLAN, "", self._plan.parts, [])
        tiers = [self._tried(What.TIER, tier, _on(tier), SOME_DAY) for tier in self._tiers()]
        usable = [each for each in (plan, *tiers) if self._is_usable(each)]
        yield plan
        yield self._best(What.CHEAPEST, SOME_DAY, usable, lambda one: one.likely_nusd)
        yield self._best(What.FASTEST, AT_ONCE, usable, lambda one: one.finish_seconds)
        yield from tiers
        for model in self._models():
            yield self._tried(What.MODEL, model.id, self._with(model), self._deadline)

    def _best(
        self,
        what: What,
        deadline: float,
        others: list[Alternative],
        measure: Callable[[Alternative], float],
    ) -> Alternative:
        """Place each image by itself; as a whole, another way may be as good or better."""
        own = self._tried(what, "", _on(AUTO), deadline)
        best = min((*others, own), key=lambda one: (-one.renders, measure(one)))
        return msgspec.structs.replace(best, what=what, name="")

    def _is_usable(self, one: Alternative) -> bool:
        """Whether it is among what auto may choose, or what the plan chose."""
        usable = {*self._plan.tiers, *self._market.candidates}
        return one.has_credential and usable.issuperset(share.tier for share in one.shares)

    def _tiers(self) -> list[Tier]:
        """Those that may serve, with a credential or without; simulated ones in a rehearsal."""
        used, listed = set(self._plan.tiers), self._settings.router.tiers or ()
        is_rehearsal = any(Tier(tier).is_simulated for tier in used)
        return [
            tier
            for tier in self._market.served
            if tier in used
            or tier in listed
            or (self._is_spoken(tier) and self._is_offered(tier, rehearsing=is_rehearsal))
        ]

    def _is_offered(self, tier: Tier, *, rehearsing: bool) -> bool:
        return rehearsing if tier.is_simulated else not tier.is_paid_up

    def _is_spoken(self, tier: Tier) -> bool:
        """Whether any of the models speaks the tier's wire: the others have nothing to do there."""
        models = self._market.registry.models
        return any(models[kind.ask.model].speaks(tier) for kind in self._loads)

    def _models(self) -> list[Model]:
        used = {kind.ask.model for kind in self._loads}
        models = self._market.registry.models.values()
        return [m for m in models if m.family is Family.GEMINI and used != {m.id}]

    def _with(self, model: Model) -> Recast:
        """Ask another model for the same: the size that was meant is named, if it has a choice."""

        def recast(kind: Kind) -> Kind:
            own = self._market.registry.models[kind.ask.model]
            size = kind.ask.image_size or own.default_size
            only = not model.sends_image_size and size == model.default_size
            ask = msgspec.structs.replace(
                kind.ask, model=model.id, image_size=None if only else size
            )
            return msgspec.structs.replace(kind, ask=ask)

        return recast

    def _tried(self, what: What, name: str, recast: Recast, deadline: float) -> Alternative:
        lots: list[Lot] = []
        cannot: Counter[Refusal] = Counter()
        for kind, load in self._loads.items():
            asked = recast(kind)
            found = self._market.bids(asked, load.prompt_chars // load.images)
            if found.bids:
                lots.append(Lot(asked, found.bids, load))
            else:
                cannot[found.refusals[0]] += load.images
        parts = place(Router(self._settings, self._market.outlook), lots, deadline)
        return self._made(what, name, parts, _reasons(cannot))

    def _made(
        self, what: What, name: str, parts: Sequence[Part], cannot: list[Cannot]
    ) -> Alternative:
        tiers = [Tier(name)] if what is What.TIER else [part.tier for part in parts]
        finish = max((part.finish_seconds for part in parts), default=0.0)
        return Alternative(
            what=what,
            name=name,
            shares=shares_of(parts),
            finish_seconds=finish,
            late_seconds=max(0.0, finish - self._deadline),
            has_credential=all(map(self._settings.has_credential, tiers)),
            cannot=cannot,
        )


def _on(choice: TierChoice) -> Recast:
    return lambda kind: msgspec.structs.replace(kind, choice=choice)


def _reasons(refused: Counter[Refusal]) -> list[Cannot]:
    """Count by the rule, the most frequent first."""
    renders: Counter[Reason] = Counter()
    cases: dict[Reason, str] = {}
    for refusal, how_many in refused.most_common():
        renders[refusal.code] += how_many
        cases.setdefault(refusal.code, refusal.message)
    return [Cannot(how_many, code, cases[code]) for code, how_many in renders.most_common()]
