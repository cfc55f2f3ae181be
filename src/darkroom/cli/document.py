"""The documents of `--json`: nano-dollars as integers, dollars as text, times in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from darkroom.alternatives import Alternative
from darkroom.plan import Plan
from darkroom.report import Allowance, Costs, JobState, Rejected, Spending
from darkroom.share import Share
from darkroom_manifests.money import dollars
from darkroom_manifests.problem import Problem
from darkroom_manifests.tier import Tier

Document = dict[str, Any]


def in_dollars(document: Document) -> Document:
    """Put `x_usd` beside every `x_nusd`."""
    full: Document = {}
    for name, value in document.items():
        full[name] = value
        if name.endswith("_nusd"):
            full[name.removesuffix("_nusd") + "_usd"] = None if value is None else dollars(value)
    return full


def of_job(state: JobState) -> Document:
    """A job as it stands."""
    known: Document = msgspec.to_builtins(state)
    return in_dollars(known | {"folder": state.folder, "finished": state.finished})


def of_costs(costs: Costs) -> Document:
    """Money in total, and by job, model and tier."""
    groups = {"by_job": costs.by_job, "by_model": costs.by_model, "by_tier": costs.by_tier}
    by = {
        name: {key: of_spending(each) for key, each in group.items()}
        for name, group in groups.items()
    }
    return of_spending(costs.total) | by


def of_spending(spending: Spending) -> Document:
    """Money of some attempts."""
    known: Document = msgspec.to_builtins(spending)
    return in_dollars(known | {"spent_nusd": spending.spent_nusd})


def of_allowances(allowances: Sequence[Allowance]) -> Document:
    """Real money against its caps, of today and of everything."""
    names = {True: "all", False: "day"}
    return {
        names[each.ends_at is None]: in_dollars(
            msgspec.to_builtins(each) | {"used_nusd": each.used_nusd}
        )
        for each in allowances
    }


def of_plan(
    plan: Plan, seconds: float | None, others: Sequence[Alternative] | None = None
) -> Document:
    """What a manifest would do; `seconds` is the least time that the limits allow.

    Times without an end, of tiers that rest until a person acts, are null.
    """
    money = {name: getattr(plan, name) for name in ("low_nusd", "likely_nusd", "high_nusd")}
    return {
        "manifest": str(plan.manifest.file or plan.manifest.name),
        "sha256": plan.sha256,
        "planned_at": msgspec.to_builtins(plan.planned_at),
        "rows": plan.rows,
        "expanded": plan.expanded,
        "renders": plan.renders,
        "catalog": plan.selection.catalog,
        "unchanged": plan.unchanged,
        "shared": plan.shared,
        "removed": plan.removed,
        "removed_ids": plan.removed_ids,
        "not_selected": plan.not_selected,
        "refused_before": plan.refused_before,
        "invalid": plan.invalid,
        "deliver_by": msgspec.to_builtins(plan.deliver_by),
        "unpriced": plan.unpriced,
        "simulated": is_simulated(plan),
        **in_dollars(money),
        "at_least_seconds": seconds,
        "finish_seconds": plan.finish_seconds,
        "late_renders": plan.late_renders,
        "late_seconds": plan.late_seconds,
        "shares": [_of_share(share) for share in plan.shares],
        "changes": [in_dollars(msgspec.to_builtins(delta)) for delta in plan.deltas],
        "alternatives": None if others is None else [_of_alternative(each) for each in others],
        "problems": of_problems(plan.problems),
        "warnings": of_problems(plan.warnings),
    }


def _of_share(share: Share) -> Document:
    known: Document = msgspec.to_builtins(share)
    return in_dollars({"tier": share.tier, "model": share.model} | known)


def _of_alternative(one: Alternative) -> Document:
    known: Document = msgspec.to_builtins(one)
    shares = [_of_share(share) for share in one.shares]
    more = {"renders": one.renders, "likely_nusd": one.likely_nusd, "shares": shares}
    return in_dollars(known | more)


def of_problems(problems: list[Problem] | list[Rejected]) -> list[Document]:
    """What is wrong with rows."""
    found: list[Document] = msgspec.to_builtins(problems)
    return found


def is_simulated(plan: Plan) -> bool:
    """Whether nothing of it would be real money."""
    return all(Tier(tier).is_simulated for tier in plan.tiers)
