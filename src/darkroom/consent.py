"""Whether a plan may be sent: sound rows, credentials, and somebody's yes or a cap."""

from __future__ import annotations

from decimal import Decimal

from darkroom.errors import CapTooLow, ConsentNeeded, CredentialsMissing, ManifestRejected
from darkroom.plan import Plan
from darkroom.settings import Settings
from darkroom_manifests.money import NANO, parse_dollars, short_dollars
from darkroom_manifests.tier import Provider, Tier

Amount = str | Decimal | int
"""Dollars; a float would not be exact."""


def require(
    plan: Plan, settings: Settings, cap_nusd: int | None, *, accept_valid: bool, consent: bool
) -> None:
    """Raise ManifestRejected, CredentialsMissing, ConsentNeeded or CapTooLow; else do nothing."""
    if plan.problems and (not accept_valid or not plan.rows or plan.end):
        raise rejected(plan)
    for tier in map(Tier, plan.tiers):
        if not settings.has_credential(tier):
            raise CredentialsMissing(f"There is no credential for {tier}.", hint=_how_to(tier))
    if cap_nusd is None:
        _require_consent(plan, settings, consent=consent)
    else:
        _require_room(plan, cap_nusd)


def _require_consent(plan: Plan, settings: Settings, *, consent: bool) -> None:
    if plan.unpriced:
        said = f"{plan.unpriced:,} renders have no known price."
        raise ConsentNeeded(said, hint="Give a cap: --max-cost 5.00.")
    if not consent and needs_consent(plan, settings):
        raise ConsentNeeded(
            f"{plan.renders:,} images for about {short_dollars(plan.likely_nusd)} need a yes.",
            hint="Give --yes, or a cap: --max-cost 5.00.",
        )


def needs_consent(plan: Plan, settings: Settings) -> bool:
    """Whether a plan costs more real money than may be spent without asking."""
    return real_nusd(plan) > int(settings.budget.confirm_above * NANO)


def real_nusd(plan: Plan) -> int:
    """What of a plan's likely cost is real money."""
    return sum(each.likely_nusd for each in plan.shares if not Tier(each.tier).is_simulated)


def _require_room(plan: Plan, cap_nusd: int) -> None:
    drawn = [share for share in plan.shares if share.renders]
    cheapest = min((share.high_nusd // share.renders for share in drawn), default=0)
    if cap_nusd < cheapest:
        said = f"The cap of {short_dollars(cap_nusd)} does not cover a single render"
        raise CapTooLow(f"{said}, for which {short_dollars(cheapest)} is set aside.")


def rejected(plan: Plan) -> ManifestRejected:
    """Say how much of a manifest cannot be rendered."""
    end = plan.end
    first = str(end or plan.problems[0])
    said = first if not plan.rows else f"{unsound(plan)}; {'' if end else 'the first: '}{first}"
    return ManifestRejected(said, problems=plan.problems, hint=way_on(plan))


def unsound(plan: Plan) -> str:
    """Say how many rows cannot be rendered, or where reading stopped and nobody knows."""
    if plan.end is None:
        rows = plan.rows + plan.invalid
        return f"{plan.invalid:,} of {rows:,} rows cannot be rendered"
    line = plan.end.line
    return f"Reading stopped at line {line:,}" if line else "Reading stopped before the end"


def way_on(plan: Plan) -> str | None:
    """Name what may be done with the good rows; nothing where the others were not even read."""
    if not plan.renders or plan.end is not None:
        return None
    return "Mend them, or render the others with --accept-valid."


def _how_to(tier: Tier) -> str:
    """Say how to give a tier its credential."""
    match tier.provider:
        case Provider.AISTUDIO:
            return "Set GEMINI_API_KEY, or render for free with --tier simulator."
        case Provider.VERTEX:
            return "Set GOOGLE_CLOUD_PROJECT and GOOGLE_APPLICATION_CREDENTIALS."
        case Provider.PROXY:
            return "Set DARKROOM_PROXY__BASE_URL and DARKROOM_PROXY__API_KEY."
        case _:
            return "Choose another tier."


def nano_dollars(amount: Amount) -> int:
    """Read an amount of dollars exactly. Raises ValueError, TypeError for a float."""
    if isinstance(amount, float):
        raise TypeError(f'{amount} may not be exact; write it as text: "{amount}"')
    return parse_dollars(format(amount, "f") if isinstance(amount, Decimal) else str(amount))
